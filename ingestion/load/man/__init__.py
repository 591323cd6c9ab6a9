"""Man pages as they are written, in the macros of man(7) or mdoc(7). What only has such a name is read as text."""

import re

from ingestion.corpus import Reading
from ingestion.errors import SourceError
from ingestion.load.encodings import decode
from ingestion.load.man.macros import ManPage
from ingestion.load.man.mdoc import MdocPage
from ingestion.load.man.roff import Strings, requests
from ingestion.load.text import read_text
from ingestion.load.text.manpage import title_of

_MACROS = re.compile(r"^[.'][ \t]*(?:TH|SH|Dd|Dt|Sh) ", re.MULTILINE)
_POINTS = re.compile(r"^\.so (\S+)", re.MULTILINE)


def read_man(data: bytes, name: str) -> Reading:
    """Sections with their terms, as macros mark them. Raises `SourceError` for a page that only names another."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    first = _MACROS.search(text)
    if first is None:
        if points := _POINTS.search(text[:1_000]):
            raise SourceError(f"The page only points to {points[1]!r}, and says nothing of its own.")
        return read_text(data, name)
    strings = Strings()
    is_mdoc = first[0].lstrip(".' \t").startswith(("Dd", "Dt", "Sh"))
    page = MdocPage(strings) if is_mdoc else ManPage(strings)
    blocks = tuple(page.take(requests(text, strings)))
    return Reading(title=title_of(page.title or name, blocks), blocks=blocks)
