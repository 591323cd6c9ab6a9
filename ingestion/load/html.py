"""HTML to blocks: the main content without navigation, banners, forms and hidden parts."""

import re
from collections.abc import Iterator

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rows import table_blocks
from ingestion.load.text import decode

_DROPPED = frozenset(
    "script style noscript template svg canvas iframe object form button select nav header footer"
    " aside dialog menu input textarea label".split()
)
_DROPPED_ROLES = frozenset("navigation banner contentinfo search complementary dialog menu".split())
_BOILERPLATE = re.compile(
    r"(^|[\s_-])(nav|navbar|navheader|navfooter|navigation|menu|breadcrumbs?|cookie\S*|consent|sidebar|footer|related|share|social"
    r"|newsletter|advert\S*|promo|feedback|pagination|skip\S*)($|[\s_-])"
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|opacity\s*:\s*0(?![.\d]*[1-9])"
    r"|(?:left|top|text-indent)\s*:\s*-\d{4,}|(?<![-\w])color\s*:\s*(?:#fff(?:fff)?\b|white\b|transparent)"
    r"|clip\s*:\s*rect\(0|height\s*:\s*0(?:px)?\s*;[^\"]{0,1000}overflow\s*:\s*hidden",
    re.IGNORECASE,
)
_LONG_COMMENT = 40
_BLOCK_TAGS = frozenset(
    "address article blockquote body center dd details div dl dt fieldset figcaption figure h1 h2 h3"
    " h4 h5 h6 hr html li main ol p pre section summary table tbody td th thead tr ul".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_MAX_DEPTH = 200


def read_html(data: bytes, name: str) -> Reading:
    """Main content in reading order. Raises `SourceError` when there is no element at all."""
    root = _parse(data)
    hidden = _prune(root)
    blocks = tuple(_walk(_main(root), 0))
    first = next((b.text for b in blocks if b.kind == "heading"), None)
    title = first or (root.findtext(".//title") or "").split("|")[0].strip() or name
    date = root.xpath('string(//meta[@name="date"]/@content)')
    return Reading(
        title=" ".join(title.split()),
        blocks=blocks,
        language=(root.get("lang") or "").split("-")[0].lower() or None,
        updated=str(date) or None,
        hidden=tuple(hidden),
    )


def _parse(data: bytes) -> HtmlElement:
    text = decode(data)
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)  # lxml refuses text that declares an encoding
    try:
        # Without `huge_tree` what is nested deeper than 256 elements would be lost without a word.
        root = lxml_html.document_fromstring(text, parser=lxml_html.HTMLParser(huge_tree=True))
    except (ValueError, lxml_html.etree.ParserError) as exc:
        raise SourceError(f"It is not HTML that can be parsed: {exc}") from exc
    return root


def _prune(root: HtmlElement) -> list[str]:
    """Take out what is no content; what of it was hidden from readers is returned."""
    hidden: list[str] = []
    for element in list(root.iter()):
        if not isinstance(element.tag, str):
            if element.tag is etree.Comment and len(element.text or "") > _LONG_COMMENT:
                hidden.append(" ".join((element.text or "").split()))
            if element.getparent() is not None:
                element.drop_tree()
        elif element.tag in ("html", "body", "head") or _is_gone(element):
            continue
        elif _is_hidden(element):
            hidden.append(" ".join(element.text_content().split()))
            element.drop_tree()
        elif _is_noise(element):
            element.drop_tree()
    return [text for text in hidden if text]


def _is_gone(element: HtmlElement) -> bool:
    return element.getparent() is None


def _is_hidden(element: HtmlElement) -> bool:
    """Hidden from readers, as far as the element itself says so."""
    if element.tag in _DROPPED:
        return False
    if element.get("hidden") is not None:
        return True
    style = element.get("style")
    return bool(style and _HIDDEN.search(style)) or element.get("class") in ("sr-only", "visually-hidden")


def _is_noise(element: HtmlElement) -> bool:
    if element.tag in _DROPPED or element.get("role") in _DROPPED_ROLES:
        return True
    if element.get("aria-hidden") == "true":
        return True
    names = f"{element.get('class') or ''} {element.get('id') or ''}".lower()
    return element.tag != "main" and len(names) > 3 and bool(_BOILERPLATE.search(names))


def _main(root: HtmlElement) -> HtmlElement:
    """`<main>` or the only `<article>`, else the body."""
    for path in ('//main | //*[@role="main"]', "//article"):
        found = root.xpath(path)
        if len(found) == 1 and len(found[0].text_content().strip()) > 40:
            return found[0]
    body = root.find("body")
    return root if body is None else body


def _walk(element: HtmlElement, depth: int) -> Iterator[Block]:
    if element.tag in _HEADINGS:
        yield Block("heading", element.text_content(), level=_HEADINGS[element.tag])
    elif element.tag == "pre":
        yield Block("code", element.text_content())
    elif element.tag == "table":
        yield from table_blocks(_rows(element))
    elif depth > _MAX_DEPTH or not _has_blocks(element):
        yield Block("item" if element.tag in ("li", "dd", "dt") else "paragraph", _text(element))
    else:
        yield from _children(element, depth)


def _children(element: HtmlElement, depth: int) -> Iterator[Block]:
    """Blocks of the children; text and inline elements between them are paragraphs."""
    run = [element.text or ""]
    for child in element:
        if child.tag in _BLOCK_TAGS or _has_blocks(child):
            yield Block("paragraph", "".join(run))
            run = []
            yield from _walk(child, depth + 1)
        else:
            run.append(_text(child))
        run.append(child.tail or "")
    yield Block("paragraph", "".join(run))


def _has_blocks(element: HtmlElement) -> bool:
    return any(child.tag in _BLOCK_TAGS for child in element.iterdescendants())


def _text(element: HtmlElement) -> str:
    for br in element.iter("br"):
        br.tail = " " + (br.tail or "")
    return str(element.text_content())


def _rows(table: HtmlElement) -> list[list[str]]:
    return [
        [_text(cell) for cell in row.iterchildren("td", "th")]
        for row in table.iter("tr")
        if row.getparent() is not None
    ]
