"""HTML to blocks: the main content without navigation, banners, forms and hidden parts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml.html import HtmlElement

from ingestion.corpus import Block, Reading
from ingestion.load.html.blocks import blocks_of, heading_level
from ingestion.load.html.inline import Page
from ingestion.load.html.noise import noise_of
from ingestion.load.html.sight import sight_of
from ingestion.load.html.tree import Tree, look_at, parse
from ingestion.load.text import decode

_LEAST_MAIN_CHARS = 40
_ARTICLE_SHARE = 0.4
_DATES = (
    "date dcterms.modified dc.date.modified dcterms.date dc.date last-modified revised article:modified_time"
    " article:published_time"
).split()
# "Returns | Shop", "csv — Python 3.11 documentation": the page first, then the site.
_SITE = re.compile(r"\s[|–—·»]\s|\s::\s")


@dataclass(frozen=True, slots=True)
class Content:
    """What was read of a page: its blocks, and what of it nobody sees."""

    blocks: tuple[Block, ...]
    hidden: tuple[str, ...]

    @property
    def heading(self) -> str:
        """The page's own heading: the first of the highest kind among its beginning, else nothing."""
        headings = [block for block in self.blocks if block.kind == "heading"]
        top = next((block for block in headings if block.level == 1), None)
        return (top or headings[0]).text if headings else ""


def read_html(data: bytes, name: str) -> Reading:
    """Main content in reading order. Raises `SourceError` when there is no element at all."""
    root = parse(decode(data))
    content = content_of(root)
    return Reading(
        title=content.heading or _declared_title(root) or name,
        blocks=content.blocks,
        language=(root.get("lang") or "").split("-")[0].lower() or None,
        updated=_date(root),
        hidden=content.hidden,
    )


def content_of(root: HtmlElement) -> Content:
    """The blocks of a page."""
    tree = look_at(root)
    content = _read(tree, _main(tree), noise_of(tree))
    if not any(block.kind != "heading" for block in content.blocks):
        # Pages that are navigation altogether, as a table of contents is.
        return _read(tree, _main(tree), noise_of(tree, is_lenient=True))
    return content


def content_of_part(root: HtmlElement) -> Content:
    """The blocks of what is a part of a book, which has its table of contents elsewhere."""
    tree = look_at(root)
    return _read(tree, _main(tree), noise_of(tree, is_part=True))


def content_of_fragment(root: HtmlElement) -> Content:
    """The blocks of HTML that is content altogether, as what a writer put into another format."""
    tree = look_at(root)
    return _read(tree, tree.body, noise_of(tree, is_lenient=True))


def _read(tree: Tree, main: HtmlElement, gone: set[HtmlElement]) -> Content:
    sight = sight_of(tree, gone)
    page = Page(frozenset(gone | sight.hidden), sight.faint, dict(tree.facts), _home(tree.root))
    blocks = [block for block in blocks_of(page, main) if block.text.strip()]
    if not any(block.level == 1 for block in blocks):
        blocks = [*_headings_above(tree, page, main, sight.hidden), *blocks]
    return Content(tuple(blocks), sight.texts)


def _main(tree: Tree) -> HtmlElement:
    """`<main>`, or the only `<article>` that is a good part of the page, else the body."""
    body = tree.body
    found = [one for one in tree.elements if one.tag == "main" or one.get("role") == "main"]
    if len(found) == 1 and tree.facts[found[0]].size > _LEAST_MAIN_CHARS:
        return found[0]
    found = [one for one in tree.elements if one.tag == "article"]
    if len(found) == 1 and tree.facts[found[0]].size > max(
        _LEAST_MAIN_CHARS, _ARTICLE_SHARE * tree.facts[body].size
    ):
        return found[0]
    return body


def _headings_above(
    tree: Tree, page: Page, main: HtmlElement, hidden: frozenset[HtmlElement]
) -> Iterable[Block]:
    """The page's one heading of the first level, where it stands outside of its main part, and is no link to the site."""
    found = [one for one in tree.elements if one.tag == "h1"]
    if len(found) != 1 or found[0] in hidden or tree.facts[found[0]].linked:
        return ()
    if any(one is main for one in found[0].iterancestors()) and found[0] not in page.dropped:
        return ()
    text = page.text(found[0], has_links=False)
    return (Block("heading", text, level=heading_level(found[0])),) if text else ()


def _declared_title(root: HtmlElement) -> str:
    title = " ".join((root.findtext(".//title") or "").split())
    return _SITE.split(title, maxsplit=1)[0].strip()


def _date(root: HtmlElement) -> str | None:
    """When the page says that it was changed, or written."""
    found = {
        (meta.get("name") or meta.get("property") or "").lower(): meta.get("content") or ""
        for meta in root.iter("meta")
    }
    return next((found[name] for name in _DATES if found.get(name)), None)


def _home(root: HtmlElement) -> str:
    """The page's own address, where it says it."""
    for path in (".//base", ".//link[@rel='canonical']"):
        element = root.find(path)
        if element is not None and (element.get("href") or "").startswith(("http://", "https://")):
            return str(element.get("href"))
    return ""
