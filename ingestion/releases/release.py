"""Index releases: immutable versions of a collection, and the pointer to the active one.

<data>/collections/<name>/segments/<id>/   documents, chunks, vectors and words; shared between releases
<data>/collections/<name>/releases/<id>/   the rows that are dead, the IVF index of a large one, manifest.json last
<data>/collections/<name>/active           the id of the active release, replaced atomically
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.atomic import write_atomically
from ingestion.corpus import Chunk
from ingestion.errors import ReleaseError
from ingestion.index.gpu import on_gpu
from ingestion.index.ivf import IvfIndex, open_ivf
from ingestion.index.segment import (
    REMEDY,
    Rows,
    Segment,
    check_sizes,
    file_digests,
    read_segment_manifest,
)
from ingestion.releases.candidates import LocalIndex, Searcher
from ingestion.releases.documents import ReleaseDocuments

FORMAT = 4
# What was measured before it was activated; not part of what the manifest vouches for.
VALIDATION = "validation.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release is made of. `digest` covers the content, not the moment or the machine.

    `number` grows with every release of the collection; `parent` is the release it was made from;
    `total` is the sum of the numbers of its entries; `origin` is `run`, `upload` or `withdraw`. `embedder`
    is what the scope file calls the model; `kind` is how vectors are searched, `exact` or `ivf`. `pii_policies`
    counts documents by the digest of the policy for personal data that they were scrubbed under.
    """

    id: str
    number: int
    parent: str | None
    origin: str
    collection: str
    format: int
    digest: str
    total: str
    recipe: str
    created_at: str
    embedder: str
    embedder_name: str
    embedder_digest: str
    dimension: int
    kind: str
    documents: int
    chunks: int
    next_row: int
    languages: tuple[str, ...]
    segments: tuple[str, ...]
    files: dict[str, str]
    pii_policies: dict[str, int]
    sizes: dict[str, int] = field(default_factory=dict)


def collection_folder(data_dir: Path, collection: str) -> Path:
    """Where a collection keeps its segments, releases, runs and locks."""
    return data_dir / "collections" / collection


class Release:
    """An open release. Closed when nobody refers to it any more; segments that `like` has open are shared.

    Raises `ReleaseError` for one that is damaged as far as sizes, counts and dimensions show it.
    """

    def __init__(self, release_folder: Path, like: "Release | None" = None) -> None:
        self.manifest = read_manifest(release_folder)
        self.folder = release_folder
        try:
            self._open(release_folder, like)
        except ReleaseError:
            raise
        except Exception as exc:
            # What a damaged file makes a reader raise is without end: it must not take other collections down.
            raise ReleaseError(
                f"The release {release_folder.name!r} is damaged: {type(exc).__name__}. {REMEDY}"
            ) from exc

    def _open(self, release_folder: Path, like: "Release | None") -> None:
        check_sizes(release_folder, self.manifest.files, self.manifest.sizes)
        have: dict[str, Segment] = {segment.id: segment for segment in like.segments} if like else {}
        root = release_folder.parent.parent / "segments"
        self.segments: tuple[Segment, ...] = tuple(
            have.get(name) or Segment(root / name) for name in self.manifest.segments
        )
        self.dead = _read_dead(release_folder)
        self.documents = ReleaseDocuments(self.segments, self.dead)
        before = like.ivf if like else None
        self.ivf: IvfIndex | None = open_ivf(release_folder, before)
        if self.ivf is not None:
            covered = [segment.dense for segment in self.segments[: self.ivf.segments]]
            self.ivf = on_gpu(self.ivf, covered, before)
        self.index = LocalIndex(
            self.segments, self.dead, self.manifest.languages, self.manifest.dimension, self.ivf
        )
        self.searcher: Searcher = self.index

    def chunks(self, positions: npt.NDArray[np.int64]) -> list[Chunk]:
        """The chunks at some positions, in the order asked for."""
        return self.documents.chunks(self.index.rows(positions))

    def check(self) -> None:
        """Raise `ReleaseError` unless counts and dimension agree with the manifest."""
        rows = sum(len(segment.rows) for segment in self.segments) - len(self.dead)
        dimensions = {segment.dense.dimension for segment in self.segments} | {self.manifest.dimension}
        if rows != self.manifest.chunks or len(dimensions) > 1:
            raise ReleaseError(f"Release {self.manifest.id!r} disagrees with its manifest.")


def _read_dead(release_folder: Path) -> Rows:
    try:
        dead: Rows = np.load(release_folder / "dead.npy")
    except (OSError, ValueError) as exc:
        raise ReleaseError(f"Release {release_folder.name!r} has no readable list of dead rows.") from exc
    return dead


def read_manifest(release_folder: Path) -> Manifest:
    """Raises `ReleaseError` when the release is incomplete or of another format."""
    try:
        raw = json.loads((release_folder / "manifest.json").read_text("utf-8"))
        found = raw["format"]
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise ReleaseError(f"Release {release_folder.name!r} has no readable manifest.") from exc
    if found != FORMAT:
        raise ReleaseError(
            f"Release {release_folder.name!r} has format {found}, this version reads {FORMAT}. Run the ingestion again."
        )
    try:
        lists = {name: tuple(raw[name]) for name in ("languages", "segments")}
        return Manifest(**{**raw, **lists})
    except (TypeError, KeyError) as exc:
        raise ReleaseError(f"Release {release_folder.name!r} has no readable manifest.") from exc


def verify(release_folder: Path) -> list[str]:
    """Names of files whose content differs from the manifests; empty when all is well."""
    manifest = read_manifest(release_folder)
    bad = _differing(release_folder, manifest.files)
    for name in manifest.segments:
        segment = release_folder.parent.parent / "segments" / name
        try:
            files = read_segment_manifest(segment).files
        except ReleaseError:
            bad.append(f"segments/{name}/manifest.json")
        else:
            bad += [f"segments/{name}/{file}" for file in _differing(segment, files)]
    return bad


def _differing(release_folder: Path, files: dict[str, str]) -> list[str]:
    found = file_digests(release_folder)
    found.pop(VALIDATION, None)
    return sorted(name for name in set(files) | set(found) if files.get(name) != found.get(name))


def releases(folder: Path) -> list[Manifest]:
    """Complete releases of a collection, the newest first."""
    release_folder = folder / "releases"
    found = []
    for path in release_folder.iterdir() if release_folder.is_dir() else ():
        try:
            found.append(read_manifest(path))
        except ReleaseError:
            continue
    return sorted(found, key=lambda manifest: -manifest.number)


def active_id(folder: Path) -> str | None:
    """The id of the active release, or None before the first."""
    try:
        return (folder / "active").read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise ReleaseError(
            f"The pointer {str(folder / 'active')!r} can't be read. Run: touchstone ingestion activate ID."
        ) from exc


def open_active(folder: Path, like: Release | None = None) -> Release:
    """The active release. Raises `ReleaseError` when there is none or it is damaged."""
    current = active_id(folder)
    if current is None:
        raise ReleaseError(
            f"The collection {folder.name!r} has no active release. Run: touchstone ingestion run."
        )
    release = Release(folder / "releases" / current, like)
    release.check()
    return release


def problems_of(release_folder: Path) -> list[str]:
    """What validation found wrong with a release; nothing for one that wasn't validated."""
    try:
        return list(json.loads((release_folder / VALIDATION).read_text("utf-8"))["problems"])
    except (OSError, ValueError, KeyError):
        return []


def state_of(folder: Path, manifest: Manifest, active: str | None) -> str:
    """`active`, `valid`, `refused` by validation, or `retired`: older than the active one."""
    if manifest.id == active:
        return "active"
    if problems_of(folder / "releases" / manifest.id):
        return "refused"
    newer = [m.number for m in releases(folder) if m.id == active]
    return "retired" if newer and manifest.number < newer[0] else "valid"


def activate(folder: Path, release_id: str, *, force: bool = False) -> Manifest:
    """Make a complete release the active one, atomically. Raises `ReleaseError`.

    One that failed its validation is activated only with `force`.
    """
    release_folder = folder / "releases" / release_id
    if Path(release_id).name != release_id or not release_folder.is_dir():
        known = [manifest.id for manifest in releases(folder)]
        raise ReleaseError(f"No release {release_id!r} in {folder.name!r}. There are {known}.")
    problems = problems_of(release_folder)
    if problems and not force:
        raise ReleaseError(f"Release {release_id!r} failed its validation: {' '.join(problems)} Use --force.")
    Release(release_folder).check()
    point_to(folder, release_id)
    return read_manifest(release_folder)


def point_to(folder: Path, release_id: str) -> None:
    """Replace the pointer. The release must have been checked."""
    write_atomically(folder / "active", release_id + "\n")


def roll_back(folder: Path) -> Manifest:
    """Activate the release that the active one was made from. Raises `ReleaseError`.

    If that is gone, the newest that is older.
    """
    current = active_id(folder)
    known = {manifest.id: manifest for manifest in releases(folder)}
    now = known.get(current or "")
    if now is not None and now.parent in known:
        return activate(folder, now.parent)
    older = [m.id for m in known.values() if now is not None and m.number < now.number]
    if not older:
        raise ReleaseError(f"The collection {folder.name!r} has no release before {current!r}.")
    return activate(folder, older[0])
