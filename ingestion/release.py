"""Index releases: immutable folders with a manifest, and the pointer to the active one.

<data>/collections/<name>/releases/<id>/   data first, manifest.json last
<data>/collections/<name>/active           the id of the active release, replaced atomically
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.corpus import Chunk, Document
from ingestion.errors import ReleaseError
from ingestion.index import DenseIndex, LexicalIndex, build_dense, build_lexical
from ingestion.store import TextStore, TextWriter

FORMAT = 1
_KEPT = 5


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release is made of. `digest` covers the content, not the moment or the machine."""

    id: str
    collection: str
    format: int
    digest: str
    recipe: str
    created_at: str
    embedder: str
    embedder_digest: str
    dimension: int
    documents: int
    chunks: int
    languages: tuple[str, ...]
    files: dict[str, str]


def collection_folder(data_dir: Path, collection: str) -> Path:
    """Where a collection keeps its releases, runs and lock."""
    return data_dir / "collections" / collection


@dataclass(frozen=True, slots=True)
class Content:
    """All that goes into a release: documents with their chunks, and a vector a chunk."""

    documents: Sequence[tuple[Document, Sequence[Chunk]]]
    vectors: npt.NDArray[np.float32]

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the documents, sorted."""
        return tuple(sorted({document.language for document, _ in self.documents}))

    def digest(self, recipe: str) -> str:
        """Of the recipe, the ids of chunks and the digests of documents."""
        sha = hashlib.sha256(recipe.encode())
        for document, chunks in self.documents:
            sha.update(document.digest.encode())
            for chunk in chunks:
                sha.update(chunk.id.encode())
        return sha.hexdigest()


def build_release(
    folder: Path, collection: str, content: Content, *, recipe: str, embedder: tuple[str, str]
) -> Manifest:
    """Write a release below `folder` and validate it. It is not active yet.

    `embedder` is its name and digest. Raises `ReleaseError` when what was written can't be read
    back; nothing is left behind then.
    """
    digest = content.digest(recipe)
    created = datetime.now(UTC)
    release_id = f"{created:%Y%m%dT%H%M%S}-{digest[:8]}"
    place = folder / "releases" / release_id
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        rows = _write_data(place, content)
        manifest = Manifest(
            id=release_id,
            collection=collection,
            format=FORMAT,
            digest=digest,
            recipe=recipe,
            created_at=created.isoformat(),
            embedder=embedder[0],
            embedder_digest=embedder[1],
            dimension=int(content.vectors.shape[1]),
            documents=len(content.documents),
            chunks=rows,
            languages=content.languages,
            files=_digests(place),
        )
        write_atomically(place / "manifest.json", json.dumps(asdict(manifest), indent=1))
        Release(place).check()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return manifest


def _write_data(place: Path, content: Content) -> int:
    writer = TextWriter(place)
    for document, chunks in content.documents:
        writer.add(document, chunks)
    writer.close()
    build_dense(place, content.vectors)
    texts = ((c.language, c.embedded_text) for _, chunks in content.documents for c in chunks)
    build_lexical(place, texts, content.languages)
    return writer.rows


def _digests(place: Path) -> dict[str, str]:
    # Lock files are empty and belong to the process, not to the data.
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old or the new one, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Release:
    """An open release: texts, dense and lexical index. Closed when nobody refers to it any more."""

    def __init__(self, place: Path) -> None:
        self.manifest = read_manifest(place)
        self.place = place
        self.texts = TextStore(place)
        self.dense = DenseIndex(place)
        self.lexical = LexicalIndex(place, self.manifest.languages)
        self.superseded = np.array(self.texts.superseded_rows(), dtype=np.int64)

    def check(self) -> None:
        """Raise `ReleaseError` unless counts and dimension agree with the manifest."""
        if (self.dense.rows, self.dense.dimension) != (
            self.manifest.chunks,
            self.manifest.dimension,
        ):
            raise ReleaseError(f"Release {self.manifest.id!r} disagrees with its manifest.")


def read_manifest(place: Path) -> Manifest:
    """Raises `ReleaseError` when the release is incomplete or of another format."""
    try:
        raw = json.loads((place / "manifest.json").read_text("utf-8"))
        manifest = Manifest(**{**raw, "languages": tuple(raw["languages"])})
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise ReleaseError(f"Release {place.name!r} has no readable manifest.") from exc
    if manifest.format != FORMAT:
        raise ReleaseError(
            f"Release {place.name!r} has format {manifest.format}, this version reads {FORMAT}. "
            "Run the ingestion again."
        )
    return manifest


def verify(place: Path) -> list[str]:
    """Names of files whose content differs from the manifest; empty when all is well."""
    manifest = read_manifest(place)
    found = _digests(place)
    found.pop("manifest.json", None)
    names = set(manifest.files) | set(found)
    return sorted(name for name in names if manifest.files.get(name) != found.get(name))


def releases(folder: Path) -> list[Manifest]:
    """Complete releases of a collection, the newest first."""
    place = folder / "releases"
    found = []
    for path in sorted(place.iterdir(), reverse=True) if place.is_dir() else ():
        try:
            found.append(read_manifest(path))
        except ReleaseError:
            continue
    return found


def active_id(folder: Path) -> str | None:
    """The id of the active release, or None before the first."""
    try:
        return (folder / "active").read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None


def open_active(folder: Path) -> Release:
    """The active release. Raises `ReleaseError` when there is none or it is damaged."""
    current = active_id(folder)
    if current is None:
        raise ReleaseError(
            f"The collection {folder.name!r} has no active release. Run: python -m ingestion run."
        )
    release = Release(folder / "releases" / current)
    release.check()
    return release


def activate(folder: Path, release_id: str) -> Manifest:
    """Make a complete release the active one, atomically. Raises `ReleaseError`."""
    place = folder / "releases" / release_id
    if Path(release_id).name != release_id or not place.is_dir():
        known = [manifest.id for manifest in releases(folder)]
        raise ReleaseError(f"No release {release_id!r} in {folder.name!r}. There are {known}.")
    Release(place).check()
    manifest = read_manifest(place)
    write_atomically(folder / "active", release_id + "\n")
    return manifest


def roll_back(folder: Path) -> Manifest:
    """Activate the newest release that is older than the active one. Raises `ReleaseError`."""
    current = active_id(folder)
    older = [m.id for m in releases(folder) if current is not None and m.id < current]
    if not older:
        raise ReleaseError(f"The collection {folder.name!r} has no release before {current!r}.")
    return activate(folder, older[0])


def prune(folder: Path, *, keep: int = _KEPT, remove: Callable[[Path], None] = shutil.rmtree) -> None:
    """Remove all but the newest `keep` releases and the active one."""
    current = active_id(folder)
    for manifest in releases(folder)[keep:]:
        if manifest.id != current:
            remove(folder / "releases" / manifest.id)
