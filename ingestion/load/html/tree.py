"""A parsed page, and what can be said of each element before it is read: how much of it is text, links, fields. Pure."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from ingestion.errors import SourceError

BLOCK_TAGS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main nav ol p pre search section summary table tbody td tfoot th"
    " thead tr ul".split()
)
HEADINGS: Mapping[str, int] = {f"h{level}": level for level in range(1, 7)}
# What holds no text of the page whatever it is named.
UNREAD_TAGS = frozenset(
    "head script style noscript template svg canvas iframe object embed audio video map select option datalist input"
    " textarea progress meter rt rp".split()
)
_FIELDS = frozenset(("input", "select", "textarea"))
_STEPS = frozenset(("prev", "previous", "next", "up", "home", "p", "n", "u", "h"))
_PROLOG = re.compile(r"\s*<\?xml[^>]*\?>")
_IS_XHTML = re.compile(r"""\s*(?:<\?xml|<!DOCTYPE[^>]{1,200}XHTML|<html[^>]{0,500}xmlns)""", re.IGNORECASE)
_ENTRY = re.compile(r"<(/?)(dl|dt|dd)\b", re.IGNORECASE)
_NAMED_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]{1,30});")


@dataclass(slots=True)
class Facts:
    """What an element holds, its descendants included. Lengths are in characters."""

    size: int = 0
    linked: int = 0
    bold: int = 0
    elements: int = 1
    fields: int = 0
    buttons: int = 0
    steps: int = 0  # links to the page before, behind or above this one
    has_blocks: bool = False
    has_main: bool = False
    has_heading: bool = False
    has_table: bool = False

    @property
    def is_clutter(self) -> bool:
        """Links, buttons and fields rather than text."""
        return self.fields > 0 or self.buttons > 0 or self.linked * 2 > self.size

    def is_prose(self, least: int) -> bool:
        """So many characters of text at least, and no clutter."""
        return not self.is_clutter and self.size - self.linked >= least


@dataclass(frozen=True, slots=True)
class Tree:
    """A page. Its elements are kept, so that each has one identity."""

    root: HtmlElement
    elements: Sequence[HtmlElement]
    facts: Mapping[HtmlElement, Facts]

    @property
    def body(self) -> HtmlElement:
        """What is shown."""
        body = self.root.find("body")
        return self.root if body is None else body


def parse(text: str) -> HtmlElement:
    """The root of a page. Raises `SourceError` when there is no element at all."""
    root = _parse_xhtml(text) if _IS_XHTML.match(text) else None
    if root is not None:
        return root
    try:
        # lxml refuses text that declares an encoding. Without `huge_tree` what is nested deeper than 256 elements would be
        # lost without a word.
        parser = lxml_html.HTMLParser(huge_tree=True)
        return lxml_html.document_fromstring(_with_ends(_without_prolog(text)), parser=parser)
    except (ValueError, etree.ParserError) as exc:
        raise SourceError(f"It is not HTML that can be parsed: {exc}") from exc


def _without_prolog(text: str) -> str:
    found = _PROLOG.match(text)
    return text[found.end() :] if found else text


def _with_ends(text: str) -> str:
    """With the end tags of `<dt>` and `<dd>` that HTML lets writers omit: the parser would put each entry into the one before,
    and lose those that are too deep."""
    tags = list(_ENTRY.finditer(text))
    ends = sum(1 for tag in tags if tag[1])
    if 2 * ends >= len(tags):
        return text
    parts, position = [], 0
    opened: list[str] = []  # of each list around, the entry that waits for its end
    for tag in tags:
        name, is_end = tag[2].lower(), bool(tag[1])
        is_next = not is_end and name != "dl"
        if opened and opened[-1] and (is_next or (is_end and name == "dl")):
            parts += [text[position : tag.start()], f"</{opened[-1]}>"]
            position, opened[-1] = tag.start(), ""
        if name == "dl" and not is_end:
            opened.append("")
        elif opened and name == "dl":
            opened.pop()
        elif opened:
            opened[-1] = name if is_next else ""
    return "".join([*parts, text[position:]])


def _parse_xhtml(text: str) -> HtmlElement | None:
    """Well-formed XHTML as XML: `<a id="x"/>` ends there, where HTML would take it for the beginning of a link."""
    if "<!ENTITY" in text:
        return None
    text = _NAMED_ENTITY.sub(lambda found: html.unescape(found[0]), _without_prolog(text))
    parser = lxml_html.XHTMLParser(huge_tree=True, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(text.strip(), parser)
    except (ValueError, etree.XMLSyntaxError):
        return None
    lxml_html.xhtml_to_html(root)
    return root if root.tag == "html" else None


def look_at(root: HtmlElement) -> Tree:
    """The page with the facts of its elements, in two passes whatever their depth."""
    elements = list(root.iter())
    facts = {element: Facts() for element in elements}
    for element in reversed(elements):
        own = facts[element]
        if isinstance(element.tag, str):
            _complete(element, own)
        parent = element.getparent()
        if parent is not None and parent in facts:
            _add(facts[parent], own, element)
    return Tree(root, elements, facts)


def _complete(element: HtmlElement, own: Facts) -> None:
    """Add what an element is itself to what its children told."""
    tag = element.tag
    if tag in UNREAD_TAGS:
        own.size = own.linked = own.bold = 0
        own.fields += tag in _FIELDS and element.get("type") not in ("hidden", "checkbox")
        return
    own.size += len((element.text or "").strip())
    if tag == "a":
        own.linked = own.size if element.get("href") else own.linked
        own.steps += bool(_STEPS & {element.get("rel") or "", (element.get("accesskey") or "").lower()})
    elif tag == "button":
        own.linked = own.size
        own.buttons += 1
    elif tag in ("b", "strong"):
        own.bold = own.size
    own.has_main |= tag in ("main", "h1") or element.get("role") == "main"
    own.has_heading |= tag in HEADINGS


def _add(parent: Facts, own: Facts, element: HtmlElement) -> None:
    parent.size += own.size + len((element.tail or "").strip())
    parent.linked += own.linked
    parent.bold += own.bold
    parent.elements += own.elements
    parent.fields += own.fields
    parent.buttons += own.buttons
    parent.steps += own.steps
    parent.has_blocks |= own.has_blocks or element.tag in BLOCK_TAGS
    parent.has_main |= own.has_main
    parent.has_heading |= own.has_heading
    parent.has_table |= own.has_table or element.tag == "table"


def tokens(element: HtmlElement) -> list[str]:
    """The classes of an element, in small letters."""
    return (element.get("class") or "").lower().split()


def children(element: HtmlElement) -> Iterator[HtmlElement]:
    """The elements within an element, without comments and the like."""
    return (child for child in element if isinstance(child.tag, str))
