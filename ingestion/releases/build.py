"""Make a release from another: what is added, what goes, and which segments are written anew."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from heapq import merge
from pathlib import Path
from typing import Literal

import numpy as np

from ingestion.atomic import sync, write_atomically
from ingestion.errors import ReleaseError, StateError
from ingestion.index import OTHER
from ingestion.index.ivf import build_ivf, link_ivf
from ingestion.index.segment import (
    Entry,
    Segment,
    SegmentWriter,
    file_digests,
    read_segment_manifest,
    sizes_of,
)
from ingestion.releases.release import (
    FORMAT,
    Manifest,
    Release,
    releases,
)

_MODULUS = 1 << 256
_TIER = 8
# An IVF index is made anew when so many times its rows are there; until then the new ones are searched exactly.
_GROWTH = 1.25
# Segments above this are merged by runs alone: it takes seconds, which an upload must not.
_UPLOAD_MERGES_ROWS = 16_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What shapes every document of a release."""

    digest: str
    embedder: str
    embedder_name: str
    embedder_digest: str
    dimension: int
    languages: tuple[str, ...]
    kind: Literal["auto", "exact", "ivf"] = "auto"


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a release. The rows of added entries are given here, whatever they say."""

    added: Iterable[Entry]
    removed: Sequence[str] = ()
    origin: str = "run"


def build_release(
    folder: Path, collection: str, base: Release | None, change: Change, recipe: Recipe
) -> Release:
    """Write a release below `folder` and validate it. It is not active yet.

    Documents that are added replace those of the same id. Without a base, or with one of another
    embedder, only what is added is in it. Raises `StateError` when it can't be written or what was written can't be
    read back; nothing is left behind then.
    """
    if base is not None and base.manifest.embedder_digest != recipe.embedder_digest:
        base = None
    number = _next_number(folder)
    created = datetime.now(UTC)
    release_folder = folder / "releases" / f"{created:%Y%m%dT%H%M%S}-{number:06d}"
    release_folder.mkdir(parents=True)
    work = _Work(folder, release_folder, base, recipe, is_upload=change.origin != "run")
    try:
        work.apply(change)
        manifest = work.manifest(collection, number, created, change.origin)
        write_atomically(release_folder / "manifest.json", json.dumps(asdict(manifest), indent=1))
        return _read_back(release_folder, base)
    except BaseException:
        work.abandon()
        raise


def _read_back(release_folder: Path, base: Release | None) -> Release:
    """The release as it lies on the disk: not every library says so when it can't write a file to its end."""
    try:
        release = Release(release_folder, like=base)
        release.check()
    except ReleaseError as exc:
        raise StateError(
            f"The release that was written can't be read back. Check the disk's space and rights. {exc}"
        ) from exc
    return release


def _next_number(folder: Path) -> int:
    """Above every number that is taken, also by releases that this version can't read: they must not be replaced."""
    numbers = [manifest.number for manifest in releases(folder)]
    for path in (folder / "releases").glob("*-*"):
        last = path.name.rpartition("-")[2]
        numbers += [int(last)] if last.isdecimal() else []
    return 1 + max(numbers, default=0)


class _Work:
    """A release in the making."""

    def __init__(
        self, folder: Path, release_folder: Path, base: Release | None, recipe: Recipe, *, is_upload: bool
    ) -> None:
        self._release_folder = release_folder
        self._base = base
        self._recipe = recipe
        self._is_upload = is_upload
        self._languages = tuple(sorted({*recipe.languages, OTHER}))
        self._segments = SegmentWriter(folder, self._languages)
        self._folder = folder
        self._dead = set(base.dead.tolist()) if base else set()
        self._gone: set[str] = set()
        self._next_row = base.manifest.next_row if base else 0
        self._total = int(base.manifest.total, 16) if base else 0
        self._documents = base.manifest.documents if base else 0
        self._chunks = base.manifest.chunks if base else 0
        self._pii_policies = Counter(base.manifest.pii_policies if base else {})
        self._kept: list[Segment] = []

    def apply(self, change: Change) -> None:
        """Remove, add, and merge small segments."""
        for document_id in change.removed:
            self._remove(document_id)
        added = self._added(change.added)
        merged = self._merged()
        first = next(added, None)
        # Merged rows are older than added ones, so together they ascend.
        for entry in merged:
            self._segments.add(entry)
        # A document that is replaced may be among the merged ones, and a segment holds each id once.
        self._segments.flush()
        while first is not None:
            self._segments.add(first)
            first = next(added, None)
        self._segments.flush()
        self._ivf = self._index()
        np.save(self._release_folder / "dead.npy", np.array(sorted(self._dead), dtype=np.int64))
        sync(self._release_folder / "dead.npy")

    def _remove(self, document_id: str) -> None:
        holder = self._base.documents.holder(document_id) if self._base else None
        document = holder.texts.document(document_id) if holder else None
        if holder is None or document is None:
            return
        # Rows of a segment that was written anew are no longer dead, so they can't tell that it went before.
        if document_id in self._gone:
            return
        self._gone.add(document_id)
        entry = holder.entry(document)
        self._dead.update(entry.rows)
        self._count(entry, -1)

    def _count(self, entry: Entry, sign: int) -> None:
        self._total = (self._total + sign * entry.digest) % _MODULUS
        self._documents += sign
        self._chunks += sign * len(entry.chunks)
        self._pii_policies[entry.document.pii_policy] += sign

    def _added(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self._remove(entry.document.id)
            rows = tuple(range(self._next_row, self._next_row + len(entry.chunks)))
            self._next_row += len(rows)
            self._count(entry, 1)
            yield replace(entry, rows=rows)

    def _merged(self) -> Iterator[Entry]:
        """Living entries of the segments that are written anew, by row."""
        segments = list(self._base.segments) if self._base else []
        covered = self._base.ivf.segments if self._base and self._base.ivf else 0
        chosen = _to_merge(segments, self._dead, 0 if not self._is_upload else covered, self._is_upload)
        self._kept = [segment for segment in segments if segment not in chosen]
        living = (
            (entry for entry in segment.entries() if entry.rows[0] not in self._dead) for segment in chosen
        )
        yield from merge(*living, key=lambda entry: entry.rows[0])
        for segment in chosen:
            self._dead.difference_update(segment.rows.tolist())

    def _names(self) -> tuple[str, ...]:
        return (*(segment.id for segment in self._kept), *self._segments.written)

    def _index(self) -> bool:
        """Take over the base's IVF index while it fits, or make one; whether there is one."""
        base = self._base.ivf if self._base else None
        if base is not None and self._base is not None:
            fits = self._names()[: base.segments] == self._base.manifest.segments[: base.segments]
            rows = sum(read_segment_manifest(self._folder / "segments" / name).rows for name in self._names())
            if fits and (self._is_upload or rows <= base.rows * _GROWTH):
                link_ivf(self._base.folder, self._release_folder)
                return True
        if self._is_upload:
            return False
        return build_ivf(self._folder, self._release_folder, self._names(), self._recipe.kind)

    def manifest(self, collection: str, number: int, created: datetime, origin: str) -> Manifest:
        """The manifest of what was written."""
        recipe = self._recipe
        total = f"{self._total:064x}"
        base = self._base.manifest if self._base else None
        before = (self._base.folder, base.files) if self._base and base else (None, None)
        files = file_digests(self._release_folder, *before)
        return Manifest(
            id=self._release_folder.name,
            number=number,
            parent=base.id if base else None,
            origin=origin,
            collection=collection,
            format=FORMAT,
            digest=sha256(f"{recipe.digest}{total}".encode()).hexdigest(),
            total=total,
            recipe=recipe.digest,
            created_at=created.isoformat(),
            embedder=recipe.embedder,
            embedder_name=recipe.embedder_name,
            embedder_digest=recipe.embedder_digest,
            dimension=recipe.dimension,
            kind="ivf" if self._ivf else "exact",
            documents=self._documents,
            chunks=self._chunks,
            next_row=self._next_row,
            languages=self._languages,
            segments=self._names(),
            files=files,
            sizes=sizes_of(self._release_folder, files),
            pii_policies=dict(sorted((+self._pii_policies).items())),
        )

    def abandon(self) -> None:
        """Remove whatever was written."""
        self._segments.abandon()
        shutil.rmtree(self._release_folder, ignore_errors=True)


def _to_merge(segments: Sequence[Segment], dead: set[int], covered: int, is_upload: bool) -> list[Segment]:
    """Segments to write anew: half dead ones, and eight of like size together (O'Neil et al. 1996, LSM).

    So each chunk is written again once for every factor of eight that the collection grows by. The first
    `covered` stay, since an IVF index refers to them.
    """
    chosen = []
    tiers: dict[int, list[Segment]] = {}
    for segment in segments[covered:]:
        rows = len(segment.rows)
        if is_upload and rows > _UPLOAD_MERGES_ROWS:
            continue
        if np.isin(segment.rows, list(dead)).sum() * 2 > rows:
            chosen.append(segment)
        else:
            tiers.setdefault(len(f"{rows:o}"), []).append(segment)
    for tier in tiers.values():
        if len(tier) >= _TIER:
            chosen += tier
    return chosen
