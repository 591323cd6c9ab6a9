"""The rows that an adapter learns from, and their dataset: content-addressed, in order, each with where it came from."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from finetune.lora.recipe import Method
from finetune.yaml_file import TrainingDataError
from ingestion.artifact import Artifact, open_artifact, written_artifact
from ingestion.errors import EmbedderError
from service.answer.prompts import Wire

ROWS = "rows.jsonl"
_REBUILD = "touchstone finetune prepare RECIPE"


@dataclass(frozen=True, slots=True)
class Source:
    """What a row was made from: a document, a curated answer, a feedback event, a file of rows or of questions, by its id.

    `digest` is that of its content; a document has its clearance's supplier, licence and expiry (an ISO date or None).
    """

    kind: Literal["document", "curated", "event", "file", "questions"]
    id: str
    digest: str = ""
    supplier: str = ""
    licence: str = ""
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `messages` are told as serving tells them, and `completion` is what is to be said then.

    Rows of one `group` (a document, a conversation) are on one side of the split. `rejected` is the worse answer of a
    `dpo` row; `is_good` is the judgement of a `kto` row. A `text` row has no messages. `cited` are the numbers of the
    passages that the completion names, `gold` that of the one that holds the answer.
    """

    kind: Method
    group: str
    messages: tuple[Wire, ...]
    completion: str
    sources: tuple[Source, ...]
    split: Literal["train", "development"] = "train"
    question: str = ""
    is_answerable: bool = True
    gold: int | None = None
    rejected: str | None = None
    is_good: bool | None = None
    weight: float = 1.0

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of its content, whatever the split."""
        return hashlib.sha256(orjson.dumps(asdict(replace(self, split="train")))).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows in their order, with the artefact that holds them."""

    artifact: Artifact
    rows: tuple[Row, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of its rows, whose first 12 digits name its folder."""
        return self.artifact.files[ROWS]

    def of(self, split: Literal["train", "development"], kind: Method | None = None) -> list[Row]:
        """Those of a split, and of a kind."""
        return [row for row in self.rows if row.split == split and kind in (None, row.kind)]


def write_dataset(
    folder: Path, rows: Iterable[Row], *, name: str, licence: str, facts: Mapping[str, Any]
) -> Dataset:
    """Write rows in the order of their ids below `folder`, in a folder named by their digest; one that is there stays.

    `facts` goes into the manifest: shares, what was refused and why, the recipe's digest.
    """
    ordered = sorted(rows, key=lambda row: row.id)
    data = b"".join(orjson.dumps(asdict(row)) + b"\n" for row in ordered)
    place = folder / hashlib.sha256(data).hexdigest()[:12]
    if not place.is_dir():
        with written_artifact(
            place, [ROWS], name=name, licence=licence, rebuild=_REBUILD, facts=facts
        ) as work:
            (work / ROWS).write_bytes(data)
    return open_dataset(place)


def open_dataset(folder: Path) -> Dataset:
    """The dataset in a folder, verified. Raises `TrainingDataError`."""
    try:
        artifact = open_artifact(folder, rebuild=_REBUILD)
    except EmbedderError as exc:
        raise TrainingDataError(str(exc)) from exc
    rows = (row_of(orjson.loads(line)) for line in (folder / ROWS).read_bytes().splitlines())
    return Dataset(artifact, tuple(rows))


def row_of(raw: Mapping[str, Any]) -> Row:
    """A row as it was written. Raises `TrainingDataError` for another form."""
    try:
        sources = tuple(Source(**one) for one in raw["sources"])
        return Row(**{**raw, "messages": tuple(raw["messages"]), "sources": sources})
    except (TypeError, KeyError) as exc:
        raise TrainingDataError(
            f"A row is not in the dataset's form: {exc}. See the keys of `Row` in finetune/lora/rows.py."
        ) from exc


def licences_of(rows: Sequence[Row]) -> list[str]:
    """The licences of what the rows were made from."""
    return sorted({source.licence for row in rows for source in row.sources if source.licence})
