"""Text of elements as a reader sees it: spaces where blocks end, raised digits as powers, addresses beside their links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lxml import etree
from lxml.html import HtmlElement

from ingestion.load.html.tree import BLOCK_TAGS, Facts
from ingestion.load.raised import lowered_text, raised_text

_SHORT_CHARS, _SHORT_ELEMENTS = 40, 8
_LINK_CHARS, _LINK_ELEMENTS, _ADDRESS_CHARS = 300, 30, 200
_SHARED_TAIL_CHARS = 24
# Stands between the items of a list within text; no page can hold it.
_BETWEEN = "\x00"
_FRACTION_BARS = ("/", "⁄", "")
_FILE = re.compile(
    r"\.(?:pdf|zip|exe|msi|dmg|deb|rpm|apk|iso|docx?|xlsx?|pptx?|od[tsp]|csv|epub|tar|t?gz|tgz|xz|whl|jar)$",
    re.IGNORECASE,
)
# Words of a link that say nothing of where it leads.
_POINTING = re.compile(
    r"\b(?:here|this|link|download\w*|pdf|hier|herunterladen|ici|télécharger|aquí|descargar|enlace|qui|scarica|aqui|baixar)\b",
    re.IGNORECASE,
)
_ADDRESS_START = re.compile(r"(?:[a-z]{2,8}:)?(?://)?(?:www\.)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What is needed to read the text of elements: those that aren't shown, facts of all, and where the page stands."""

    dropped: frozenset[HtmlElement]
    faint: frozenset[HtmlElement]
    facts: dict[HtmlElement, Facts]
    home: str = ""

    def text(self, element: HtmlElement, *, line_break: str = " ", has_links: bool = True) -> str:
        """An element's text in one line."""
        run = Run(self, line_break=line_break, has_links=has_links)
        run.inside(element)
        return run.taken()

    def code(self, element: HtmlElement) -> str:
        """An element's text with its line breaks and as it stands, without marks of any kind."""
        run = Run(self, line_break="\n", has_links=False, is_code=True)
        run.inside(element)
        return "".join(run.parts)


class Run:
    """Text and inline elements in a row, as they are met."""

    def __init__(
        self, page: Page, *, line_break: str = " ", has_links: bool = True, is_code: bool = False
    ) -> None:
        self.parts: list[str] = []
        self._page = page
        self._break = line_break
        self._has_links = has_links
        self._is_code = is_code
        self._tail = ""

    def taken(self) -> str:
        """The text so far in one line; the run begins anew."""
        text = " ".join("".join(self.parts).split())
        self.parts, self._tail = [], ""
        if _BETWEEN in text:
            text = text.replace(f" {_BETWEEN}", _BETWEEN).replace(f"{_BETWEEN} ", _BETWEEN).strip(_BETWEEN)
        return text.replace(_BETWEEN, ", ")

    def add(self, text: str | None) -> None:
        """Text as it stands."""
        if text:
            self.parts.append(text)
            self._tail = (self._tail + text[-_SHARED_TAIL_CHARS:])[-_SHARED_TAIL_CHARS:]

    def inside(self, element: HtmlElement) -> None:
        """All that an element holds."""
        for _ in self._walked(element, is_root=True):
            pass

    def element(self, element: HtmlElement) -> None:
        """An element as it stands among text: with what its tag means, without what follows it."""
        if element not in self._page.dropped:
            for _ in self._walked(element, is_root=False):
                pass

    def _walked(self, root: HtmlElement, *, is_root: bool) -> Iterator[None]:
        """Goes through a subtree without recursion, which deep nesting would exhaust."""
        links: list[int] = []
        walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walker:
            is_own = element is root
            if event == "start":
                if element in self._page.dropped and not is_own:
                    walker.skip_subtree()
                elif not (is_own and is_root) and self._is_whole(element):
                    walker.skip_subtree()
                else:
                    links.append(len(self.parts)) if element.tag == "a" else None
                    self._begin(element)
                    if element not in self._page.faint:
                        self.add(element.text)
                continue
            if event == "end" and element not in self._page.dropped and not self._is_special(element):
                self._end(element)
                if element.tag == "a" and links:
                    self._link(element, links.pop())
            if not is_own and element.getparent() not in self._page.faint:
                self.add(element.tail)
            yield

    def _is_special(self, element: HtmlElement) -> bool:
        facts = self._page.facts.get(element)
        return (
            not self._is_code
            and element.tag in ("sup", "sub")
            and facts is not None
            and facts.size <= _SHORT_CHARS
            and facts.elements <= _SHORT_ELEMENTS
        )

    def _is_whole(self, element: HtmlElement) -> bool:
        """Whether an element was read as a whole: a raised or a lowered one."""
        if not self._is_special(element) or element in self._page.faint:
            return False
        inner = Run(self._page, has_links=False)
        inner.inside(element)
        text = inner.taken()
        if element.tag == "sub":
            self.add(lowered_text(self._tail, text))
        elif _is_over(element):
            self.add(f" {text}" if self._tail[-1:].isdigit() else text)
        elif not _is_reference(element):
            self.add(raised_text(self._tail, text))
        return True

    def _begin(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag == "br":
            self.add(self._break)
        elif tag in BLOCK_TAGS and not self._is_code:
            self.add(_gap(element))
        elif tag == "q":
            self.add('"')

    def _end(self, element: HtmlElement) -> None:
        if element.tag in BLOCK_TAGS and not self._is_code:
            self.add(" ")
        elif element.tag == "q":
            self.add('"')

    def _link(self, element: HtmlElement, start: int) -> None:
        facts = self._page.facts.get(element)
        if (
            not self._has_links
            or facts is None
            or facts.size > _LINK_CHARS
            or facts.elements > _LINK_ELEMENTS
        ):
            return
        text = " ".join("".join(self.parts[start:]).split())
        address = address_of(element.get("href") or "", text, self._page.home)
        if text and address and _bare(address) not in _bare(_said_next(element)):
            self.add(f" ({address})")


def _gap(element: HtmlElement) -> str:
    """What stands before a block within text: items and rows of a cell are told apart by more than a space."""
    if element.tag in ("li", "tr", "dt") and element.getprevious() is not None:
        return _BETWEEN
    return " "


def _is_over(element: HtmlElement) -> bool:
    """The upper half of a fraction."""
    after = element.getnext()
    return after is not None and after.tag == "sub" and (element.tail or "").strip() in _FRACTION_BARS[:2]


def _is_reference(element: HtmlElement) -> bool:
    """A raised link, or a part of one, leads to a footnote."""
    parent = element.getparent()
    names = f"{element.get('class') or ''} {parent.get('class') or '' if parent is not None else ''}".lower()
    is_within = parent is not None and parent.tag == "a"
    return is_within or "footnote" in names or "reference" in names or element.find("a") is not None


def address_of(href: str, text: str, home: str) -> str:
    """The address of a link where it says what its text doesn't: it leads to another site or to a file, or its text merely
    points. Relative ones count where the page says its own address."""
    href = href.strip()
    if not href or href.startswith("#") or len(href) > _ADDRESS_CHARS:
        return ""
    try:
        address = urljoin(home, href) if home else href
        parts, own = urlsplit(address), urlsplit(home)
    except ValueError:
        return ""
    if parts.scheme in ("mailto", "tel"):
        address = parts.path
    elif parts.scheme not in ("http", "https", "ftp") or not parts.netloc:
        return ""
    elif parts.netloc == own.netloc and not _FILE.search(parts.path) and not _POINTING.search(text):
        return ""
    return "" if _bare(address) in _bare(text) else address


def _said_next(element: HtmlElement) -> str:
    """What stands right behind an element, where makers of books repeat an address."""
    following = element.getnext()
    inner = "" if following is None else following.text or ""
    return f"{(element.tail or '')[:_ADDRESS_CHARS]}{inner[: 2 * _ADDRESS_CHARS]}"


def _bare(text: str) -> str:
    """An address as people write it: in small letters, without scheme, `www.` and closing slash."""
    text = "".join(text.split()).lower()
    return _ADDRESS_START.sub("", text, count=1).rstrip("/.")
