"""Presentations to blocks: a page a slide, its title as heading, tables and charts as rows, notes at the end."""

from collections.abc import Iterator

from ingestion.corpus import Block, Reading
from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, child, children
from ingestion.load.pptx.places import Places
from ingestion.load.pptx.slide import Deck, Slide

_YES = ("1", "true")


def read_pptx(data: bytes, name: str) -> Reading:
    """Slides in order; hidden ones are set aside. Raises `SourceError` when the file is no presentation."""
    file = OfficeFile.open(data, "PowerPoint presentation (.pptx)")
    blocks: list[Block] = []
    hidden: list[str] = []
    aside: list[str] = []
    deck = Deck(file, Places(file))
    for page, part in enumerate(_slides(file), start=1):
        root = file.root(part)
        slide = Slide(deck, part, root, page)
        found = list(slide.blocks())
        if root.get("show", "1") in _YES:
            blocks += found
            hidden += slide.hidden
        else:
            aside += [*(block.text for block in found), *slide.hidden]
    title = file.title or next((block.text for block in blocks if block.kind == "heading"), name)
    return Reading(title=title, blocks=tuple(blocks), hidden=tuple(hidden), aside=tuple(aside))


def _slides(file: OfficeFile) -> Iterator[str]:
    """The parts of the slides in the order of the show."""
    root: Element = file.root(file.main)
    for one in children(child(root, "sldIdLst"), "sldId"):
        found = file.follow(file.main, one)
        if found and found.target in file.package and file.is_first(found.target):
            yield found.target
