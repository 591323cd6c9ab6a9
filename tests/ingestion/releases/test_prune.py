"""What pruning leaves alone: releases that this version can't read, and their segments."""

import json
from pathlib import Path

import pytest

from ingestion.releases.prune import prune
from ingestion.releases.release import FORMAT, Release, point_to
from tests.ingestion.corpora import Page, release_of

NEWER, OLDER = FORMAT + 1, FORMAT - 1


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Release, Release]:
    """Two releases that share no segment; the second is active."""
    first = release_of(tmp_path, [Page("a", ("The first text.",))])
    second = release_of(tmp_path, [Page("b", ("The second text.",))])
    point_to(tmp_path, second.manifest.id)
    return first, second


def damage(release: Release, **changes: object) -> None:
    path = release.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def tidy(folder: Path, *, pinned: frozenset[str] = frozenset()) -> tuple[set[str], set[str]]:
    """The releases and segments that are left."""
    prune(folder, keep=0, grace_s=0, pinned=pinned)
    return tuple({path.name for path in (folder / kind).iterdir()} for kind in ("releases", "segments"))  # type: ignore[return-value]


def test_what_nobody_refers_to_goes(tmp_path: Path, pair: tuple[Release, Release]) -> None:
    _, second = pair
    assert tidy(tmp_path) == ({second.manifest.id}, set(second.manifest.segments))


def test_a_newer_format_stays_with_its_segments(tmp_path: Path, pair: tuple[Release, Release]) -> None:
    first, second = pair
    damage(first, format=NEWER)
    assert tidy(tmp_path) == (
        {first.manifest.id, second.manifest.id},
        {*first.manifest.segments, *second.manifest.segments},
    )


@pytest.mark.parametrize("segments", [None, {"first": 1}, [1]])
def test_while_a_newer_format_names_segments_in_another_way_all_stay(
    tmp_path: Path, pair: tuple[Release, Release], segments: object
) -> None:
    first, second = pair
    damage(first, format=NEWER, segments=segments)
    stray = tmp_path / "segments" / "stray"
    stray.mkdir()
    releases, left = tidy(tmp_path)
    assert releases == {first.manifest.id, second.manifest.id}
    assert left == {*first.manifest.segments, *second.manifest.segments, "stray"}


@pytest.mark.parametrize("content", [b"\xff\x00 no JSON", b"[1]", b'{"segments": ', b""])
def test_an_unreadable_manifest_keeps_its_release_and_every_segment(
    tmp_path: Path, pair: tuple[Release, Release], content: bytes
) -> None:
    first, second = pair
    (first.folder / "manifest.json").write_bytes(content)
    assert tidy(tmp_path) == (
        {first.manifest.id, second.manifest.id},
        {*first.manifest.segments, *second.manifest.segments},
    )


def test_an_older_format_goes_unless_it_is_active_or_pinned(
    tmp_path: Path, pair: tuple[Release, Release]
) -> None:
    first, second = pair
    damage(first, format=OLDER)
    damage(second, format=OLDER)
    everything = {*first.manifest.segments, *second.manifest.segments}
    pinned = frozenset({first.manifest.id})
    assert tidy(tmp_path, pinned=pinned) == ({first.manifest.id, second.manifest.id}, everything)
    assert tidy(tmp_path) == ({second.manifest.id}, set(second.manifest.segments))


def test_an_active_release_stays_whatever_its_manifest_is(
    tmp_path: Path, pair: tuple[Release, Release]
) -> None:
    first, second = pair
    (second.folder / "manifest.json").unlink()
    everything = {*first.manifest.segments, *second.manifest.segments}
    assert tidy(tmp_path) == ({second.manifest.id}, everything), "who knows which are the active one's"


def test_a_build_that_was_killed_goes(tmp_path: Path, pair: tuple[Release, Release]) -> None:
    _, second = pair
    (tmp_path / "releases" / "killed").mkdir()
    (tmp_path / "releases" / "a-file").write_text("of somebody else")
    releases, segments = tidy(tmp_path)
    assert releases == {second.manifest.id, "a-file"}
    assert segments == set(second.manifest.segments)
