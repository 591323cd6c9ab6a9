"""Small samples of every format, and damaged copies of them; a child process reads each, so that none can hang a test."""

import io
import random
import traceback
import zipfile
from collections.abc import Callable, Mapping

import docx
import openpyxl
import pptx

from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.text.clean import clean_text
from tests.ingestion.load.packages import compound, opened, outlook

_TOKENS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"<", b">", b"</", b"<!--", b"-->", b"<![CDATA[", b"&#0;", b"&#xD800;", b"&#x110000;",
    b"<table><tr><td colspan=99999>", b"<td rowspan=-1>", b'"', b"'", b"\\", b"\\ud800", b"{", b"[" * 50, b"]", b"1e999", b"-0",
    b"NaN", b"9" * 60, b"\r", b"\n\n", b"```", b"| a | b |\n|---|", b"[x](", b"![", b"obj", b"stream", b"endstream", b"/Length -1",
    b"/Kids [1 0 R]", b"=?utf-8?B?", b"=?x?Q?=?=", b"boundary=", b"Content-Type: multipart/mixed\r\n", b"charset=bogus",
    b"Content-Transfer-Encoding: base64\r\n", b"Date: 99 Foo 99999\r\n", b"w:p", b"r:id=\"none\"", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80",
)  # fmt: skip
_PDF = b"""%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R
 /Resources << /Font << /F1 5 0 R >> >> >> endobj
4 0 obj << /Length 68 >> stream
BT /F1 12 Tf 20 100 Td (The hub is yellow while it starts.) Tj ET    \nendstream endobj
5 0 obj << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> endobj
trailer << /Root 1 0 R >>
%%EOF
"""
_MAIL = (
    b"From: Jo <jo@example.com>\r\nSubject: =?utf-8?Q?H=C3=BCb?=\r\nDate: Mon, 3 Mar 2025 10:00:00 +0000\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; '
    b"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nThe hub =C3=BC is yellow.\r\n--b\r\nContent-Type: "
    b'text/html\r\nContent-Disposition: attachment; filename="a.html"\r\n\r\n<p>More</p>\r\n--b--\r\n'
)
_HTML = (
    b"<html lang=en><head><title>Hub</title><meta charset=utf-8></head><body><h1>Hub</h1><p>Yellow &amp; green"
    b"<table><tr><th>a<th>b<tr><td colspan=2>c</table><ul><li>x<ul><li>y</ul></ul><pre>code</pre></body>"
)
_RTF = (
    b"{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0\\fcharset0 A;}}{\\stylesheet{\\s1\\outlinelevel0 heading 1;}}\\pard\\s1 Hub\\par"
    b'\\pard Yellow \\u252?\\\'fc {\\field{\\*\\fldinst HYPERLINK "http://x"}{\\fldrslt y}}{\\footnote n}\\par'
    b"\\trowd\\cellx1\\cellx2\\intbl a\\cell b\\cell\\row}"
)
_BOOK: Mapping[str, bytes] = {
    "META-INF/container.xml": b'<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>',
    "b.opf": (
        b'<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>A Hub</dc:title></metadata><manifest>'
        b'<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
    ),
    "a.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Hub</h1><p>Yellow.</p></body></html>',
}
_TEXTS: Mapping[str, bytes] = {
    ".md": b"---\ntitle: Hub\n---\n# Hub\n\nYellow.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n- x\n  - y\n",
    ".html": _HTML,
    ".xhtml": b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>Yellow.</p></body></html>',
    ".txt": "The hub is yellow.\n\nPlease wait für 3 minutes.\n".encode("latin-1"),
    ".csv": b'question,answer\n"What, now?","Wait ""here""."\nB;2,3\n',
    ".tsv": b"question\tanswer\nWhat?\tWait.\n",
    ".json": b'[{"title": "Hub", "text": "Yellow.", "n": [1, 2.5, null, true, {"a": "b"}]}]',
    ".jsonl": b'{"title": "Hub", "text": "Yellow."}\n{"text": "Green."}\n',
    ".rtf": _RTF,
    ".eml": _MAIL,
    ".log": b"2026-06-01 10:00:00 INFO started\n2026-06-01 10:00:01 ERROR none\n  at glow\n",
    ".rst": b"Hub\n===\n\nIt *is* ``yellow``.\n\n-q   Quiet.\n\n.. note:: Hot\n\nx::\n\n  code\n\n+---+---+\n| a | b |\n+---+---+\n",
    ".man": b".TH HUB 1\n.SH NAME\nhub \\- a hub\n.TP\n.BR \\-q , \\-\\-quiet\nQuiet.\n.RS\n.IP \\(bu\nx\n.RE\n.TS\nl l.\na\tb\n.TE\n",
    ".mdoc": b".Dd June\n.Dt HUB 1\n.Sh NAME\n.Nm hub\n.Nd a hub\n.Bl -tag\n.It Fl q Ar x , Op Fl v\nQuiet.\n.El\n.Bd -literal\nx\n.Ed\n",
    ".1": b"HUB(1)      Manual      HUB(1)\n\nNAME\n     hub - a hub\n\nOPTIONS\n     -q      Quiet.\n\n     -c colour\n             A colour.\n",
    ".pdf": _PDF,
}


def samples() -> dict[str, bytes]:
    """A file of each format by suffix."""
    word, sheet, slides = docx.Document(), openpyxl.Workbook(), pptx.Presentation()
    word.add_heading("Hub")
    word.add_paragraph("It is yellow while it starts.")
    word.add_table(2, 2).cell(0, 0).text = "a"
    sheet.active.append(["question", "answer"])
    sheet.active.append(["What?", 3.5])
    slides.slides.add_slide(slides.slide_layouts[1]).shapes.title.text = "Hub"
    packages = {".docx": word, ".xlsx": sheet, ".pptx": slides}
    office = {suffix: _saved(made.save) for suffix, made in packages.items()}
    return {**_TEXTS, **_open_samples(), **office, ".epub": _book()}


def _open_samples() -> dict[str, bytes]:
    table = "<table:table table:name='S'><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row></table:table>"
    box = "<draw:page><draw:frame svg:y='1cm'><draw:text-box><text:p>Hub</text:p></draw:text-box></draw:frame></draw:page>"
    message = outlook(
        {"0037001F": "Hub".encode("utf-16-le"), "1000001F": "It is yellow.".encode("utf-16-le")}
    )
    return {
        ".odt": opened("text", f"<text:h>Hub</text:h><text:p>It is <text:s/>yellow.</text:p>{table}"),
        ".ods": opened("spreadsheet", table),
        ".odp": opened("presentation", box),
        ".msg": compound(message),
    }


def _book() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _BOOK.items():
            archive.writestr(name, text)
    return out.getvalue()


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def damaged(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """A copy with a few changes; of an Office file mostly in one member, so that the archive stays whole."""
    if suffix in (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub") and rng.random() < 0.9:
        return _damaged_member(data, rng)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        data = changed(data, rng)
    return data


def _damaged_member(data: bytes, rng: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            member = old.read(name)
            if name != chosen:
                new.writestr(name, member)
            elif rng.random() < 0.9:
                new.writestr(name, changed(member, rng))
    return out.getvalue()


def changed(data: bytes, rng: random.Random) -> bytes:
    """With a piece of it replaced, left out, repeated, moved, or one of the tokens put in."""
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice((1, 2, 8, 64, 512)))
    match rng.randrange(6):
        case 0:
            return data[:start] + bytes(rng.randrange(256) for _ in data[start:end]) + data[end:]
        case 1:
            return data[:start] + data[end:]
        case 2:
            return data[:start] + data[start:end] * rng.choice((2, 3, 50)) + data[end:]
        case 3:
            return data[:start] if rng.random() < 0.3 else data[start:] + data[:start]
        case 4:
            other = rng.randrange(len(data) + 1)
            return data[:start] + data[other : other + 64] + data[start:]
        case _:
            return data[:start] + rng.choice(_TOKENS) + data[start:]


def tried(message: tuple[str, bytes]) -> str:
    """What became of a file: an empty text, or the traceback of what is no typed error. Runs in a child."""
    suffix, data = message
    try:
        for block in read(data, f"sample{suffix}").blocks:
            clean_text(block.text)
    except SourceError:
        return ""
    except Exception:  # noqa: BLE001 - the finding
        return traceback.format_exc()
    return ""
