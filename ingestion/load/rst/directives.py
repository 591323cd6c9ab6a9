"""Directives, fields, targets and comments of reStructuredText."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence

from ingestion.corpus import Block
from ingestion.load.rows import table_blocks
from ingestion.load.text.lines import Found, Line, Sheet, joined
from ingestion.load.text.outline import blocks_of, region_end, verbatim

_DIRECTIVE = re.compile(r"\.\. ([\w:+.-]{1,60})::(?: +(.*))?")
_SUBSTITUTION = re.compile(r"\.\. \|([^|]{1,100})\| ([\w-]{1,40})::(?: +(.*))?")
_NOTE = re.compile(r"\.\. \[[^\]]{1,60}\] +(?=\S)")
_FIELD = re.compile(r":([^:\s`][^:`]{0,80}):(?: +(.*))?")
_CODE = frozenset(
    "code code-block sourcecode parsed-literal literalinclude prompt doctest testcode testoutput math graphviz".split()
)
_SILENT = frozenset(
    "toctree include index contents highlight currentmodule module meta raw default-role sectnum target-notes role"
    " tabularcolumns codeauthor sectionauthor program py:module py:currentmodule automodule autoclass autofunction class-alias"
    " footer header unicode".split()
)
_SAID = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
    "versionremoved": "Removed in version",
}
# Directives that describe something by its name, in whichever language it is.
_DESCRIBES = re.compile(
    r"(?:\w{1,20}:)?(?:function|method|classmethod|staticmethod|coroutinefunction|class|attribute|property|data|exception"
    r"|decorator|option|cmdoption|confval|envvar|describe|object|setting|macro|type|member|var|struct|enum|enumerator|opcode"
    r"|directive|role|token|pdbcommand|2to3fixer|c?function)"
)


def substitutions_of(lines: Sequence[Line]) -> Mapping[str, str]:
    """What `|name|` stands for."""
    found = (_SUBSTITUTION.fullmatch(line.text) for line in lines if line.text.startswith(".. |"))
    return {one[1]: one[3] or "" for one in found if one and one[2] == "replace"}


def directive_rule(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """What begins with two dots: a directive, a footnote, a target or a comment."""
    text = lines[at].text
    if not (text == ".." or text.startswith(".. ")):
        return None
    end = max(region_end(lines, at + 1, lines[at].indent), at + 1)
    below = lines[at + 1 : end]
    found = _DIRECTIVE.fullmatch(text)
    if found:
        return list(_directive(found[1].lower(), found[2] or "", below, sheet, depth)), end
    note = _NOTE.match(text)
    if note:
        column = min((line.indent for line in below if line.text), default=0)
        return list(blocks_of([Line(column, text[note.end() :]), *below], sheet.inner(), depth)), end
    return [], end


def field_rule(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """`:name: value` as a row."""
    found = _FIELD.fullmatch(lines[at].text)
    if not found:
        return None
    end = max(region_end(lines, at + 1, lines[at].indent), at + 1)
    value = joined(
        [Line(0, found[2] or ""), *(line for line in lines[at + 1 : end] if line.text)], sheet.words
    )
    return [Block("row", f"{found[1]}: {value.strip()}", depth=depth)] if value.strip() else [], end


def line_block_rule(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """Lines that begin with a bar, each by itself."""
    end = at
    while end < len(lines) and lines[end].text.startswith("| "):
        end += 1
    return ([Block("item", line.text[2:], depth=depth) for line in lines[at:end]], end) if end > at else None


def _directive(name: str, said: str, below: Sequence[Line], sheet: Sheet, depth: int) -> Iterator[Block]:
    options, body = _options(below)
    if name in _CODE:
        if any(line.text for line in body):
            yield verbatim(body, depth)
    elif name in ("image", "figure"):
        yield Block("paragraph", options.get("alt", ""), depth=depth)
        yield from blocks_of(body, sheet.inner(), depth) if name == "figure" else ()
    elif name in ("csv-table", "list-table"):
        rows = _csv_rows(options, body) if name == "csv-table" else _list_rows(body)
        header = 1 if options.get("header") else int(options.get("header-rows", "0").strip() or 0)
        blocks = table_blocks(rows, header_rows=min(header, len(rows)), caption=said) if rows else ()
        yield from (Block(one.kind, one.text, depth=depth) for one in blocks)
    elif _DESCRIBES.fullmatch(name):
        yield from _described(said, below, sheet, depth)
    elif name not in _SILENT:
        yield from _text(name, said, body, sheet, depth)


def _text(name: str, said: str, body: Sequence[Line], sheet: Sheet, depth: int) -> Iterator[Block]:
    """Notes and whatever else has words: what stands behind its name, and its content."""
    if name in _SAID:
        version, _, rest = said.partition(" ")
        said = f"{_SAID[name]} {version}{':' if rest or any(line.text for line in body) else '.'} {rest}"
    # What begins in the directive's own line may go on below it.
    end = next((number for number, line in enumerate(body) if not line.text), len(body)) if said else 0
    yield Block("paragraph", joined([Line(0, said), *body[:end]], sheet.words), depth=depth)
    yield from blocks_of(body[end:], sheet.inner(), depth)


def _described(said: str, below: Sequence[Line], sheet: Sheet, depth: int) -> Iterator[Block]:
    """A term for all the names of what is described, and its description."""
    end = next(
        (number for number, line in enumerate(below) if not line.text or line.text.startswith(":")),
        len(below),
    )
    names = [one for one in (said, *(line.text for line in below[:end])) if one]
    yield Block("term", ", ".join(names), depth=depth)
    yield from blocks_of(_options(below[end:])[1], sheet.inner(), depth + 1)


def _options(below: Sequence[Line]) -> tuple[dict[str, str], Sequence[Line]]:
    """The options at the head of a directive, and what stands below them."""
    options: dict[str, str] = {}
    for number, line in enumerate(below):
        found = _FIELD.fullmatch(line.text)
        if not found:
            return options, below[number:]
        options[found[1]] = found[2] or ""
    return options, ()


def _csv_rows(options: Mapping[str, str], body: Sequence[Line]) -> list[list[str]]:
    lines = [line for line in (options.get("header", ""), *(line.text for line in body)) if line]
    try:
        return [row for row in csv.reader(lines, skipinitialspace=True) if row]
    except csv.Error:
        return [[line] for line in lines]


def _list_rows(body: Sequence[Line]) -> list[list[str]]:
    """Rows that begin with `* -`, cells that begin with `-`."""
    rows: list[list[str]] = []
    for line in body:
        if line.text.startswith("* -"):
            rows.append([line.text[3:].strip()])
        elif rows and line.text.startswith("- "):
            rows[-1].append(line.text[2:].strip())
        elif rows and line.text:
            rows[-1][-1] += f" {line.text}"
    return rows
