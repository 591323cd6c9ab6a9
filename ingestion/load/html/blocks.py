"""Elements to blocks in reading order: headings, paragraphs, items, terms with what explains them, code, rows of tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lxml.html import HtmlElement

from ingestion.corpus import Block
from ingestion.load.html.grid import TABLE_PARTS
from ingestion.load.html.inline import Page, Run
from ingestion.load.html.noise import ADMONITIONS, is_toggle
from ingestion.load.html.tables import entries_of, is_layout, rows_of, table_lines
from ingestion.load.html.tree import BLOCK_TAGS, HEADINGS, children, tokens

_MAX_DEPTH = 200
_MOST_TERMS = 8
_BOXES = frozenset(("div", "aside", "section", "blockquote"))
_TITLED = ADMONITIONS | {"sidebar", "topic"}
_WRAPPERS = 6
_LABEL_WORDS = 3
_MOST_NAMES = 12


def blocks_of(page: Page, element: HtmlElement, depth: int = 0, terms: int = 0) -> Iterator[Block]:
    """An element as blocks. `depth` counts elements around it, `terms` those whose explanation it belongs to."""
    tag = element.tag
    if element in page.dropped or not isinstance(tag, str):
        return
    level = heading_level(element)
    if level:
        yield Block("heading", page.text(element, has_links=False), level=level)
    elif tag == "pre":
        yield Block("code", page.code(element), depth=terms)
    elif depth > _MAX_DEPTH or not page.facts[element].has_blocks:
        yield Block("item" if tag == "li" else "paragraph", page.text(element), depth=terms)
    elif tag == "table":
        yield from _table(page, element, depth, terms)
    elif tag == "dl":
        yield from _definitions(page, element, depth, terms)
    elif tag == "details":
        yield from _details(page, element, depth, terms)
    elif tag == "li":
        yield from _item(list(_inside(page, element, depth, terms)))
    elif tag in _BOXES and not _TITLED.isdisjoint(tokens(element)):
        yield from _box(page, element, depth, terms)
    else:
        yield from _inside(page, element, depth, terms)


def heading_level(element: HtmlElement) -> int:
    """1 to 6 for a heading, 0 for anything else."""
    if element.get("role") == "heading":
        level = element.get("aria-level") or "2"
        return int(level) if level in "123456" and len(level) == 1 else 2
    return HEADINGS.get(element.tag, 0)


def _inside(
    page: Page, element: HtmlElement, depth: int, terms: int, *, without: HtmlElement | None = None
) -> Iterator[Block]:
    """Blocks of the children; text and inline elements between them are paragraphs."""
    run = Run(page)
    is_faint = element in page.faint
    opened = 0  # by a button that shows what comes next
    if not is_faint:
        run.add(element.text)
    for child in element:
        if child is without or child in page.dropped or not isinstance(child.tag, str):
            pass
        elif is_toggle(child):
            yield Block("paragraph", run.taken(), depth=terms)
            yield Block("term", page.text(child), depth=terms)
            opened = 1
        elif child.tag in BLOCK_TAGS or page.facts[child].has_blocks:
            yield Block("paragraph", run.taken(), depth=terms)
            yield from blocks_of(page, child, depth + 1, min(terms + opened, _MOST_TERMS))
            opened = 0
        else:
            run.element(child)
        if not is_faint:
            run.add(child.tail)
    yield Block("paragraph", run.taken(), depth=terms)


def _item(blocks: Sequence[Block]) -> Iterator[Block]:
    """What a list's item holds: its first paragraph is the item."""
    first = next((index for index, block in enumerate(blocks) if block.text.strip()), None)
    for index, block in enumerate(blocks):
        is_item = index == first and block.kind == "paragraph"
        yield replace(block, kind="item") if is_item else block


def _definitions(page: Page, element: HtmlElement, depth: int, terms: int) -> Iterator[Block]:
    """Terms, several in a row as one, each with its explanation below it. A list of links is one of items."""
    facts = page.facts[element]
    is_contents = facts.linked * 2 > facts.size
    names: list[str] = []
    below = terms
    has_names = "footnote" not in tokens(element)
    for entry in _entries(page, element):
        if entry.tag == "dt" and not has_names:
            continue
        if is_contents:
            yield from _item(list(_inside(page, entry, depth + 1, terms)))
        elif entry.tag == "dt":
            name = page.text(entry, line_break=", ", has_links=False)
            names += [name.replace(",,", ",")] if name else []
            below = terms
        else:
            yield from _term(names, terms)
            below = min(terms + 1, _MOST_TERMS) if names else below
            names = []
            yield from _inside(page, entry, depth + 1, below)
    yield from _term(names, terms)


def _entries(page: Page, element: HtmlElement) -> Iterator[HtmlElement]:
    """`<dt>` and `<dd>`, within `<div>` too."""
    for child in children(element):
        if child in page.dropped:
            continue
        if child.tag == "div":
            yield from (one for one in children(child) if one not in page.dropped)
        else:
            yield child


def _term(names: Sequence[str], terms: int) -> Iterator[Block]:
    """One term of several names; more than anything has are entries of an index."""
    if len(names) > _MOST_NAMES:
        yield from (Block("item", name, depth=terms) for name in names)
    elif names:
        yield Block("term", ", ".join(name.rstrip(", ") for name in names), depth=terms)


def _details(page: Page, element: HtmlElement, depth: int, terms: int) -> Iterator[Block]:
    summary = next((child for child in children(element) if child.tag == "summary"), None)
    name = "" if summary is None or summary in page.dropped else page.text(summary, has_links=False)
    yield from _term([name] if name else [], terms)
    below = min(terms + 1, _MOST_TERMS) if name else terms
    yield from _inside(page, element, depth, below, without=summary)


def _box(page: Page, element: HtmlElement, depth: int, terms: int) -> Iterator[Block]:
    """A note or a sidebar: `Note: …`, or a title of its own as a term. Its title is no heading of what follows the box."""
    title = _title_of(page, element)
    if title is None:
        yield from _inside(page, element, depth, terms)
        return
    first, name = title
    if len(name.split()) > _LABEL_WORDS or ADMONITIONS.isdisjoint(tokens(element)):
        yield from _term([name], terms)
        yield from _inside(page, element, depth, min(terms + 1, _MOST_TERMS), without=first)
        return
    blocks = [block for block in _inside(page, element, depth, terms, without=first) if block.text.strip()]
    label = name.rstrip(":")
    if blocks and blocks[0].kind in ("paragraph", "item"):
        is_said = blocks[0].text.lower().startswith(label.lower())
        yield blocks[0] if is_said else replace(blocks[0], text=f"{label}: {blocks[0].text}")
        yield from blocks[1:]
    else:
        yield Block("paragraph", name, depth=terms)
        yield from blocks


def _title_of(page: Page, element: HtmlElement) -> tuple[HtmlElement, str] | None:
    """The first child of a box, when it is its title or holds nothing else, and what it says."""
    first = _first_told(page, element)
    if first is None or (element.text or "").strip():
        return None
    inner: HtmlElement | None = first
    for _ in range(_WRAPPERS):
        if inner is None:
            return None
        names = tokens(inner)
        if heading_level(inner) or (
            inner.tag in ("p", "div", "span") and any(_is_title(name) for name in names)
        ):
            name = page.text(inner, has_links=False)
            return (first, name) if name and page.facts[inner].size == page.facts[first].size else None
        inner = _first_told(page, inner)
    return None


def _first_told(page: Page, element: HtmlElement) -> HtmlElement | None:
    """The first child in which there is text; anchors stand before titles."""
    shown = (child for child in children(element) if child not in page.dropped)
    return next((child for child in shown if page.facts[child].size), None)


def _is_title(name: str) -> bool:
    return name == "title" or name.endswith(("-title", "_title"))


def _table(page: Page, table: HtmlElement, depth: int, terms: int) -> Iterator[Block]:
    for child in children(table):
        if child.tag not in TABLE_PARTS:
            yield from blocks_of(page, child, depth + 1, terms)
    lines = table_lines(page, table)
    if is_layout(page, table, lines):
        for line in lines:
            for cell in line.cells:
                yield from _inside(page, cell, depth + 1, terms)
        return
    entries = entries_of(page, lines)
    if entries:
        for entry in entries:
            yield from _entry(page, entry, depth, terms)
        return
    for block in rows_of(page, table, lines):
        yield replace(block, depth=min(block.depth + terms, _MOST_TERMS))


def _entry(page: Page, paragraphs: Sequence[HtmlElement], depth: int, terms: int) -> Iterator[Block]:
    """A cell that explains functions: the paragraphs of the first one's class name them."""
    named = tokens(paragraphs[0])
    count = 1
    while named and count < len(paragraphs) - 1 and tokens(paragraphs[count]) == named:
        count += 1
    yield from _term([page.text(one, has_links=False) for one in paragraphs[:count]], terms)
    for one in paragraphs[count:]:
        yield from blocks_of(page, one, depth + 1, min(terms + 1, _MOST_TERMS))
