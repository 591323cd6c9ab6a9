"""Markdown (CommonMark with tables) to blocks; YAML front matter to what the page says of itself."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingestion.corpus import Block, Reading
from ingestion.load.rows import table_blocks
from ingestion.load.text import decode

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_PARSER = MarkdownIt("commonmark").enable("table")


def read_markdown(data: bytes, name: str) -> Reading:
    """Headings, paragraphs, list items, code and table rows in reading order."""
    text = decode(data).replace("\r\n", "\n")
    facts, body = _front_matter(text)
    blocks = tuple(_blocks(_PARSER.parse(body)))
    first = next((b.text for b in blocks if b.kind == "heading"), name)
    return Reading(
        title=facts.get("title") or first,
        blocks=blocks,
        language=facts.get("language"),
        updated=facts.get("updated"),
        superseded_by=facts.get("superseded_by"),
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


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    depth = 0
    rows: list[list[str]] = []
    for index, token in enumerate(tokens):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            yield from table_blocks(rows)
            rows = []
        elif token.type in ("fence", "code_block"):
            yield Block("code", token.content)
        elif token.type == "inline":
            opener = tokens[index - 1]
            if opener.type in ("th_open", "td_open"):
                rows[-1].append(_plain(token))
            elif opener.type == "heading_open":
                yield Block("heading", _plain(token), level=int(opener.tag[1]))
            else:
                yield Block("item" if depth else "paragraph", _plain(token))


def _plain(token: Token) -> str:
    """The words of an inline token without its markup; an image leaves its alternative text."""
    parts = []
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts)
