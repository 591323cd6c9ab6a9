"""Segments: immutable folders of documents, chunks and vectors. Releases are made of them and share them.

<data>/collections/<name>/segments/<id>/   texts.sqlite, vectors, words, tokens, rows.npy, and manifest.json last

Every chunk has a row number that no other chunk of its release has, and keeps it when segments are merged.
Its position is its place within the segment.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ingestion.atomic import sync, write_atomically
from ingestion.cache import LruCache
from ingestion.columns import Column, column_of
from ingestion.corpus import Chunk, Document
from ingestion.embed.values import NO_CODES, Codes
from ingestion.errors import ReleaseError
from ingestion.filter import Mask, mask_of
from ingestion.index import DenseIndex, Postings, PostingsWriter, TokenStore, build_dense, write_tokens
from ingestion.index.texts import SegmentTexts, SegmentTextsWriter
from ingestion.view import View, may_see

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
# The vectors of a segment are in memory while it is written: 77 MB at 384 dimensions.
MAX_ROWS = 50_000
REMEDY = "Activate another release, restore the file, or run the ingestion again."
_RECENT_COLUMNS, _RECENT_MASKS = 16, 32


@dataclass(frozen=True, slots=True)
class Entry:
    """A document with its chunks, the row, vector and token codes of each, and its near-duplicate bands."""

    document: Document
    chunks: tuple[Chunk, ...]
    rows: tuple[int, ...]
    vectors: Vectors
    bands: tuple[int, ...] = ()
    codes: tuple[Codes, ...] = ()

    @property
    def digest(self) -> int:
        """A number for the entry's content; numbers of entries add up to that of a release."""
        groups = ",".join(self.document.groups)
        sha = hashlib.sha256(f"{self.document.id}\x1f{self.document.digest}\x1f{groups}".encode())
        for chunk in self.chunks:
            sha.update(chunk.id.encode())
        return int.from_bytes(sha.digest(), "big")


@dataclass(frozen=True, slots=True)
class SegmentManifest:
    """What a segment holds, and the digest and size of each of its files; segments made before have no sizes."""

    id: str
    documents: int
    rows: int
    dimension: int
    files: dict[str, str]
    sizes: dict[str, int] = field(default_factory=dict)


class SegmentWriter:
    """Collects entries and writes them as one or more segments, none above `max_rows` rows by much."""

    def __init__(self, folder: Path, languages: Sequence[str], *, max_rows: int = MAX_ROWS) -> None:
        self._folder = folder / "segments"
        self._languages = tuple(languages)
        self._max_rows = max_rows
        self._target: Path | None = None
        self._texts: SegmentTextsWriter | None = None
        self._rows: list[int] = []
        self._vectors: list[Vectors] = []
        self._codes: list[Codes] = []
        self._words = PostingsWriter(self._languages)
        self._documents = 0
        self.written: list[str] = []

    def add(self, entry: Entry) -> None:
        """Add an entry. Rows must ascend."""
        if self._texts is None:
            self._target = self._folder / uuid4().hex[:16]
            self._target.mkdir(parents=True)
            self._texts = SegmentTextsWriter(self._target)
        self._texts.add(entry.document, list(zip(entry.rows, entry.chunks, strict=True)), entry.bands)
        self._rows += entry.rows
        self._vectors.append(entry.vectors)
        self._codes += entry.codes or [NO_CODES] * len(entry.rows)
        for chunk in entry.chunks:
            self._words.add(chunk.language, chunk.embedded_text)
        self._documents += 1
        if len(self._rows) >= self._max_rows:
            self.flush()

    def flush(self) -> None:
        """Write the segment that was begun, if any."""
        if self._texts is None or self._target is None:
            return
        self._texts.close()
        vectors = np.concatenate(self._vectors)
        build_dense(self._target, vectors)
        np.save(self._target / "rows.npy", np.array(self._rows, dtype=np.int64))
        names = [*self._words.write(self._target), *write_tokens(self._target, self._codes)]
        for name in ("dense.faiss", "rows.npy", *names):
            sync(self._target / name)
        manifest = SegmentManifest(
            self._target.name,
            self._documents,
            len(self._rows),
            int(vectors.shape[1]),
            digests := file_digests(self._target),
            sizes_of(self._target, digests),
        )
        write_atomically(self._target / "manifest.json", json.dumps(asdict(manifest), indent=1))
        self.written.append(self._target.name)
        self._target, self._texts, self._rows, self._vectors, self._documents = None, None, [], [], 0
        self._codes, self._words = [], PostingsWriter(self._languages)

    def abandon(self) -> None:
        """Remove whatever was written."""
        if self._texts is not None:
            self._texts.abandon()
        for name in [*self.written, *([self._target.name] if self._target else [])]:
            shutil.rmtree(self._folder / name, ignore_errors=True)


class Segment:
    """An open segment. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.manifest = read_segment_manifest(folder)
        self.id = self.manifest.id
        check_sizes(folder, self.manifest.files, self.manifest.sizes)
        self.texts = SegmentTexts(folder)
        self.dense = DenseIndex(folder)
        try:
            self.rows: Rows = np.load(folder / "rows.npy", mmap_mode="r")
        except (OSError, ValueError) as exc:
            raise ReleaseError(f"The rows of segment {folder.name!r} cannot be read.") from exc
        sizes = {self.manifest.rows, self.dense.rows, len(self.rows)}
        if len(sizes) > 1 or self.dense.dimension != self.manifest.dimension:
            raise ReleaseError(f"Segment {folder.name!r} disagrees with its manifest.")
        self.words = Postings(folder)
        self.tokens = TokenStore(folder)
        if len(self.words.lengths) != self.manifest.rows:
            raise ReleaseError(f"The lexical index of segment {folder.name!r} is of another one. {REMEDY}")
        superseded = np.array(self.texts.superseded_rows(), dtype=np.int64)
        self._current: Mask | None = None
        if len(superseded):
            self._current = np.ones(len(self.rows), dtype=bool)
            self._current[np.searchsorted(self.rows, superseded)] = False
        self._columns: LruCache[str, Column] = LruCache(_RECENT_COLUMNS)
        self._masks: LruCache[View, Mask | None] = LruCache(_RECENT_MASKS)

    @cached_property
    def _facts(self) -> tuple[npt.NDArray[np.int64], list[list[str]], list[dict[str, object]]]:
        """The position of each document's first chunk, the document's groups, and its facts."""
        found = self.texts.facts()
        starts = np.searchsorted(self.rows, np.array([row for row, _, _ in found], dtype=np.int64))
        return starts, [groups for _, groups, _ in found], [facts for _, _, facts in found]

    @cached_property
    def _ids(self) -> list[str]:
        return self.texts.ids()

    @cached_property
    def _groups(self) -> Column:
        starts, groups, _ = self._facts
        return column_of([{"groups": one} for one in groups], "groups")

    def _column(self, field: str) -> Column:
        return self._columns.get(field, lambda name: column_of(self._facts[2], name))

    def mask(self, view: View) -> Mask | None:
        """Which positions a view shows, shape `(rows,)`; None for all of them."""
        return self._masks.get(view, self._mask)

    def _mask(self, view: View) -> Mask | None:
        found = None if view.include_superseded else self._current
        documents: Mask | None = None
        if view.groups is not None:
            groups = view.groups
            documents = self._groups.select(lambda of_document: may_see(groups, of_document))
        if view.filter is not None:
            chosen = mask_of(view.filter, self._column, len(self._facts[0]))
            documents = chosen if documents is None else documents & chosen
        if documents is None or documents.all():
            return found
        starts = self._facts[0]
        positions = np.repeat(documents, np.diff(np.append(starts, len(self.rows))))
        return positions if found is None else positions & found

    def document_ids(self, view: View) -> list[tuple[int, str]]:
        """First row and id of each document that a view shows."""
        mask = self.mask(view)
        starts = self._facts[0]
        chosen = range(len(starts)) if mask is None else np.flatnonzero(mask[starts]).tolist()
        return [(int(self.rows[starts[i]]), self._ids[i]) for i in chosen]

    def has(self, row: int) -> bool:
        """Whether a row lies in this segment."""
        position = int(np.searchsorted(self.rows, row))
        return position < len(self.rows) and int(self.rows[position]) == row

    def positions_of(self, rows: Iterable[int]) -> Rows:
        """The positions of some of its rows."""
        return np.searchsorted(self.rows, np.fromiter(rows, dtype=np.int64))

    def entry(self, document: Document) -> Entry:
        """All that the segment holds of one of its documents."""
        rows = tuple(self.texts.document_rows(document.id))
        chunks = tuple(self.texts.read(row) for row in rows)
        positions = self.positions_of(rows)
        codes = [self.tokens.take(one) for one in positions.tolist()]
        known = tuple(one for one in codes if one is not None)
        bands = tuple(self.texts.bands(document.id))
        return Entry(document, chunks, rows, self.dense.take(positions), bands, known)

    def entries(self) -> Iterator[Entry]:
        """Every entry, in the order of rows."""
        for _, document in self.texts.documents():
            yield self.entry(document)


def read_segment_manifest(folder: Path) -> SegmentManifest:
    """Raises `ReleaseError` when the segment is incomplete."""
    try:
        return SegmentManifest(**json.loads((folder / "manifest.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as exc:
        raise ReleaseError(f"Segment {folder.name!r} is missing or has no readable manifest.") from exc


def sizes_of(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """Bytes of some files of a folder."""
    return {name: (folder / name).stat().st_size for name in names}


def check_sizes(folder: Path, files: Mapping[str, str], sizes: Mapping[str, int]) -> None:
    """Raise `ReleaseError` for a file that is missing or of another size than the manifest says.

    It costs a look at each file; `verify` reads them, and finds what is damaged at its full size.
    """
    for name in files:
        try:
            found = (folder / name).stat().st_size
        except OSError as exc:
            raise ReleaseError(f"The file {str(folder / name)!r} is missing. {REMEDY}") from exc
        if sizes and found != sizes[name]:
            raise ReleaseError(
                f"The file {str(folder / name)!r} has {found} bytes, its manifest says {sizes[name]}. {REMEDY}"
            )


def file_digests(
    folder: Path, like: Path | None = None, known: dict[str, str] | None = None
) -> dict[str, str]:
    """sha256 of every file below a folder; those that are links to files of `like` are `known`."""
    # Lock files are empty and belong to the process, not to the data.
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.endswith(".lock") and name != "manifest.json":
            twin = like / name if like else None
            is_link = twin is not None and twin.is_file() and twin.samefile(path)
            found[name] = (known or {})[name] if is_link else _sha256(path)
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
