"""One reader a format. A reader turns bytes into blocks and knows nothing of what follows."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath

from ingestion.characters import whole
from ingestion.corpus import Reading
from ingestion.errors import SourceError
from ingestion.load.csv_table import read_csv
from ingestion.load.docx import read_docx
from ingestion.load.email import read_eml
from ingestion.load.html import read_html
from ingestion.load.json import read_json, read_jsonl
from ingestion.load.markdown import read_markdown
from ingestion.load.pdf import read_pdf
from ingestion.load.pptx import read_pptx
from ingestion.load.text import read_text
from ingestion.load.xlsx import read_xlsx

Reader = Callable[[bytes, str], Reading]


def _read_email(data: bytes, name: str) -> Reading:
    return read_eml(data, name, read)


READERS: Mapping[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".txt": read_text,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".pptx": read_pptx,
    ".xlsx": read_xlsx,
    ".eml": _read_email,
}
CONTAINERS = (".mbox", ".zip")


def read(data: bytes, path: str) -> Reading:
    """Read `data` by the suffix of `path`. Raises `SourceError` that says what is wrong with it."""
    suffix = PurePath(path).suffix.lower()
    reader = READERS.get(suffix)
    if suffix in CONTAINERS:
        raise SourceError("Archives within archives are read two deep. Unpack it.")
    if reader is None:
        raise SourceError(f"No reader for {suffix or 'files without a suffix'!r}: {known()}.")
    if not data[:65_536].strip() and not data.strip():
        raise SourceError("The file is empty.")
    _check_kind(data, suffix)
    return _translated(reader, data, PurePath(path).stem.replace("-", " ").replace("_", " "))


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
    return "readable are " + ", ".join(sorted((*READERS, *CONTAINERS)))


# What the first bytes of a file must be, by suffix, and what a person calls it.
_MAGIC: Mapping[str, tuple[bytes, str]] = {
    ".pdf": (b"%PDF-", "PDF"),
    ".docx": (b"PK", "Word document"),
    ".pptx": (b"PK", "PowerPoint presentation"),
    ".xlsx": (b"PK", "Excel workbook"),
}
_FOREIGN = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"\xd0\xcf\x11\xe0": "an old or a protected Office file",
}


def _check_kind(data: bytes, suffix: str) -> None:
    """Raise `SourceError` when a file's first bytes contradict its name."""
    head = data[:1024].lstrip()
    wanted, kind = _MAGIC.get(suffix, (b"", ""))
    found = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), None)
    if wanted and wanted not in data[:1024]:
        is_locked = head.startswith(b"\xd0\xcf\x11\xe0")
        remedy = (
            "it is protected by a password or of an old format"
            if is_locked
            else f"it is {found or 'damaged or something else'}"
        )
        raise SourceError(f"The file is no {kind}: {remedy}. Check its name.")
    if not wanted and found:
        raise SourceError(f"The file is {found}, not {suffix!r}. Check its name.")
