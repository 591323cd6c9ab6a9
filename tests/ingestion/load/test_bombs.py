"""Small files that unpack, nest or refer without end: each is a failure in words, within its time and memory.

Sizes and depths beyond `test_hostile.py`, and files of one format that hide in another.
"""

import gzip
import io
import struct
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ingestion.config import Clearance, CollectionConfig
from ingestion.corpus import Source
from ingestion.errors import SourceError
from ingestion.load.archive import members
from ingestion.prepare.preparer import Plan
from ingestion.runs.workers import Failure, LocalWorkers
from tests.ingestion.load.mutations import samples

# The main part of each format, and how a text in it ends.
OFFICE = {
    ".docx": ("word/document.xml", b"</w:t>"),
    ".xlsx": ("xl/worksheets/sheet1.xml", b"</t>"),
    ".pptx": ("ppt/slides/slide1.xml", b"</a:t>"),
}
LAUGHS = b"".join(b'<!ENTITY l%d "%b">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
DOCTYPE = b'<!DOCTYPE a [<!ENTITY l0 "laugh">%b]>' % LAUGHS
READ_S, LIST_S, LIST_BYTES = 600.0, 30.0, 200_000_000


def source(name: str, data: bytes) -> Source:
    return Source(name, name, "digest", len(data), data=data)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def office(
    suffix: str, before: bytes = b"", within: tuple[bytes, int] = (b"", 0), after: bytes = b""
) -> bytes:
    """The sample of a format with something before its main part's root, and a piece so many times in its first text."""
    with zipfile.ZipFile(io.BytesIO(samples()[suffix])) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    part, end = OFFICE[suffix]
    _, has_head, rest = files[part].partition(b"?>")
    root = rest if has_head else files[part]
    piece, count = within
    changed = root.replace(end, piece * count + after + end, 1)
    return zipped({**files, part: b"<?xml version='1.0'?>" + before + changed})


def directory(entries: int, *, size: int, is_shared: bool) -> bytes:
    """A ZIP file whose entries are all of the same packed bytes, or of none."""
    packed = zlib.compress(b"\0" * size, 9)[2:-4] if is_shared else b""
    crc = zlib.crc32(b"\0" * size) if is_shared else 0
    sizes = struct.pack("<III", crc, len(packed), size if is_shared else 0)
    method = 8 if is_shared else 0
    local = (
        b"PK\x03\x04"
        + struct.pack("<HHHHH", 20, 0, method, 0, 33)
        + sizes
        + struct.pack("<HH", 1, 0)
        + b"a"
        + packed
    )
    head = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, method, 0, 33) + sizes
    central = b"".join(
        head + struct.pack("<HHHHHII", 7, 0, 0, 0, 0, 0, 0) + b"%07d" % number for number in range(entries)
    )
    count = min(entries, 0xFFFF)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(central), len(local), 0)
    return local + central + end


def pdf(objects: list[bytes]) -> bytes:
    body = b"".join(b"%d 0 obj %b endobj\n" % (number, one) for number, one in enumerate(objects, start=1))
    return b"%PDF-1.5\n" + body + b"trailer << /Root 1 0 R >>\n%%EOF\n"


def pdf_with(contents: bytes) -> bytes:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Resources << >> >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, contents])


def run_of(piece: bytes, count: int) -> bytes:
    """Packed, without ever being whole in memory."""
    packer = zlib.compressobj(9)
    at_once = 1_000_000 // len(piece)
    packed = [packer.compress(piece * at_once) for _ in range(count // at_once)]
    return b"".join([*packed, packer.flush()])


def stream(packed: bytes, more: bytes = b"/Filter /FlateDecode") -> bytes:
    return b"<< /Length %d %b >> stream\n%b\nendstream" % (len(packed), more, packed)


def page_tree(depth: int) -> bytes:
    kids = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 3) for number in range(depth)]
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", *kids])


TWICE = b"/Filter [/FlateDecode /FlateDecode]"
OBJECTS = b"/Filter /FlateDecode /Type /ObjStm /N 50000000 /First 10"
PACKED = gzip.compress(b"<html><body><p>Packed.</p></body></html>" * 1_000)
# How each is made: most would fill the memory together.
BOMBS: dict[str, Callable[[], bytes]] = {
    **{f"packed{suffix}": lambda: PACKED for suffix in (".html", ".txt", ".json", ".csv", ".md")},
    **{f"entities{suffix}": partial(office, suffix, DOCTYPE, (b"&l9;", 1)) for suffix in OFFICE},
    **{
        f"deep{suffix}": partial(office, suffix, b"", (b"<x>", 200_000), b"</x>" * 200_000)
        for suffix in OFFICE
    },
    "brackets.pdf": lambda: pdf_with(stream(run_of(b"[", 5_000_000))),
    "dictionaries.pdf": lambda: pdf_with(b"<< /A " * 100_000 + b">>" * 100_000),
    "page-tree.pdf": lambda: page_tree(20_000),
    "many-members.docx": lambda: directory(1_000_000, size=0, is_shared=False),
    **{f"inflated{suffix}": partial(office, suffix, b"", (b"a", 400_000_000)) for suffix in OFFICE},
    "large-stream.pdf": lambda: pdf_with(stream(run_of(b" ", 500_000_000))),
    "twice-packed.pdf": lambda: pdf_with(stream(zlib.compress(run_of(b" ", 900_000_000), 9), TWICE)),
    "object-stream.pdf": lambda: pdf_with(stream(run_of(b"9 0 ", 50_000_000), OBJECTS)),
}


@pytest.mark.slow
def test_every_bomb_is_a_failure_in_words_and_costs_the_others_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clearance = Clearance(supplier="tests", licence="internal", legal_basis="no_personal_data")
    plan = Plan(CollectionConfig(clearance=clearance, languages=["en"]), tmp_path)
    workers = LocalWorkers(1)
    found: dict[str, str] = {}
    took: dict[str, float] = {}
    try:
        for name, make in BOMBS.items():
            bomb = source(name, make())
            begun = time.monotonic()
            ((_, result),) = workers.prepare(plan, [bomb])
            took[name] = round(time.monotonic() - begun, 1)
            found[name] = (
                result.reason if isinstance(result, Failure) else f"read: {result.document.text:.80}"
            )
        ((_, good),) = workers.prepare(plan, [source("good.md", b"# Good\n\nThis page is fine.")])
    finally:
        workers.close()
    with capsys.disabled():
        for name, reason in found.items():
            sys.stdout.write(f"\n{took[name]:6} s  {name}: {reason:.150}")
    assert not isinstance(good, Failure)
    assert [name for name, seconds in took.items() if seconds > READ_S] == []
    assert [name for name, reason in found.items() if reason.startswith("read: ")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (directory(1_000_000, size=0, is_shared=False), "more than the limit of 10000"),
        (directory(5_000, size=10_000_000, is_shared=True), "looks like a bomb"),
    ],
    ids=["a million files of nothing", "the same bytes five thousand times"],
)
def test_an_archive_is_refused_by_its_directory_in_little_time_and_memory(data: bytes, says: str) -> None:
    begun = time.monotonic()
    tracemalloc.start()
    with pytest.raises(SourceError, match=says):
        list(members(source("bomb.zip", data)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - begun < LIST_S
    assert peak < LIST_BYTES
