"""What became of documents that are not in the index, and what the pages of a site said of themselves."""

from dataclasses import dataclass

from ingestion.runs.state.database import Database


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a document is not in the index: `failed`, `refused`, `blocked`, `copy`, `rejected`, `held`, or `removed` by id."""

    kind: str
    detail: str
    digest: str
    recipe: str


class Outcomes:
    """The last outcome of each document, by the digest and the recipe that it had then."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, document_id: str) -> Outcome | None:
        """What became of a document the last time."""
        query = "select kind, detail, digest, recipe from outcomes where id = ?"
        found = self._db.rows(query, (document_id,))
        return Outcome(*found[0]) if found else None

    def of(self, source_name: str) -> dict[str, Outcome]:
        """The outcomes of a source by document."""
        query = "select id, kind, detail, digest, recipe from outcomes where source_name = ? order by id"
        rows = self._db.rows(query, (source_name,))
        return {i: Outcome(kind, detail, digest, recipe) for i, kind, detail, digest, recipe in rows}

    def all(self) -> list[tuple[str, str, Outcome]]:
        """Id, source and outcome of every document that isn't in the index, or whose newer text isn't."""
        rows = self._db.rows("select id, source_name, kind, detail, digest, recipe from outcomes order by id")
        return [
            (i, source, Outcome(kind, detail, sha, recipe)) for i, source, kind, detail, sha, recipe in rows
        ]

    def note(self, document_id: str, source_name: str, outcome: Outcome) -> None:
        """Remember what became of a document. Call it within a batch, or pay for one."""
        self._db.execute(
            "insert or replace into outcomes values (?, ?, ?, ?, ?, ?)",
            (document_id, outcome.digest, source_name, outcome.recipe, outcome.kind, outcome.detail),
        )

    def settle(self, document_id: str) -> None:
        """Forget what became of a document: it is in the index now, or gone."""
        self._db.execute("delete from outcomes where id = ?", (document_id,))

    # Validators (RFC 9110, section 8.8): the ETag or the date of a page.

    def validate(self, document_id: str, source_name: str, validator: str, digest: str) -> None:
        """Remember what a page said of itself when it was finished. Call it within a batch."""
        values = (document_id, source_name, validator, digest)
        self._db.execute("insert or replace into validators values (?, ?, ?, ?)", values)

    def validators(self, source_name: str) -> dict[str, tuple[str, str]]:
        """What pages of a source said of themselves the last time, and their digests."""
        query = "select id, validator, digest from validators where source_name = ?"
        rows = self._db.rows(query, (source_name,))
        return {document_id: (validator, digest) for document_id, validator, digest in rows}
