"""Hostile files: each is reported in bounded time and memory, and the others are ingested."""

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docx import Document as new_docx
from openpyxl import Workbook

from ingestion.releases.release import collection_folder, open_active
from tests.conftest import ROOT

# Far more than it takes on a busy machine, and far less than a reader without bounds.
LIMIT_S = 500
GOOD = 8


def zipped(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def nested(depth: int) -> bytes:
    data = zipped({"deep.md": b"# Deep\n\nText."})
    for level in range(depth):
        data = zipped({f"level{level}.zip": data})
    return data


def word() -> bytes:
    document = new_docx()
    document.add_paragraph("Some words.")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def sheet() -> bytes:
    book = Workbook()
    book.active.append(["a", "b"])  # type: ignore[union-attr]
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def lying_zip() -> bytes:
    """A member that says it has ten bytes and unpacks to more."""
    data = bytearray(zipped({"a.txt": b"x" * 100_000}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    return bytes(data)


def png_bomb() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + zlib.compress(b"\0" * 1_000_000)


def hostile() -> dict[str, bytes]:
    pdf = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\n"
    docx, xlsx = word(), sheet()
    files = {
        "empty.md": b"",
        "blank.txt": b" \n\t " * 1000,
        "nul.txt": b"a\0b" * 1000,
        "random.txt": os.urandom(20_000),
        "random.pdf": os.urandom(20_000),
        "random.docx": os.urandom(20_000),
        "random.xlsx": os.urandom(20_000),
        "random.pptx": os.urandom(20_000),
        "random.zip": os.urandom(20_000),
        "random.html": b"\xff\xfe" + os.urandom(20_001),
        "truncated.pdf": pdf,
        "loop.pdf": pdf + b"trailer<</Root 1 0 R>>\n%%EOF",
        "header.pdf": b"%PDF-1.4",
        "huge-count.pdf": b"%PDF-1.4\n1 0 obj<</Length 99999999999>>stream\n" + b"A" * 500,
        "encrypted.pdf": pdf
        + b"trailer<</Root 1 0 R/Encrypt<</Filter/Standard/V 1/R 2/O("
        + b"x" * 32
        + b")/U("
        + b"y" * 32
        + b")/P -4>>/ID[(a)(b)]>>\n%%EOF",
        "locked.docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000,
        "locked.xlsx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000,
        "truncated.docx": docx[: len(docx) // 2],
        "truncated.xlsx": xlsx[: len(xlsx) // 2],
        "bomb.docx": zipped(
            {"[Content_Types].xml": b"<a>" + b"&lol;" * 10, "word/document.xml": b" " * 300_000_000}
        ),
        "wrong.docx": zipped({"hello.txt": b"not word"}),
        "wrong.xlsx": zipped({"hello.txt": b"not excel"}),
        "wrong.pptx": zipped({"hello.txt": b"not powerpoint"}),
        "pdf-inside.md": b"%PDF-1.4 this is a pdf",
        "zip-inside.txt": zipped({"a.md": b"# A"}),
        "docx-inside.html": docx,
        "bomb.zip": zipped({"zeros.txt": b"\0" * 400_000_000}),
        "many.zip": zipped(
            {f"{number}.txt": b"x" for number in range(11_000)}, compression=zipfile.ZIP_STORED
        ),
        "recursive.zip": nested(6),
        "lying.zip": lying_zip(),
        "cut.zip": zipped({"a.md": b"# A\n\nText." * 999})[:-30],
        "no-mail.mbox": b"Hello, this is no mailbox.",
        "empty.mbox": b"",
        "bare.eml": b"\n\n",
        "charset.eml": b"Subject: x\nContent-Type: text/plain; charset=klingon\n\n",
        "mime-bomb.eml": b"Subject: x\n"
        + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000)),
        "deep.json": b"[" * 200_000 + b"]" * 200_000,
        "cut.json": b'{"a": [1, 2,',
        "nan.json": b"{'a': 1}",
        "line.jsonl": b'{"a": 1}\n{"b": \n',
        "numbers.json": b"",
        "nested.html": b"<div>" * 100_000 + b"Deep words." + b"</div>" * 100_000,
        "spans.html": b"<span>" * 100_000,
        "entities.html": b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>",
        "script.html": b"<html><script>alert(1)</script></html>",
        "hidden.html": b"<html><body hidden>" + b"</body></html>",
        "comment.html": b"<!-- nothing here -->",
        "quotes.csv": b'"' * 50_001,
        "commas.csv": b"," * 100_000,
        "field.csv": b'a,b\n"' + b"x" * 300_000,
        "binary.csv": bytes(range(256)) * 50,
        "yaml.md": b"---\n" + b"a: &a [" + b"*a," * 10 + b"]\n---\n",
        "headings.md": b"# A\n\n## B\n\n### C\n",
        "image.png": png_bomb(),
        "program.exe": b"MZ" + os.urandom(100),
        "no-suffix": b"words",
        "control.txt": bytes(range(1, 9)) * 500,
        "surrogate.html": b"<p>\xed\xa0\x80\xed\xb0\x80</p>"[:5],
        "old.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1old word",
    }
    return files


@dataclass(frozen=True)
class Ended:
    """What became of hostile files: the documents that are there, and the report."""

    ids: set[str]
    report: dict[str, Any]

    def is_reported(self, name: str) -> bool:
        reported = (*self.report["failures"], *self.report["quarantined"], *self.report["duplicates"])
        return any(one == name or one.startswith(f"{name}!/") for one in reported)


def ingest_beside_good_ones(folder: Path, files: dict[str, bytes]) -> Ended:
    """Ingest files among good pages, by the command: a file may only cost the child that reads it."""
    docs = folder / "docs"
    docs.mkdir()
    for name, data in files.items():
        (docs / name).write_bytes(data)
    with (docs / "one-line.txt").open("wb") as file:  # a gigabyte, without writing it
        file.truncate(1024**3)
    for number in range(GOOD):
        (docs / f"good{number}.md").write_text(f"# Good {number}\n\nThis page number {number} is fine.\n")
    (folder / "scope.yaml").write_text(
        "collections: {c: {sources: [docs], languages: [en], clearance: "
        "{supplier: tests, licence: internal, legal_basis: no_personal_data}}}"
    )
    env = {**os.environ, "TOUCHSTONE_DATA_DIR": str(folder / "data")}  # noqa: TID251
    command = [sys.executable, "-m", "ingestion", "--scope", str(folder / "scope.yaml"), "run", "--json"]
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    release = open_active(collection_folder(folder / "data", "c"))
    ended = Ended(set(release.documents.ids()), json.loads(done.stdout.splitlines()[-1]))
    assert {f"good{number}.md" for number in range(GOOD)} <= ended.ids
    assert "MB" in ended.report["failures"]["one-line.txt"]
    assert all(reason.strip() for reason in ended.report["failures"].values())
    return ended


def test_a_bomb_a_torn_file_and_a_file_without_end_are_reported_and_the_others_ingested(
    tmp_path: Path,
) -> None:
    ended = ingest_beside_good_ones(
        tmp_path, {"bomb.zip": zipped({"zeros.txt": b"\0" * 400_000_000}), "cut.docx": word()[:2000]}
    )
    assert "bomb" in ended.report["failures"]["bomb.zip"]
    assert ended.is_reported("cut.docx")


@pytest.mark.slow
def test_sixty_hostile_files(tmp_path: Path) -> None:
    outside = zipped({"../../escape.md": b"# Out\n\nOut.", "ok.md": b"# Ok\n\nInside an archive."})
    named = b"bad-\xff-name.md".decode("utf-8", "surrogateescape")
    good = {"traversal.zip": outside, named: b"# Name\n\nA name with a wrong byte."}
    files = hostile()
    assert len(files) + len(good) >= 60
    ended = ingest_beside_good_ones(tmp_path, {**files, **good})
    assert "traversal.zip!/ok.md" in ended.ids
    assert any(name.startswith("bad-") for name in ended.ids)
    assert not list(tmp_path.rglob("escape.md"))
    # Some of these hold a word or two after all; every other one is reported by name, with a reason.
    assert [name for name in files if name not in ended.ids and not ended.is_reported(name)] == []
    assert sum(map(ended.is_reported, files)) >= 50
    assert "bomb" in ended.report["failures"]["bomb.zip"]
    assert "out of its archive" in " ".join(ended.report["failures"].values())
