"""Whatever bytes a reader gets: it reads them or raises its typed error, in bounded time and memory."""

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.load import READERS
from ingestion.runs.child import Child, ChildError
from tests.conftest import ROOT
from tests.fuzzing import LONG_S
from tests.ingestion.load.mutations import damaged, samples, tried

SHORT, LIMIT_S = 30, 20.0
SHORT_OF_CASES = 2
SAMPLES = samples()
# Files that readers of other systems stumbled over; they lie beside the repository, where they are there at all.
CASES = Path(os.environ.get("TOUCHSTONE_CASES", ROOT.parent / "shared" / "cases")) / "files"  # noqa: TID251


def cases() -> list[tuple[str, bytes]]:
    """Suffix and bytes of each case that a reader takes."""
    paths = sorted(CASES.iterdir()) if CASES.is_dir() else []
    return [(path.suffix, path.read_bytes()) for path in paths if path.suffix in READERS]


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    one = Child(tried)
    yield one
    one.stop()


def finding(child: Child, suffix: str, data: bytes) -> str:
    """What is wrong with how a file was read; empty when nothing is."""
    try:
        said: str = child.ask((suffix, data), LIMIT_S)
    except ChildError as exc:
        return f"{exc}: {data!r}"
    return f"{said}{data!r}" if said else ""


@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_a_whole_sample_is_read(suffix: str) -> None:
    assert tried((suffix, SAMPLES[suffix])) == ""


@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_damaged_files_are_read_or_refused(child: Child, suffix: str) -> None:
    rng = random.Random(suffix)
    for _ in range(SHORT):
        assert finding(child, suffix, damaged(SAMPLES[suffix], suffix, rng)) == ""


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".json", b"[" * 100_000),
        (".json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        (".jsonl", b'{"text": "x"}\n' + b"[" * 100_000 + b"\n"),
        (".html", b"<div>" * 100_000 + b"deep"),
        (".html", b"<ul><li>" * 20_000 + b"deep"),
        (".html", b"<table><tr><td>" * 5_000 + b"deep"),
        (".html", b'<table><tr><td colspan="999999999" rowspan="999999999">wide</table>'),
        (".md", b"> " * 50_000 + b"deep"),
        (".md", b"[" * 50_000),
        (".md", b"- " * 20_000 + b"deep"),
        (".md", b"---\na: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (i, i) for i in range(50)) + b"---\ntext"),
        (".md", b"---\n" + b"[" * 20_000 + b"\n---\ntext"),
        (".csv", b'"' * 200_001),
        (".csv", b"," * 500_000),
        (".eml", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 20_000),
        (".eml", b"Content-Type: message/rfc822\r\n\r\n" * 5_000 + b"deep"),
        (".txt", b"\xff" * 100_000),
        (".pdf", SAMPLES[".pdf"].replace(b"/Contents 4 0 R", b"/Contents 6 0 R") + b"6 0 obj 6 0 R endobj"),
        (".pdf", SAMPLES[".pdf"].replace(b"/Contents 4 0 R", b"/Contents 6 0 R") + b"6 0 obj 7 0 R endobj 7 0 obj 6 0 R endobj"),
    ],
)  # fmt: skip
def test_what_is_deep_wide_or_endless_is_read_or_refused(child: Child, suffix: str, data: bytes) -> None:
    assert finding(child, suffix, data)[:2000] == ""


def test_cases_and_damaged_copies_of_them_are_read_or_refused(child: Child) -> None:
    found = cases()
    if not found:
        pytest.skip(f"no cases at {CASES}: name their folder with TOUCHSTONE_CASES")
    rng = random.Random(7)
    for suffix, data in found:
        assert finding(child, suffix, data) == ""
        for _ in range(SHORT_OF_CASES):
            assert finding(child, suffix, damaged(data, suffix, rng)) == ""


@pytest.mark.slow
def test_five_minutes_of_damaged_files(child: Child, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = [*SAMPLES.items(), *cases()]
    seed = time.time_ns()
    rng, count, found = random.Random(seed), 0, []
    end = time.monotonic() + LONG_S
    while time.monotonic() < end and not found:
        suffix, data = rng.choice(seeds)
        wrong = finding(child, suffix, damaged(data, suffix, rng))
        count += 1
        found += [wrong] if wrong else []
    with capsys.disabled():
        sys.stdout.write(f"\n{count} examples, seed {seed}\n")
    assert not found, found[0][:2000]
