"""What of a page is no content: navigation, banners, fields, dialogs, marks beside headings."""

import re
from dataclasses import dataclass

from lxml.html import HtmlElement

from ingestion.load.html.tree import HEADINGS, UNREAD_TAGS, Facts, Tree, tokens

ADMONITIONS = frozenset(
    "admonition note tip hint warning caution important danger attention error callout seealso notice alert info".split()
)
_NEVER_ROLES = frozenset(
    "navigation search dialog alertdialog menu menubar toolbar tablist doc-toc doc-pagebreak".split()
)
_NEVER_TAGS = UNREAD_TAGS - {"head"} | {"nav", "menu", "dialog"}
# Never dropped for a word of their class: a paragraph says what it says.
_TEXT_TAGS = frozenset(
    "html body main article section p li td th tr tbody thead dd dt dl pre code blockquote span b strong em i h1 h2 h3 h4 h5"
    " h6 caption figcaption summary details font center label".split()
)
_CERTAIN = frozenset(
    "navheader navfooter docnav sphinxsidebar sphinxsidebarwrapper breadcrumb breadcrumbs pagination mw-editsection"
    " printfooter rst-versions version-switcher linenos lineno linenodiv edit-this-page page-actions prev-next-area".split()
)
_NAVIGATION = frozenset("nav navbar navigation menu footer consent cookie cookies cookiebanner".split())
_ASIDE = frozenset(
    "sidebar related share social newsletter promo feedback banner ad ads advert adverts advertisement".split()
)
_NAVIGATION_STEMS = ("cookie", "skip")
_CONTENTS = frozenset(
    "toc table-of-contents contents localtoc toctree-wrapper list-of-tables list-of-figures list-of-examples".split()
)
_NOTE_MARKS = frozenset("footnote footnote-reference footnote-ref footnoteref fnref noteref".split())
# A layout that has a sidebar is none.
_STATES = ("has-", "with-", "no-", "without-", "hide-", "show-", "is-", "not-", "open-")
_MARKS = frozenset(("", "¶", "#", "§", "🔗", "link", "permalink", "anchor", "top", "edit", "[edit]"))
_MARK_TOKENS = frozenset(
    "headerlink permalink anchor-link anchorjs-link header-anchor heading-anchor hash-link id_link headinglink".split()
)
_MARK_WORDS = re.compile(r"(?:permalink|link) to (?:this|the)\b", re.IGNORECASE)
_EDIT = re.compile(
    r"(?:edit|improve|view|show|suggest|report|open)\b[\w ]{0,30}\b(?:page|source|github|gitlab|bitbucket|issue|bug)\b",
    re.IGNORECASE,
)
_LEAST_PROSE = 40
_LEAST_WITHOUT_CONTENTS = 200
_SHORT_ELEMENTS = 12
_NOTE_MARK_CHARS = 5


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Whether an element stands within the page's content, and how much text the page has."""

    is_inside: bool
    total: int
    is_lenient: bool
    is_part: bool


def noise_of(tree: Tree, *, is_lenient: bool = False, is_part: bool = False) -> set[HtmlElement]:
    """Elements that are no content, with all that is in them. A lenient look takes out only what holds no text; lists of
    contents count nowhere in what is a part of a book."""
    gone: set[HtmlElement] = set()
    inside: set[HtmlElement] = set()
    total = tree.facts[tree.body].size
    for element in tree.elements:
        parent = element.getparent()
        if parent in gone or not isinstance(element.tag, str):
            gone.add(element)
            continue
        if parent in inside or element.tag in ("main", "article") or element.get("role") == "main":
            inside.add(element)
        if _is_noise(
            element, tree.facts[element], _Surroundings(parent in inside, total, is_lenient, is_part)
        ):
            gone.add(element)
    return gone


def _is_noise(element: HtmlElement, facts: Facts, around: _Surroundings) -> bool:
    tag = element.tag
    if tag in ("html", "body", "main"):
        return False
    if tag in UNREAD_TAGS:
        return True
    if _is_mark(element, facts) or (tag == "button" and not _is_question(element, facts, around)):
        return True
    if around.is_lenient or (facts.has_main and facts.size * 2 > around.total):
        return False
    role = element.get("role")
    if tag in _NEVER_TAGS or role in _NEVER_ROLES or element.get("aria-hidden") == "true":
        return True
    if tag == "label":
        return facts.fields > 0 or element.get("for") is not None
    if tag in ("header", "footer", "aside") or role in ("banner", "contentinfo", "complementary"):
        return _is_frame(element, facts, around)
    return _is_named_noise(element, facts, around) or (facts.steps > 1 and _is_steps(tag, facts))


def _is_frame(element: HtmlElement, facts: Facts, around: _Surroundings) -> bool:
    """The page's own header, footer and margins; those of an article belong to it."""
    parent = element.getparent()
    is_inside = around.is_inside or (parent is not None and parent.tag == "section")
    if element.tag == "header" or element.get("role") == "banner":
        return not is_inside and (not facts.has_main or facts.is_clutter)
    if ADMONITIONS & set(tokens(element)):
        return False
    return not is_inside or facts.is_clutter or _is_named_noise(element, facts, around)


def _is_named_noise(element: HtmlElement, facts: Facts, around: _Surroundings) -> bool:
    """What its class or id calls navigation or an advertisement, unless it reads like text all the same."""
    if element.tag in _TEXT_TAGS and element.tag not in ("section", "dl", "span", "center", "td"):
        return False
    names = tokens(element)
    if not _CERTAIN.isdisjoint(names):
        return True
    if element.tag in ("span", "td"):
        return False
    if element.tag != "section":
        names += (element.get("id") or "").lower().split()
    if not _CONTENTS.isdisjoint(names) and facts.linked * 10 > facts.size * 6:
        is_outermost = _CONTENTS.isdisjoint(tokens(element.getparent()))
        return is_outermost and (around.is_part or around.total - facts.size >= _LEAST_WITHOUT_CONTENTS)
    words = {word for name in names if not name.startswith(_STATES) for word in re.split("[-_]+", name)}
    is_navigation = not _NAVIGATION.isdisjoint(words) or any(w.startswith(_NAVIGATION_STEMS) for w in words)
    if is_navigation and not around.is_inside and element.tag != "section":
        return not (facts.has_heading and facts.is_prose(_LEAST_WITHOUT_CONTENTS) and "cookie" not in words)
    least = 1 if words & {"sidebar"} else _LEAST_PROSE  # a box beside the text, in books
    return (is_navigation or not _ASIDE.isdisjoint(words)) and not facts.is_prose(least)


def _is_steps(tag: str, facts: Facts) -> bool:
    """ "Prev Up Next"."""
    return tag in ("table", "div", "ul", "p") and facts.linked * 10 > facts.size * 4 and facts.size < 300


def _is_mark(element: HtmlElement, facts: Facts) -> bool:
    """A sign beside a heading that links to it, or a link to edit the page."""
    if element.tag != "a" or facts.size > 60 or facts.elements > _SHORT_ELEMENTS:
        return False
    text = " ".join("".join(element.itertext()).split())
    if element.get("role") == "doc-noteref" or not _NOTE_MARKS.isdisjoint(tokens(element)):
        return len(text) <= _NOTE_MARK_CHARS
    is_marked = bool(_MARK_TOKENS.intersection(tokens(element))) or (element.get("href") or "").startswith(
        "#"
    )
    if is_marked and (text.lower() in _MARKS or _MARK_WORDS.match(text)):
        return True
    return bool(_EDIT.fullmatch(text))


def _is_question(element: HtmlElement, facts: Facts, around: _Surroundings) -> bool:
    """A button that shows the text below it, as in lists of questions."""
    parent = element.getparent()
    if parent is not None and (parent.tag in HEADINGS or parent.tag in ("dt", "summary")):
        return True
    return is_toggle(element) and facts.size > 0 and (around.is_inside or not around.total)


def is_toggle(element: HtmlElement) -> bool:
    """Whether a button shows and hides something."""
    return element.tag == "button" and element.get("aria-expanded") is not None
