"""A PDF file as its library opens it: pages, what it calls itself, its outline. Knows nothing of text."""

import io
import re
from collections.abc import Iterator
from typing import Any

from pdfminer.pdfdocument import PDFDocument, PDFPasswordIncorrect
from pdfminer.pdfexceptions import PDFException
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import PDFObjectNotFound, PDFObjRef, resolve1
from pdfminer.psexceptions import PSException
from pdfminer.utils import decode_text

from ingestion.errors import SourceError

# What the library raises on a damaged file, beside its own errors: it takes the types of objects on trust.
DAMAGE = (PSException, PDFException, ValueError, TypeError, LookupError, AttributeError, AssertionError)
# An outline longer than that is no help to a reader, and may be a loop of references that each differ.
_MOST_ENTRIES = 20_000


class Document(PDFDocument):  # type: ignore[misc]  # untyped
    """A document in which references that lead back to themselves lead nowhere; pdfminer follows them without end."""

    def getobj(self, objid: int) -> object:
        seen = {objid}
        found = super().getobj(objid)
        while isinstance(found, PDFObjRef):
            if found.objid in seen:
                raise PDFObjectNotFound(objid)
            seen.add(found.objid)
            found = super().getobj(found.objid)
        return found


def opened(data: bytes) -> Document:
    """Raises `SourceError` for a file that is damaged or locked."""
    try:
        return Document(PDFParser(io.BytesIO(data)), password="")
    except PDFPasswordIncorrect as exc:
        raise SourceError("The file is protected by a password.") from exc
    except DAMAGE as exc:
        raise damaged() from exc


def damaged() -> SourceError:
    """What is said of a file that the library can't follow."""
    return SourceError("The file is damaged or no PDF.")


def pages_of(document: Document) -> Iterator[PDFPage]:
    """The pages in order. Raises `SourceError` where their tree is damaged."""
    try:
        yield from PDFPage.create_pages(document)
    except DAMAGE as exc:
        raise damaged() from exc


def declared_title(document: Document) -> str:
    """The title among the file's properties, as whatever made the file wrote it there."""
    title: object = None
    for info in document.info:
        title = resolve1(info.get("Title")) or title
    return _text(title)


def outline_of(document: Document) -> dict[str, int]:
    """The levels (from 1) of the file's bookmarks, by `outline_key` of their titles."""
    levels: dict[str, int] = {}
    waiting: list[tuple[object, int]] = [(document.catalog.get("Outlines"), 0)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_ENTRIES:
        found, level = waiting.pop()
        number = found.objid if isinstance(found, PDFObjRef) else id(found)
        entry: Any = resolve1(found)
        if number in seen or not isinstance(entry, dict):
            continue
        seen.add(number)
        key = outline_key(_text(resolve1(entry.get("Title"))))
        if key and level:
            levels.setdefault(key, min(level, 6))
        waiting += [(entry.get("Next"), level), (entry.get("First"), level + 1)]
    return levels


def outline_key(title: str) -> str:
    """The letters and digits of a title, without its number: bookmarks have numbers where the page has none, and vice versa."""
    bare = re.sub(r"^[\dA-Z]{1,3}(\.\d{1,3})*\.?\s+", "", title[:300].strip())
    return "".join(letter for letter in bare.casefold() if letter.isalnum())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(decode_text(value)).strip() if isinstance(value, bytes) else ""
