"""Makes the dataset of a recipe: from cleared documents, curated answers, feedback and files, screened, with its shares."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine

from finetune.lora.document_rows import DocumentRowMaker
from finetune.lora.leaks import read_cases
from finetune.lora.licences import by_licence, decide
from finetune.lora.passages import SPARE, Cleared, Passages, cleared_documents, is_development
from finetune.lora.people_rows import PeopleRowMaker
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Dataset, Row, Source, row_of, write_dataset
from finetune.lora.screens import Screened, open_screens, still_allowed
from finetune.lora.written import folded, read_written
from finetune.yaml_file import TrainingDataError
from ingestion.corpus import Chunk
from ingestion.embed import load_embedder
from ingestion.releases.release import Release, collection_folder, open_active
from ingestion.scrub import Scrubber
from service.answer.prompts import load_prompt
from service.database import open_database
from service.feedback.curated.store import read_all
from service.feedback.dataset import dataset_rows
from service.scope import Scope, load_scope
from service.settings import Settings

# Fewer rows than this teach a model their own words.
_LEAST_ROWS = 20


@dataclass(frozen=True)
class Workshop:
    """What rows are made with: the recipe, the scope file, the active release of the assistant's collection."""

    recipe: Recipe
    settings: Settings
    scope: Scope
    release: Release
    passages: Passages
    cleared: Cleared
    today: date

    @property
    def collection(self) -> str:
        """That of the assistant."""
        return self.scope.assistants[self.recipe.assistant].collection


def prepare(recipe: Recipe, settings: Settings, *, today: date | None = None) -> Dataset:
    """Make, screen and write the rows; the same input gives the same bytes.

    Raises `TrainingDataError` for a recipe that doesn't fit the scope, a licence that isn't allowed, and too few rows.
    """
    shop = _open(recipe, settings, today or datetime.now(UTC).date())
    refused: Counter[str] = Counter(shop.cleared.refused)
    drawn = list(_drawn(shop, refused))
    screened = _screened(shop, drawn)
    rows, parted = _parted(screened.rows)
    refused.update(screened.refused)
    refused.update(parted)
    if len(rows) < _LEAST_ROWS:
        raise TrainingDataError(
            f"There are {len(rows)} rows to learn from, and {_LEAST_ROWS} are too few already. Of what was looked at this"
            f" was refused: {dict(refused)}. Clear documents for `train`, or name `data.files`."
        )
    licences = decide(recipe, by_licence(rows))
    licences.check()
    facts: dict[str, Any] = {
        "recipe": recipe.digest,
        "release": shop.release.manifest.id,
        "prompt": {"name": recipe.prompt, "digest": load_prompt(recipe.prompt).digest},
        "shares": shares_of(rows),
        "refused": dict(sorted(refused.items())),
        "licences": licences.record(),
    }
    folder = settings.data_dir / "finetune" / recipe.name / "datasets"
    return write_dataset(folder, rows, name=f"{recipe.name}-rows", licence=licences.adapter, facts=facts)


def _open(recipe: Recipe, settings: Settings, today: date) -> Workshop:
    scope = load_scope(settings.scope_file)
    assistant = scope.assistants.get(recipe.assistant)
    if assistant is None:
        raise TrainingDataError(
            f"The scope has no assistant {recipe.assistant!r}. Name one of {sorted(scope.assistants)} in the recipe."
        )
    config = scope.collections[assistant.collection]
    release = open_active(collection_folder(settings.data_dir, assistant.collection))
    # Neighbours stay apart: what is left out of a set must not come back joined to one that is in it.
    retrieval = scope.variants[assistant.variant].retrieval.model_copy(
        update={"top_k": recipe.data.documents.passages + SPARE, "join": False}
    )
    embedder = load_embedder(config.embedder, threads=settings.embed_threads)
    return Workshop(
        recipe,
        settings,
        scope,
        release,
        Passages(release, embedder, retrieval),
        cleared_documents(release, config, recipe.data.documents.languages, today),
        today,
    )


def _drawn(shop: Workshop, refused: Counter[str]) -> Iterator[Row]:
    data = shop.recipe.data
    if shop.recipe.training.method == "text":
        yield from _texts(shop)
        return
    engine = open_database(shop.settings.database())
    if shop.recipe.training.method == "sft":
        yield from _of_documents(shop, refused)
    yield from _of_people(shop, engine, refused)
    engine.dispose()
    for name in data.files:
        yield from _of_file(Path(name))


def _of_documents(shop: Workshop, refused: Counter[str]) -> Iterator[Row]:
    data, seed = shop.recipe.data, shop.recipe.seed
    sources = shop.cleared.sources
    measured = {one for one in sources if is_development(one, data.development, seed)}
    maker = DocumentRowMaker(
        shop.passages,
        load_prompt(shop.recipe.prompt),
        data.documents,
        _passages_of(data.keep_out),
        seed,
        read_written(data.documents.questions_from),
    )
    if unmet := maker.unmet(sources):
        refused["about a sentence of no document"] = unmet
    learned = {one: source for one, source in sources.items() if one not in measured}
    yield from maker.rows("train", learned, learned, data.documents.contexts)
    held = {one: sources[one] for one in measured}
    # Those that measure are found among all: what distracts a model there needn't be unknown to it.
    yield from maker.rows("development", held, sources, round(data.documents.contexts * data.development))


def _of_people(shop: Workshop, engine: Engine, refused: Counter[str]) -> Iterator[Row]:
    data, recipe = shop.recipe.data, shop.recipe
    maker = PeopleRowMaker(
        shop.passages,
        load_prompt(recipe.prompt),
        shop.cleared.sources,
        data.development,
        data.documents.passages,
        recipe.seed,
    )
    if data.curated and recipe.training.method == "sft":
        mine = [one for one in read_all(engine) if one.text.assistant == recipe.assistant]
        yield from maker.of_curated(mine, datetime.now(UTC))
    if data.feedback:
        judged = [one for one in dataset_rows(engine) if one.collection == shop.collection]
        yield from maker.of_feedback(judged, recipe.training.method)
    refused.update(maker.refused)


def _of_file(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise TrainingDataError(f"The file of rows {str(path)!r} can't be read: {exc.strerror}.") from exc
    for number, line in enumerate(lines, start=1):
        try:
            yield row_of(orjson.loads(line))
        except (orjson.JSONDecodeError, TypeError, TrainingDataError) as exc:
            raise TrainingDataError(f"Line {number} of {str(path)!r} is no row: {exc}") from exc


def _texts(shop: Workshop) -> Iterator[Row]:
    """Whole documents, section after section, for continued pre-training."""
    by_document: dict[str, list[Chunk]] = {}
    for chunk in shop.passages.chunks(shop.cleared.sources):
        by_document.setdefault(chunk.document_id, []).append(chunk)
    for document, chunks in by_document.items():
        source: Source = shop.cleared.sources[document]
        is_held = is_development(document, shop.recipe.data.development, shop.recipe.seed)
        text = "\n\n".join(chunk.embedded_text for chunk in chunks)
        yield Row("text", document, (), text, (source,), split="development" if is_held else "train")


def _passages_of(paths: Sequence[str]) -> list[str]:
    """What answers the evaluation cases, folded: no row is made from it."""
    read_cases([Path(path) for path in paths])  # says which line is none
    found = []
    for path in paths:
        for line in Path(path).read_bytes().splitlines():
            passage = orjson.loads(line).get("passage") if line.strip() else None
            if isinstance(passage, str) and passage.strip():
                found.append(folded(passage))
    return found


def _screened(shop: Workshop, rows: Sequence[Row]) -> Screened:
    config = shop.scope.collections[shop.collection]
    cases = read_cases([Path(path) for path in shop.recipe.data.keep_out])
    screens = open_screens(Scrubber(config.pii), cases, threads=shop.settings.embed_threads)
    allowed = still_allowed(rows, today=shop.today)
    found = screens.screen(allowed.rows)
    return Screened(found.rows, {**allowed.refused, **found.refused}, found.personal_data)


def _parted(rows: Sequence[Row]) -> tuple[list[Row], dict[str, int]]:
    """Rows of which none asks in training what another asks in measuring."""
    measured = {row.question.casefold() for row in rows if row.split == "development" and row.question}
    kept = [row for row in rows if row.split == "development" or row.question.casefold() not in measured]
    lost = len(rows) - len(kept)
    return kept, {"asked on the development side too": lost} if lost else {}


def shares_of(rows: Sequence[Row]) -> dict[str, Any]:
    """What a dataset is made of: rows by split and kind, shares of answerable ones, the places of gold passages."""
    asked = [row for row in rows if row.kind != "text"]
    places = Counter(str(row.gold) for row in asked if row.gold is not None)
    gold = sum(places.values())
    return {
        "rows": dict(sorted(Counter(row.split for row in rows).items())),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
        "groups": len({row.group for row in rows}),
        "sources": dict(sorted(Counter(s.kind for s in {s for row in rows for s in row.sources}).items())),
        "answerable": round(sum(row.is_answerable for row in asked) / len(asked), 4) if asked else None,
        "gold_place": {place: round(count / gold, 4) for place, count in sorted(places.items())},
        "words_of_answers": round(sum(len(row.completion.split()) for row in asked) / len(asked), 1)
        if asked
        else None,
    }


def told(dataset: Dataset) -> str:
    """A dataset in a few lines, for the one who made it."""
    shares, refused = dataset.artifact.facts["shares"], dataset.artifact.facts["refused"]
    return "\n".join(
        (
            str(dataset.artifact.folder),
            f"  rows {shares['rows']}, kinds {shares['kinds']}, sets and conversations {shares['groups']}",
            f"  answerable {shares['answerable']}, place of the gold passage {shares['gold_place']}",
            f"  refused {refused}",
        )
    )
