"""What of the sources needs work: each is asked once, what it has is noted as seen, what changed is queued.

A source that fails keeps its documents: neither a folder that isn't mounted nor a site that is down empties the index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from ingestion.config import SourceConfig
from ingestion.corpus import Source
from ingestion.errors import EmptySourceError, SourceError
from ingestion.load.discover import discover
from ingestion.prepare.preparer import recipe_of
from ingestion.releases.release import Release, active_id
from ingestion.runs.collection import Collection
from ingestion.runs.erasure import REMOVED
from ingestion.runs.state import Outcome, RunState

# Nobody else can write while a slice is written, and a crawl finds a page or two in a second.
_AT_ONCE = 64
_BYTES_AT_ONCE = 32 * 1024 * 1024
_REMEDY = "Its documents stay. Should they go, remove the source from the scope, or run with `--allow-empty`."
_STAYS = "Its documents stay. Run again when it can be read, or remove the source from the scope."
Found = Source | tuple[Source, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the sources have: how many documents were found, are to be worked on, and stay as they are.

    `failed` are sources that could not be listed, with the reason; of those in `kept` no document goes because it
    was not found.
    """

    found: int = 0
    waiting: int = 0
    reused: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()


class Recipes:
    """The recipe of each source, and outcomes under it."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._known: dict[str, str] = {}

    def of(self, source_name: str) -> str:
        """Everything but the bytes that shapes a document of a source."""
        if source_name not in self._known:
            digest = self._collection.embedder.digest
            self._known[source_name] = recipe_of(self._collection.config, source_name, digest)
        return self._known[source_name]

    def outcome(self, source: Source, kind: str, detail: str) -> Outcome:
        """What became of a source, as it is now."""
        return Outcome(kind, detail, source.digest, self.of(source.source_name))


class Discovery:
    """Asks the sources of one run. `served` is the active release, `base` the same if this embedder made it."""

    def __init__(
        self,
        collection: Collection,
        state: RunState,
        recipes: Recipes,
        *,
        served: Release | None,
        base: Release | None,
        allow_empty: bool = False,
    ) -> None:
        self._collection, self._state, self._recipes = collection, state, recipes
        self._served, self._base = served, base
        self._allow_empty = allow_empty
        self._found = self._waiting = self._reused = 0
        self._failed: dict[str, SourceError] = {}
        self._kept: set[str] = set()

    def run(self, sources: Sequence[SourceConfig]) -> Inventory:
        """Ask every source. Raises `SourceError` when all fail, or when what one had can't be taken over."""
        today = datetime.now(UTC).date()
        for config in sources:
            try:
                self._ask(config, self._refusal(config, today))
            except SourceError as exc:
                self._fail(config.source_name, exc)
        failed = {name: self._reason(name, exc) for name, exc in self._failed.items()}
        if failed and len(failed) == len(sources):
            raise _all_failed(failed)
        self._check_kept()
        kept = frozenset({*self._failed, *self._kept})
        return Inventory(self._found, self._waiting, self._reused, failed, kept)

    def _ask(self, config: SourceConfig, refusal: str | None) -> None:
        name = config.source_name
        validators = self._validators(name)
        found = readable = 0
        for part in slices(discover(config, self._collection.base, validators)):
            with self._state.batch():
                for item in part:
                    source, reason = item if isinstance(item, tuple) else (item, None)
                    self._take(source, reason, refusal, validators)
                    found, readable = found + 1, readable + (reason is None)
        self._found += found
        if not found and not self._allow_empty and self._had_documents(name):
            raise EmptySourceError(f"No text was found in {name!r}.")
        if not readable and found:
            # A site whose first page fails shows none of the pages below it.
            self._kept.add(name)

    def _fail(self, source_name: str, exc: SourceError) -> None:
        is_allowed = self._allow_empty and isinstance(exc, EmptySourceError)
        if not is_allowed or not self._had_documents(source_name):
            self._failed[source_name] = exc

    def _had_documents(self, source_name: str) -> bool:
        if self._served is None:
            return False
        return next(self._served.documents.ids("source_name = ?", (source_name,)), None) is not None

    def _reason(self, source_name: str, exc: SourceError) -> str:
        if not self._had_documents(source_name):
            return str(exc)
        return f"{exc} {_REMEDY if isinstance(exc, EmptySourceError) else _STAYS}"

    def _check_kept(self) -> None:
        """Nothing of a release can be taken over that another embedder made or that can't be read."""
        if self._base is not None or active_id(self._collection.folder) is None:
            return
        lost = [name for name in self._failed if self._served is None or self._had_documents(name)]
        if lost:
            raise SourceError(
                f"Every document must be made anew, and those of {lost} can't be: {self._failed[lost[0]]}"
                " Run again when they can be read, or remove the sources from the scope."
            )

    def _refusal(self, config: SourceConfig, today: date) -> str | None:
        clearance = config.clearance or self._collection.config.clearance_of(config.source_name)
        if clearance is None:
            return (
                f"No clearance is declared for {config.source_name!r}: say in the scope file who supplied it, under which"
                " licence and on what legal basis (`clearance`), for the source or for the collection."
            )
        return clearance.refusal("retrieve", today)

    # One document.

    def _take(
        self,
        source: Source,
        reason: str | None,
        refusal: str | None,
        validators: Mapping[str, tuple[str, str]],
    ) -> None:
        source, other = self._told_apart(source)
        if other is not None:
            self._note(f"{source.source_name}:{source.id}", source, "failed", same_name(other))
        elif refusal:
            self._note(source.id, source, "refused", refusal)
        elif reason:
            self._note(source.id, source, "failed", reason)
        elif validators.get(source.id, ("", ""))[1] == source.digest or not self._needs_work(source):
            self._keep(source)
        else:
            self._state.staging.queue(source)
            self._waiting += 1

    def _told_apart(self, source: Source) -> tuple[Source, str | None]:
        """The source, under an id with its source's name where another source has the id or had it first.

        An id that was given stays, whichever source comes first. With it comes the source that has the new id too, if any.
        """
        name, see = source.source_name, self._state.staging.see
        own = f"{name}/{source.id}"
        holder, had_own = self._holder_of(source.id), self._holder_of(own) == name
        is_others = holder not in (None, name) and holder in self._collection.config.sources_by_name
        if not had_own and not is_others:
            other = see(source.id, name)
            if other in (None, name):
                return source, other
        return replace(source, id=own), see(own, name)

    def _holder_of(self, document_id: str) -> str | None:
        """Of which source the document is that is served under an id."""
        facts = self._served.documents.facts(document_id) if self._served else None
        return facts[2] if facts else None

    def _note(self, key: str, source: Source, kind: str, reason: str) -> None:
        self._state.outcomes.note(key, source.source_name, self._recipes.outcome(source, kind, reason))

    def _keep(self, source: Source) -> None:
        if self._outcome(source) is None and self._is_released(source):
            self._reused += 1
            self._state.outcomes.settle(source.id)

    def _validators(self, source_name: str) -> dict[str, tuple[str, str]]:
        """Validators of pages that need no work unless they changed.

        Whoever sends one gets no body when the page is the same, so nothing else may ask for the body.
        """
        known = self._state.outcomes.validators(source_name)
        return {
            document_id: (validator, digest)
            for document_id, (validator, digest) in known.items()
            if not self._needs_work(Source(document_id, "", digest, 0, source_name))
        }

    def _needs_work(self, source: Source) -> bool:
        outcome = self._outcome(source)
        if outcome is not None:
            return self._is_open(source, outcome)
        made = (source.digest, self._recipes.of(source.source_name))
        return not self._is_released(source) and self._state.staging.finished(source.id) != made

    def _outcome(self, source: Source) -> Outcome | None:
        """What became of these very bytes under today's recipe."""
        outcome = self._state.outcomes.get(source.id)
        if outcome and outcome.kind == REMOVED and outcome.digest == source.digest:
            return outcome  # whatever the recipe: a person took it out
        made = (source.digest, self._recipes.of(source.source_name))
        return outcome if outcome and (outcome.digest, outcome.recipe) == made else None

    def _is_open(self, source: Source, outcome: Outcome) -> bool:
        """Whether an outcome may be another one now, though neither the source nor the recipe has changed."""
        if outcome.kind == "copy":
            return not self._is_there(outcome.detail)
        if outcome.kind == "held":
            return self._state.quarantine.is_approved(source.id)
        # A source that was refused may have been cleared since.
        return outcome.kind == "refused"

    def _is_released(self, source: Source) -> bool:
        if self._base is None:
            return False
        made = (source.digest, self._recipes.of(source.source_name), source.source_name)
        return self._base.documents.facts(source.id) == made

    def _is_there(self, document_id: str) -> bool:
        if self._base is None or not self._state.staging.has_seen(document_id):
            return False
        return self._base.documents.holder(document_id) is not None


def slices(found: Iterable[Found]) -> Iterator[list[Found]]:
    """What a source has, some at a time, bounded in number and in the bytes that come with it."""
    part: list[Found] = []
    size = 0
    for item in found:
        source = item[0] if isinstance(item, tuple) else item
        part.append(item)
        size += len(source.data or b"")
        if len(part) == _AT_ONCE or size >= _BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def same_name(other: str) -> str:
    """Why a document is left out whose id another source has."""
    return f"The source {other!r} holds a document of the same name."


def _all_failed(failed: Mapping[str, str]) -> SourceError:
    if len(failed) == 1:
        return SourceError(*failed.values())
    reasons = " ".join(f"{name!r}: {reason}" for name, reason in failed.items())
    return SourceError(f"None of the {len(failed)} sources can be read, so no release was made. {reasons}")
