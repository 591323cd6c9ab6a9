"""One reader a format. A reader turns bytes into blocks and knows nothing of what follows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath

from ingestion.characters import whole
from ingestion.corpus import Reading
from ingestion.errors import SourceError
from ingestion.load.csv_table import read_csv
from ingestion.load.docx import read_docx
from ingestion.load.email import read_eml
from ingestion.load.epub import read_epub
from ingestion.load.html import read_html
from ingestion.load.json import read_json, read_jsonl
from ingestion.load.man import read_man
from ingestion.load.markdown import read_markdown
from ingestion.load.msg import read_msg
from ingestion.load.odf import read_odp, read_ods, read_odt
from ingestion.load.packed import unpacked
from ingestion.load.pdf import read_pdf
from ingestion.load.pptx import read_pptx
from ingestion.load.rst import read_rst
from ingestion.load.rtf import read_rtf
from ingestion.load.text import read_log, read_text
from ingestion.load.xlsx import read_xlsx

Reader = Callable[[bytes, str], Reading]


def _read_msg(data: bytes, name: str) -> Reading:
    return read_msg(data, name, read)


def _read_email(data: bytes, name: str) -> Reading:
    return read_eml(data, name, read)


# With macros, which are not read, and templates.
_WORD = (".docx", ".docm", ".dotx", ".dotm")
_SLIDES = (".pptx", ".pptm", ".potx", ".potm", ".ppsx", ".ppsm")
_SHEETS = (".xlsx", ".xlsm", ".xltx", ".xltm")
_OPEN_TEXT, _OPEN_SLIDES, _OPEN_SHEETS = (".odt", ".ott"), (".odp", ".otp"), (".ods", ".ots")
READERS: Mapping[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".epub": read_epub,
    ".pdf": read_pdf,
    **dict.fromkeys(_WORD, read_docx),
    **dict.fromkeys(_SLIDES, read_pptx),
    **dict.fromkeys(_SHEETS, read_xlsx),
    **dict.fromkeys(_OPEN_TEXT, read_odt),
    **dict.fromkeys(_OPEN_SLIDES, read_odp),
    **dict.fromkeys(_OPEN_SHEETS, read_ods),
    ".txt": read_text,
    ".text": read_text,
    ".log": read_log,
    ".rst": read_rst,
    ".man": read_man,
    ".mdoc": read_man,
    **{f".{section}": read_man for section in range(1, 9)},
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".rtf": read_rtf,
    ".eml": _read_email,
    ".msg": _read_msg,
}
CONTAINERS = (".mbox", ".zip")
PACKED = ".gz"
# Sections of man pages that packages name more closely: of Perl, of POSIX, of OpenSSL.
_SECTION = re.compile(r"\.[1-8](?=(?:p|pm|perl|posix|ssl|tcl|tk|x)$)")
# Files that are text and go without a suffix by custom.
_PLAIN = re.compile(
    r"(?:^|[-_.])(?:authors|changelog|changes|contributing|copying|copyright|faq|history|install|licen[cs]e|news|notice"
    r"|readme|todo)(?:\.debian)?$"
)


def format_of(path: str) -> str | None:
    """The suffix in `READERS` of what reads a file, packed or not; None when nothing does."""
    name = PurePath(path).name.lower().removesuffix(PACKED)
    suffix = PurePath(name).suffix
    if suffix in READERS:
        return suffix
    section = _SECTION.search(suffix)
    if section:
        return section[0]
    return ".txt" if _PLAIN.search(name) else None


def read(data: bytes, path: str) -> Reading:
    """Read `data` by the suffix of `path`. Raises `SourceError` that says what is wrong with it."""
    suffix = PurePath(path).suffix.lower()
    if suffix == PACKED:
        inner = PurePath(path).with_suffix("").name
        if PurePath(inner).suffix.lower() == PACKED:
            raise SourceError("It is packed twice. Unpack it.")
        _check_kind(data, PACKED)
        return read(unpacked(data), inner)
    if suffix in CONTAINERS:
        raise SourceError("Archives within archives are read two deep. Unpack it.")
    kind = format_of(path)
    if kind is None:
        raise SourceError(f"No reader for {suffix or 'files without a suffix'!r}: {known()}.")
    if not data[:65_536].strip() and not data.strip():
        raise SourceError("The file is empty.")
    _check_kind(data, kind)
    return _translated(READERS[kind], data, PurePath(path).stem.replace("-", " ").replace("_", " "))


def _translated(reader: Reader, data: bytes, name: str) -> Reading:
    """What a reader makes of a file. What the format's library raises on damage becomes a `SourceError`."""
    try:
        return _whole(reader(data, name))
    except (SourceError, MemoryError):
        raise
    except RecursionError as exc:
        raise SourceError("It is nested too deeply to be read.") from exc
    except Exception as exc:
        raise SourceError(f"The reader failed on it: {type(exc).__name__}: {str(exc)[:200]}.") from exc


def _whole(reading: Reading) -> Reading:
    """Without halves of characters, which neither an index nor a database can hold."""
    return replace(
        reading,
        title=whole(reading.title),
        blocks=tuple(replace(block, text=whole(block.text)) for block in reading.blocks),
        hidden=tuple(map(whole, reading.hidden)),
        aside=tuple(map(whole, reading.aside)),
        metadata={
            whole(key): whole(value) if isinstance(value, str) else value
            for key, value in reading.metadata.items()
        },
        language=_said(reading.language),
        updated=_said(reading.updated),
        superseded_by=_said(reading.superseded_by),
    )


def _said(value: str | None) -> str | None:
    return whole(value) if value else value


def known() -> str:
    """The formats that can be read, for messages."""
    return "readable are " + ", ".join(sorted((*READERS, *CONTAINERS, PACKED)))


_COMPOUND = b"\xd0\xcf\x11\xe0"
# What the first bytes of a file must be, by suffix, and what a person calls it.
_MAGIC: Mapping[str, tuple[bytes, str]] = {
    ".pdf": (b"%PDF-", "PDF"),
    ".rtf": (b"{\\rtf", "RTF document"),
    ".msg": (_COMPOUND, "Outlook message"),
    **dict.fromkeys(_WORD, (b"PK", "Word document")),
    **dict.fromkeys(_SLIDES, (b"PK", "PowerPoint presentation")),
    **dict.fromkeys(_SHEETS, (b"PK", "Excel workbook")),
    **dict.fromkeys(_OPEN_TEXT, (b"PK", "OpenDocument text")),
    **dict.fromkeys(_OPEN_SLIDES, (b"PK", "OpenDocument presentation")),
    **dict.fromkeys(_OPEN_SHEETS, (b"PK", "OpenDocument spreadsheet")),
    ".epub": (b"PK", "EPUB book"),
    PACKED: (b"\x1f\x8b", "file that gzip packed"),
}
_FOREIGN = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"\x1f\x8b": "packed by gzip",
    _COMPOUND: "an old or a protected Office file",
}


def _check_kind(data: bytes, suffix: str) -> None:
    """Raise `SourceError` when a file's first bytes contradict its name."""
    head = data[:1024].lstrip()
    wanted, kind = _MAGIC.get(suffix, (b"", ""))
    found = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), None)
    if wanted and wanted not in data[:1024]:
        is_locked = head.startswith(_COMPOUND)
        remedy = (
            "it is protected by a password or of an old format"
            if is_locked
            else f"it is {found or 'damaged or something else'}"
        )
        raise SourceError(f"The file is no {kind}: {remedy}. Check its name.")
    if not wanted and found:
        raise SourceError(f"The file is {found}, not {suffix!r}. Check its name.")
