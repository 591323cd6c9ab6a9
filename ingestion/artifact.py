"""An artefact: a folder of data files with a manifest that names the digest of each. Written whole, opened verified.

Knows nothing of what the files hold. The manifest says what it is, where it came from and which command makes it again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.atomic import sync, write_atomically
from ingestion.errors import EmbedderError

MANIFEST = "manifest.json"
# Prose for people: it may be reworded without another digest.
CARD = "CARD.md"
_OWN_KEYS = ("name", "digest", "embedder", "licence", "rebuild", "files")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artefact whose files match its manifest.

    `digest` is that of all data files; `files` are their own by name. `embedder` is the digest of the weights whose
    vectors it was made for, None where it needs none. `facts` is the rest of the manifest: sources, recipe, sizes.
    """

    folder: Path
    name: str
    digest: str
    licence: str
    rebuild: str
    files: Mapping[str, str]
    embedder: str | None
    facts: Mapping[str, Any]

    def describe(self) -> dict[str, Any]:
        """Name, digest, licence, sources and the command that rebuilds it, to be shown to a person."""
        sources = {key: self.facts[key] for key in ("source", "sources") if key in self.facts}
        return {
            "name": self.name,
            "digest": self.digest,
            "licence": self.licence,
            **sources,
            "rebuild": self.rebuild,
        }

    def check_embedder(self, weights_digest: str) -> None:
        """Raise `EmbedderError` unless it was made for the vectors of these weights."""
        if self.embedder != weights_digest:
            raise EmbedderError(
                f"{str(self.folder)!r} was made for the embedder {self.embedder!r}, and this one is {weights_digest!r}."
                f" {_remedy(self.rebuild)}"
            )


def open_artifact(folder: Path, *, rebuild: str) -> Artifact:
    """The artefact in a folder, every file verified; `rebuild` is the command for a manifest that can't name it.

    Raises `EmbedderError`, which names the file and the remedy, for a missing, damaged or unknown file.
    """
    manifest = _manifest(folder, rebuild)
    artifact = Artifact(
        folder=folder,
        name=manifest["name"],
        digest=manifest["digest"],
        licence=manifest["licence"],
        rebuild=manifest["rebuild"],
        files=manifest["files"],
        embedder=manifest.get("embedder"),
        facts={key: value for key, value in manifest.items() if key not in _OWN_KEYS},
    )
    _verify(artifact)
    return artifact


def _manifest(folder: Path, rebuild: str) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise EmbedderError(f"The manifest {str(path)!r} cannot be read: {exc}. {_remedy(rebuild)}") from exc
    if not _is_complete(found):
        raise EmbedderError(
            f"The manifest {str(path)!r} lacks one of {list(_OWN_KEYS)}, or has one of another type. {_remedy(rebuild)}"
        )
    return dict(found)


def _is_complete(manifest: Any) -> bool:
    """Whether a manifest names what every artefact must; its files lie in the folder itself."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return False
    words = [manifest.get(key) for key in ("name", "digest", "licence", "rebuild")]
    files = manifest["files"]
    return (
        all(isinstance(word, str) for word in [*words, *files.values()])
        and isinstance(manifest.get("embedder"), str | None)
        and all(Path(name).name == name for name in files)
    )


def _verify(artifact: Artifact) -> None:
    remedy = _remedy(artifact.rebuild)
    for name, digest in artifact.files.items():
        path = artifact.folder / name
        if not path.is_file():
            raise EmbedderError(f"{str(path)!r} is missing. {remedy}")
        if digest_of(path) != digest:
            raise EmbedderError(f"{str(path)!r} differs from its manifest. {remedy}")
    if artifact.digest != _digest_of_all(artifact.files):
        path = artifact.folder / MANIFEST
        raise EmbedderError(
            f"The digest {artifact.digest!r} in {str(path)!r} is not that of its files. {remedy}"
        )
    unknown = {path.name for path in artifact.folder.iterdir()} - {MANIFEST, CARD, *artifact.files}
    if unknown:
        path = artifact.folder / min(unknown)
        raise EmbedderError(f"{str(path)!r} is not named in the manifest. Remove it. {remedy}")


@contextmanager
def written_artifact(
    folder: Path,
    files: Sequence[str],
    *,
    name: str,
    licence: str,
    rebuild: str,
    embedder: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Iterator[Path]:
    """A folder to write the data `files` into; at the end the manifest is added and all takes the artefact's place.

    The digest depends on the order of the files. The card stays. After an error the artefact is as it was, and what was
    written is gone.
    """
    # Hidden and beside its place: on the same disk, so that it can be renamed there.
    fresh = folder.parent / f".{folder.name}.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        digests = {one: digest_of(fresh / one) for one in files}
        manifest: dict[str, Any] = {"name": name, "digest": _digest_of_all(digests)}
        manifest |= {"embedder": embedder} if embedder else {}
        manifest |= {**(facts or {}), "licence": licence, "rebuild": rebuild, "files": digests}
        _finish(fresh, manifest, card=folder / CARD)
        open_artifact(fresh, rebuild=rebuild)
        _replace(folder, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _finish(fresh: Path, manifest: Mapping[str, Any], *, card: Path) -> None:
    if card.is_file() and not (fresh / CARD).exists():
        shutil.copyfile(card, fresh / CARD)
    for path in fresh.iterdir():
        sync(path)
    write_atomically(fresh / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def _replace(folder: Path, fresh: Path) -> None:
    """Rename the new folder into place. A kill between the two renames leaves none, which readers refuse."""
    old = fresh.with_name(f"{fresh.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    has_old = folder.exists()
    if has_old:
        folder.rename(old)
    try:
        fresh.rename(folder)
    except BaseException:
        if has_old:
            old.rename(folder)
        raise
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_all(files: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(files.values()).encode()).hexdigest()


def _remedy(rebuild: str) -> str:
    return f"Rebuild it: {rebuild}"
