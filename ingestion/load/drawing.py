"""Text of drawings (DrawingML), as slides, sheets and Word documents share it: paragraphs, diagrams, shapes on a sheet."""

from collections.abc import Iterator

from ingestion.corpus import Block
from ingestion.load.charts import chart_blocks
from ingestion.load.opc import OfficeFile, with_address
from ingestion.load.package import Element, child, children, local
from ingestion.load.pieces import Piece, joined

# Fields whose text is the slide's number or the day on which somebody looked.
_FIELDS_OF_NOBODY = ("slidenum", "datetime")
_DIAGRAM_LINKS = ("parTrans", "sibTrans", "pres")


def paragraph_text(file: OfficeFile, part: str, paragraph: Element) -> str:
    """The text of `a:p`, with breaks as lines, raised numbers that can be told, and the addresses of links."""
    return joined(_pieces(file, part, paragraph))


def _pieces(file: OfficeFile, part: str, element: Element) -> Iterator[Piece]:
    for one in element:
        name = local(one)
        if name == "r" or (name == "fld" and not one.get("type", "").startswith(_FIELDS_OF_NOBODY)):
            yield _run(file, part, one)
        elif name == "br":
            yield "\n", ""
        elif name == "t":
            yield one.text or "", ""
        elif name == "AlternateContent":
            yield from (piece for choice in alternatives(one) for piece in _pieces(file, part, choice))
        elif name in ("m", "oMath", "oMathPara"):
            yield "".join(t.text or "" for t in one.iter() if local(t) == "t"), ""


def _run(file: OfficeFile, part: str, run: Element) -> Piece:
    properties = child(run, "rPr")
    text = "".join(one.text or "" for one in children(run, "t"))
    link = child(properties, "hlinkClick")
    if link is not None:
        text = with_address(text, file.address(part, link))
    baseline = properties.get("baseline", "0") if properties is not None else "0"
    if not baseline.strip("-0%."):
        return text, ""
    return text, "lowered" if baseline.startswith("-") else "raised"


def alternatives(element: Element) -> list[Element]:
    """Of contents that are given twice, for new programs and for old ones, the first."""
    return list(children(element, "Choice", "Fallback"))[:1]


def paragraphs(file: OfficeFile, part: str, body: Element | None) -> Iterator[str]:
    """The texts of the paragraphs of a body, those without a word left out."""
    for paragraph in children(body, "p"):
        text = paragraph_text(file, part, paragraph)
        if text.strip():
            yield text


def diagram_blocks(file: OfficeFile, part: str, page: int | None = None) -> Iterator[Block]:
    """The texts of a diagram (SmartArt), given the part of its data."""
    for point in children(child(file.package.xml(part), "ptLst"), "pt"):
        if point.get("type") not in _DIAGRAM_LINKS:
            for text in paragraphs(file, part, child(point, "t")):
                yield Block("item", text, page=page)


def graphic_blocks(file: OfficeFile, part: str, element: Element, page: int | None = None) -> Iterator[Block]:
    """Charts and diagrams that stand below an element."""
    for one in element.iter():
        if local(one) == "chart":
            found = file.follow(part, one)
            if found and found.kind == "chart" and file.is_first(found.target):
                yield from chart_blocks(file, found.target, page)
        elif local(one) == "relIds":
            found = file.follow(part, one, "dm")
            if found and file.is_first(found.target):
                yield from diagram_blocks(file, found.target, page)


def drawing_blocks(file: OfficeFile, part: str) -> Iterator[Block]:
    """Charts, diagrams and texts that lie on a sheet."""
    root = file.package.xml(part)
    if root is None:
        return
    for anchor in root:
        for body in anchor.iter():
            if local(body) == "txBody":
                for text in paragraphs(file, part, body):
                    yield Block("paragraph", text)
        yield from graphic_blocks(file, part, anchor)
