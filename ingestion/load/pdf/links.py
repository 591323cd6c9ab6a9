"""Addresses behind words: the letters that a link covers get its address behind them, where they don't say it themselves."""

from collections.abc import Iterator, Sequence
from typing import Any

from pdfminer.pdfpage import PDFPage
from pdfminer.pdftypes import resolve1

from ingestion.load.pdf.painting import Box, Glyph

_MOST_LINKS = 500
_LONGEST_ADDRESS = 500
# Letters are looked up in strips of the page, and a link is seldom higher than a few lines.
_STRIP_POINTS, _MOST_STRIPS = 20.0, 8


def links_of(page: PDFPage) -> list[tuple[Box, str]]:
    """The web addresses of a page's links with the places they cover, on an upright page of this height."""
    if page.rotate:
        return []
    left, _, _, top = page.mediabox
    return [
        ((x0 - left, top - y1, x1 - left, top - y0), address)
        for (x0, y0, x1, y1), address in list(_annotations(page))[:_MOST_LINKS]
    ]


def _annotations(page: PDFPage) -> Iterator[tuple[Box, str]]:
    found = resolve1(page.annots)
    for one in found if isinstance(found, list) else []:
        annotation: Any = resolve1(one)
        action = resolve1(annotation.get("A")) if isinstance(annotation, dict) else None
        address = resolve1(action.get("URI")) if isinstance(action, dict) else None
        box = resolve1(annotation.get("Rect")) if isinstance(annotation, dict) else None
        corners = [resolve1(value) for value in box] if isinstance(box, list) else []
        if not isinstance(address, bytes) or len(address) > _LONGEST_ADDRESS:
            continue
        text = address.decode("utf-8", "replace").strip()
        is_box = len(corners) == 4 and all(isinstance(value, (int, float)) for value in corners)
        if is_box and text.startswith(("http://", "https://")) and " " not in text:
            (x0, x1), (y0, y1) = sorted(corners[0::2]), sorted(corners[1::2])
            yield (x0, y0, x1, y1), text


def add_addresses(glyphs: Sequence[Glyph], links: Sequence[tuple[Box, str]]) -> None:
    """Write each address behind the last letter that it covers; a link over several lines has it at the end of the last."""
    strips: dict[int, list[Glyph]] = {}
    for glyph in glyphs if links else ():
        strips.setdefault(int(glyph.y // _STRIP_POINTS), []).append(glyph)
    for number, (box, address) in enumerate(links):
        near = range(int(box[1] // _STRIP_POINTS), int(box[3] // _STRIP_POINTS) + 2)[:_MOST_STRIPS]
        covered = [glyph for strip in near for glyph in strips.get(strip, ()) if _is_within(glyph, box)]
        is_last = number + 1 == len(links) or links[number + 1][1] != address
        said = "".join(glyph.text for glyph in covered if not glyph.text.isspace())
        if covered and is_last and not _is_said(said, address):
            last = max(covered, key=lambda glyph: (round(glyph.y), glyph.x0))
            last.text += f" ({address})"


def _is_within(glyph: Glyph, box: Box) -> bool:
    x, y = (glyph.x0 + glyph.x1) / 2, glyph.y - glyph.size / 4
    return not glyph.text.isspace() and box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _is_said(text: str, address: str) -> bool:
    bare, said = (
        one.casefold().split("://")[-1].removeprefix("www.").strip("/.,;()<>[]") for one in (address, text)
    )
    return not said or said in bare or bare in said
