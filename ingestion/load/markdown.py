"""Markdown (CommonMark with tables) to blocks, the HTML within it too; YAML front matter to what the page says of itself."""

import html
import re
from collections.abc import Sequence
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from ingestion.corpus import Reading
from ingestion.load.html import content_of_fragment
from ingestion.load.html.tree import parse
from ingestion.load.text import decode

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_COMMENT = "<!--"  # of writers to each other
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)")
# Tags that writers use within a line; `<file>` and `<title>` there are words.
_INLINE_TAGS = frozenset(
    "a abbr b bdi bdo big br cite code del details dfn div em font i img ins kbd mark p q rp rt ruby s samp small span"
    " strike strong sub summary sup time tt u var wbr".split()
)
# What an HTML parser reads up to its end tag, or takes out with all that stands in it.
_ENCLOSING_TAGS = frozenset(
    "title textarea style script xmp plaintext iframe noembed noframes noscript select template svg math object head"
    " frameset nav menu dialog canvas audio video".split()
)


class _Renderer(RendererHTML):
    """HTML of a page, in which images are their alternative text and tags that nobody closes are words."""

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """The alternative text."""
        token = tokens[idx]
        return html.escape(self.renderInlineAsText(token.children, options, env) if token.children else "")

    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A tag within a line."""
        content = tokens[idx].content
        if content.startswith(_COMMENT):
            return ""
        found = _TAG.match(content)
        if found and found[2].lower() not in _INLINE_TAGS:
            return html.escape(content)
        return content

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Lines of HTML, with all tags or without any."""
        content = tokens[idx].content
        if content.startswith(_COMMENT):
            return ""
        balance: dict[str, int] = {}
        for found in _TAG.finditer(content):
            name = found[2].lower()
            balance[name] = balance.get(name, 0) + (-1 if found[1] else 1)
        is_open = any(count > 0 for name, count in balance.items() if name in _ENCLOSING_TAGS)
        return f"<p>{html.escape(content)}</p>" if is_open else content


_PARSER = MarkdownIt("commonmark", renderer_cls=_Renderer).enable("table")


def read_markdown(data: bytes, name: str) -> Reading:
    """Headings, paragraphs, list items, code and table rows in reading order."""
    text = decode(data).replace("\r\n", "\n")
    facts, body = _front_matter(text)
    content = content_of_fragment(parse(f"<html><body>{_PARSER.render(body)}</body></html>"))
    return Reading(
        title=facts.get("title") or content.heading or name,
        blocks=content.blocks,
        language=facts.get("language"),
        updated=facts.get("updated"),
        superseded_by=facts.get("superseded_by"),
        hidden=content.hidden,
    )


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    try:
        raw: Any = yaml.safe_load(found[1])
    except (yaml.YAMLError, RecursionError):
        return {}, text
    if not isinstance(raw, dict):
        return {}, text
    return {str(k): str(v) for k, v in raw.items() if v is not None}, text[found.end() :]
