"""Slides of an OpenDocument presentation: their shapes from the top to the bottom, then their notes."""

import re
from collections.abc import Iterator

from ingestion.corpus import Block
from ingestion.load.odf.file import OpenFile
from ingestion.load.odf.text import TextBody
from ingestion.load.package import Element, children, local

_LENGTH = re.compile(r"(-?\d{1,6}(?:\.\d{1,6})?)(cm|mm|in|pt)?")
_IN_MM = {"cm": 10.0, "mm": 1.0, "in": 25.4, "pt": 0.353}
_UNSAID = ("page-number", "date-time", "footer", "header")
_NO_SHAPES = ("notes", "forms", "annotation")


def deck_blocks(file: OpenFile) -> tuple[list[Block], list[str]]:
    """The blocks of the slides that are shown, and the texts of hidden ones."""
    blocks: list[Block] = []
    aside: list[str] = []
    text = TextBody(file)
    for page, slide in enumerate(children(file.body("presentation"), "page"), start=1):
        found = list(_slide(file, text, slide, page))
        if file.is_hidden(file.attribute(slide, "style-name"), "drawing-page"):
            aside += [block.text for block in found]
        else:
            blocks += found
    return blocks, [*aside, *text.hidden]


def _slide(file: OpenFile, text: TextBody, slide: Element, page: int) -> Iterator[Block]:
    shapes = sorted((one for one in slide if local(one) not in _NO_SHAPES), key=lambda one: _place(file, one))
    title = next((one for one in shapes if file.attribute(one, "class") == "title"), None)
    if title is not None:
        words = " ".join(block.text for block in text.block(title, page))
        if words.strip():
            yield Block("heading", words, level=2, page=page)
    for shape in shapes:
        if shape is not title and file.attribute(shape, "class") not in _UNSAID:
            yield from text.block(shape, page)
    for notes in children(slide, "notes"):
        for shape in notes:
            if file.attribute(shape, "class") == "notes":
                yield from text.block(shape, page)


def _place(file: OpenFile, shape: Element) -> tuple[float, float]:
    """Top and left in millimetres."""
    return _millimetres(file.attribute(shape, "y")), _millimetres(file.attribute(shape, "x"))


def _millimetres(length: str) -> float:
    found = _LENGTH.match(length)
    return float(found[1]) * _IN_MM[found[2] or "cm"] if found else 0.0
