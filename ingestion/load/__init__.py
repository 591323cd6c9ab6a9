"""One reader a format. A reader turns bytes into blocks and knows nothing of what follows."""

from collections.abc import Callable, Mapping
from pathlib import PurePath

from ingestion.corpus import Reading
from ingestion.errors import SourceError
from ingestion.load.csv_table import read_csv
from ingestion.load.docx import read_docx
from ingestion.load.html import read_html
from ingestion.load.markdown import read_markdown
from ingestion.load.pdf import read_pdf
from ingestion.load.text import read_text

Reader = Callable[[bytes, str], Reading]

READERS: Mapping[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".txt": read_text,
    ".csv": read_csv,
}


def read(data: bytes, path: str) -> Reading:
    """Read `data` by the suffix of `path`. Raises `SourceError` that says what is wrong with it."""
    suffix = PurePath(path).suffix.lower()
    reader = READERS.get(suffix)
    if reader is None:
        raise SourceError(f"No reader for {suffix or 'files without a suffix'!r}: {known()}.")
    if not data.strip():
        raise SourceError("The file is empty.")
    return reader(data, PurePath(path).stem.replace("-", " ").replace("_", " "))


def known() -> str:
    """The formats that can be read, for messages."""
    return "readable are " + ", ".join(sorted(READERS))
