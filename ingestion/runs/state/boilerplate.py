"""What sources repeat around their documents, as it was learned from them."""

from collections.abc import Iterable, Mapping

from ingestion.runs.state.database import Database


class Boilerplate:
    """Keys of repeated texts, by source. What was learned stays: pages made later go without it too."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def learn(self, source_name: str, keys: Iterable[str]) -> None:
        """Add what a source was found to repeat. Call it within a batch."""
        self._db.execute_many(
            "insert or ignore into boilerplate values (?, ?)", [(source_name, key) for key in sorted(keys)]
        )

    def by_source(self) -> Mapping[str, tuple[str, ...]]:
        """All that is known."""
        found: dict[str, list[str]] = {}
        for source_name, key in self._db.rows("select source_name, key from boilerplate order by 1, 2"):
            found.setdefault(source_name, []).append(key)
        return {source_name: tuple(keys) for source_name, keys in found.items()}
