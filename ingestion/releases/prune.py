"""What of old releases goes, and what stays: also what this version can't read, which another one may."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from ingestion.errors import ReleaseError
from ingestion.releases.release import FORMAT, active_id, read_manifest, releases

_KEPT = 5
# A reader may open a file of a release a moment after another was activated.
_GRACE_S = 60.0


def prune(
    folder: Path,
    *,
    keep: int = _KEPT,
    grace_s: float = _GRACE_S,
    only_active: bool = False,
    pinned: frozenset[str] = frozenset(),
) -> None:
    """Remove old releases and the segments that no release holds any more.

    The newest `keep` releases of runs and of uploads stay, the active one, what it was made from, and
    those that a variant names. What was in use less than `grace_s` seconds ago stays until the next time,
    and so does what can't be read. Call it with the collection's lock held.
    """
    current = active_id(folder)
    known = releases(folder)
    ages = {manifest.id: _age_s(folder / "releases" / manifest.id) for manifest in known}
    kept = {current, *(manifest.parent for manifest in known if manifest.id == current)}
    if only_active:
        kept = {current}
    kept |= pinned
    for origins in ({"run"}, {"upload", "withdraw"}):
        kept |= {m.id for m in [m for m in known if m.origin in origins][:keep]}
    for newer, manifest in zip([None, *known], known, strict=False):
        retired = ages[newer.id] if newer else 0.0
        if manifest.id not in kept and retired >= grace_s:
            shutil.rmtree(folder / "releases" / manifest.id)
        else:
            kept.add(manifest.id)
    _remove_remains(folder, {current, *pinned})
    _remove_orphans(folder, grace_s)


@dataclass(frozen=True, slots=True)
class _Remains:
    """What a release without a manifest of this format is: `format` is None where nothing can be read."""

    has_manifest: bool
    format: int | None = None
    segments: frozenset[str] | None = None

    @property
    def is_garbage(self) -> bool:
        """Whether it is a build that was killed or of an older format; what is newer or damaged may be of use."""
        return not self.has_manifest or (self.format is not None and self.format < FORMAT)


def _remove_remains(folder: Path, kept: set[str | None]) -> None:
    """Remove builds that were killed, and older formats, but none that somebody refers to."""
    for release_folder in _unreadable(folder):
        if release_folder.name not in kept and _remains(release_folder).is_garbage:
            shutil.rmtree(release_folder, ignore_errors=True)


def lasting(folder: Path, kept: frozenset[str]) -> list[str]:
    """Releases that can't be read and that `prune` leaves alone."""
    unread = _unreadable(folder)
    return [path.name for path in unread if path.name in kept or not _remains(path).is_garbage]


def _remove_orphans(folder: Path, grace_s: float) -> None:
    held = held_segments(folder)
    if held is None:
        return
    for segment_folder in (folder / "segments").iterdir():
        if segment_folder.name not in held and _age_s(segment_folder) >= min(grace_s, _GRACE_S):
            shutil.rmtree(segment_folder, ignore_errors=True)


def held_segments(folder: Path) -> frozenset[str] | None:
    """Segments that a release of a collection holds; None while that can't be told of every release."""
    held = {name for manifest in releases(folder) for name in manifest.segments}
    for release_folder in _unreadable(folder):
        segments = _remains(release_folder).segments
        if segments is None:
            return None
        held |= segments
    return frozenset(held)


def _unreadable(folder: Path) -> list[Path]:
    """Releases whose manifest is missing, damaged or of another format."""
    found = []
    for release_folder in sorted((folder / "releases").iterdir()):
        try:
            if release_folder.is_dir():
                read_manifest(release_folder)
        except ReleaseError:
            found.append(release_folder)
    return found


def _remains(release_folder: Path) -> _Remains:
    try:
        text = (release_folder / "manifest.json").read_text("utf-8")
    except FileNotFoundError:
        return _Remains(has_manifest=False)
    except (OSError, UnicodeDecodeError):
        return _Remains(has_manifest=True)
    try:
        raw = json.loads(text)
    except ValueError:
        return _Remains(has_manifest=True)
    if not isinstance(raw, dict):
        return _Remains(has_manifest=True)
    found, segments = raw.get("format"), raw.get("segments")
    is_list = isinstance(segments, list) and all(isinstance(name, str) for name in segments)
    return _Remains(
        True, found if isinstance(found, int) else None, frozenset(segments or ()) if is_list else None
    )


def _age_s(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime)
