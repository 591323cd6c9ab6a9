"""The blocks of text by its indentation: each rule tries what begins at a line, and says where it ends."""

import re
from collections.abc import Iterator, Sequence

from ingestion.corpus import Block, BlockKind
from ingestion.load.text.grids import grid_rule
from ingestion.load.text.headings import heading_rule, is_numbered, levels_of
from ingestion.load.text.lines import (
    Found,
    Line,
    Rule,
    Sheet,
    columns_of,
    gaps,
    is_wrapped,
    joined,
    width_of,
    words_of,
)

_DEEPEST = 20
_BULLET = re.compile(r"(?:(?:[-*•‣◦⁃·o+–—∙]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|\[\d{1,3}\]) +)+(?=\S)")
_STAMPED = re.compile(r"\[?\(?(?:\d{4}\D|\d{1,2}[:/.]\d{2})")
_PROMPT = re.compile(r"[$#%] \S|>>> ")
_OPTION = re.compile(r"--?[\w?#@]")
_LABELLED = re.compile(r"[\w &/().'-]{1,30}:(?: |$)")
_SHORT_LINES = 3
_LONGEST_TERM, _MOST_TERMS = 100, 8
_CODE = re.compile(
    r"[{}<>|\\$=`\[\];^]|^[#%$>+@]|\w\(|\w/\w|::|(?:^| )--?[A-Za-z]|^\S+\.\w+$|\w_\w| {2,}|^[A-Z_]+ *[:=]"
)
_PLAIN_WORD = re.compile(r"[(\"'“‘]?[^\W\d_]+(?:['’-][^\W\d_]+)*[)\"'”’]?[.,:;!?]?")


def sheet_of(lines: Sequence[Line], rules: tuple[Rule, ...] = ()) -> Sheet:
    """What the whole of a text tells of its lines; `rules` are tried before those of all text."""
    return Sheet(
        width_of(lines), columns_of(lines), words_of(lines), levels_of(lines), is_numbered(lines), rules
    )


def blocks_of(lines: Sequence[Line], sheet: Sheet, depth: int = 0) -> Iterator[Block]:
    """The blocks of some lines that stand together, under `depth` terms."""
    base = min((line.indent for line in lines if line.text), default=0)
    at = 0
    while at < len(lines):
        if not lines[at].text:
            at += 1
        elif lines[at].indent > base:
            blocks, at = _indented(lines, at, sheet, depth, base)
            yield from blocks
        else:
            blocks, at = _first(lines, at, sheet, depth)
            yield from blocks


def _first(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found:
    """What the first rule makes of it that has something to say. The last always has."""
    for rule in (*sheet.rules, *RULES):
        found = rule(lines, at, sheet, depth)
        if found is not None:
            return found
    return _paragraph(lines, at, sheet, depth)


def region_end(lines: Sequence[Line], at: int, indent: int) -> int:
    """Behind the last line from `at` on that is indented by more than `indent`; blank lines at its end are left out."""
    end = at
    for number in range(at, len(lines)):
        if lines[number].text:
            if lines[number].indent <= indent:
                break
            end = number + 1
    return end


def paragraph_end(lines: Sequence[Line], at: int) -> int:
    """Behind the last line of the paragraph that begins at `at`: what follows is blank or indented otherwise."""
    end = at + 1
    while end < len(lines) and lines[end].text and lines[end].indent == lines[at].indent:
        end += 1
    return end


def is_code(lines: Sequence[Line]) -> bool:
    """Whether lines look like what a machine reads or wrote, and not like sentences."""
    said = [line.text for line in lines if line.text]
    marked = sum(_CODE.search(text) is not None for text in said)
    prose = sum(_is_prose(text) for text in said)
    return 2 * marked >= len(said) and 2 * prose < len(said)


def _is_prose(text: str) -> bool:
    words = text.split()
    plain = sum(_PLAIN_WORD.fullmatch(word) is not None for word in words)
    is_sentence = text[-1:] in ".!?)" and text.lstrip("(")[:1].isupper() and len(words) >= 4
    return (len(words) >= 5 and plain >= 0.75 * len(words)) or (is_sentence and plain >= len(words) / 2)


def verbatim(lines: Sequence[Line], depth: int) -> Block:
    """Lines as they stand, but for the indentation that all have."""
    base = min((line.indent for line in lines if line.text), default=0)
    text = "\n".join(" " * (line.indent - base) + line.text if line.text else "" for line in lines)
    return Block("code", text, depth=depth)


def _indented(lines: Sequence[Line], at: int, sheet: Sheet, depth: int, base: int) -> Found:
    """What stands deeper than its neighbours: the first line of a paragraph, code, or text that is set in."""
    after = lines[at + 1] if at + 1 < len(lines) else Line(0, "")
    if after.text and after.indent < lines[at].indent and is_wrapped(lines[at], after, sheet.width):
        end = paragraph_end(lines, at + 1)
        return [Block("paragraph", joined(lines[at:end], sheet.words), depth=depth)], end
    end = region_end(lines, at, base)
    region = lines[at:end]
    before = next((line.text for line in reversed(lines[max(0, at - 3) : at]) if line.text), "")
    is_short = not any(_is_prose(line.text) or _BULLET.match(line.text) for line in region) and (
        before.endswith(":")
        or (len(region) <= _SHORT_LINES and not region[0].text[0].isupper() and bool(before))
    )
    looks_verbatim = _PROMPT.match(lines[at].text) or is_code(region) or is_short or sheet.nesting >= _DEEPEST
    if before.endswith("::") or (looks_verbatim and grid_rule(region, 0, sheet, depth) is None):
        return [verbatim(region, depth)], end
    return list(blocks_of(region, sheet.inner(), depth)), end


def _bullet(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """An item with all that is indented below it."""
    mark = _BULLET.match(lines[at].text)
    if not mark or sheet.nesting >= _DEEPEST:
        return None
    indent = lines[at].indent
    end = at + 1
    while _is_lazy(lines, end, indent, sheet.width):
        end += 1
    lazy, end = lines[at + 1 : end], region_end(lines, end, indent)
    below = lines[at + 1 + len(lazy) : end]
    column = min((line.indent for line in below if line.text), default=indent + mark.end())
    body = [Line(column, lines[at].text[mark.end() :]), *(Line(column, line.text) for line in lazy), *below]
    first = 1 + len(lazy)
    while first < len(body) and _goes_on(body[first], column):
        first += 1
    item = Block("item", joined(body[:first], sheet.words), depth=depth)
    return [item, *blocks_of(body[first:], sheet.inner(), depth)], max(end, at + 1 + len(lazy))


def _goes_on(line: Line, column: int) -> bool:
    """Whether a line right below an item's first is of the same paragraph."""
    is_other = any(mark.match(line.text) for mark in (_BULLET, _PROMPT, _LABELLED))
    return bool(line.text) and line.indent == column and not is_other


def _is_lazy(lines: Sequence[Line], at: int, indent: int, width: int) -> bool:
    """Whether a line that isn't set in goes on with the item before it."""
    if at >= len(lines) or not lines[at].text or lines[at].indent != indent:
        return False
    return not _BULLET.match(lines[at].text) and is_wrapped(lines[at - 1], lines[at], width)


def _term_beside(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """A term and its explanation in one line: `-4      Use IPv4 only.`, further lines below the explanation."""
    line = lines[at]
    after = lines[at + 1] if at + 1 < len(lines) else Line(0, "")
    beside = after.indent if after.text and after.indent > line.indent else 0
    column = next((one for one in _columns_within(line, sheet, beside)), 0)
    if not column or sheet.nesting >= _DEEPEST:
        return None
    end = region_end(lines, at + 1, line.indent)
    below = [Line(column, line.text[column - line.indent :]), *lines[at + 1 : end]]
    term = Block("term", line.text[: column - line.indent].rstrip(), depth=depth)
    return [term, *blocks_of(below, sheet.inner(), depth + 1)], max(end, at + 1)


def _columns_within(line: Line, sheet: Sheet, beside: int) -> Iterator[int]:
    """Columns in which an explanation may begin within a line: where the next line begins, or those of other terms do."""
    is_option = _OPTION.match(line.text) is not None
    for column in gaps(line):
        if is_option or column == beside or (line.indent, column) in sheet.columns:
            yield column
    # A term as long as the space for it leaves a single space.
    width = line.text.find(" ") + 1
    column = line.indent + width
    is_known = (line.indent, column) in sheet.columns and (is_option or column == beside)
    rest = line.text[width:]
    if width > 2 and is_known and rest[:1].isupper() and " " in rest:
        yield column


def _term_above(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """Short lines, and what explains them deeper in the lines right below."""
    head = paragraph_end(lines, at)
    if (
        sheet.nesting >= _DEEPEST
        or head >= len(lines)
        or not lines[head].text
        or lines[head].indent < lines[at].indent + 2
    ):
        return None
    names = lines[at:head]
    end = region_end(lines, head, lines[at].indent)
    if not _are_terms(names, lines[head:end], sheet):
        return None
    said = ", ".join(name.text.rstrip(",") for name in names)
    return [Block("term", said, depth=depth), *blocks_of(lines[head:end], sheet.inner(), depth + 1)], end


def _are_terms(names: Sequence[Line], below: Sequence[Line], sheet: Sheet) -> bool:
    last = names[-1]
    is_option = last.text.startswith("-")
    if len(names) > _MOST_TERMS or any(len(name.text) > _LONGEST_TERM for name in names):
        return False
    if any(is_wrapped(a, b, sheet.width) for a, b in zip(names, names[1:], strict=False)) and not is_option:
        return False
    if not is_option and (
        is_wrapped(last, below[0], sheet.width) or (last.text.endswith(".") and _is_prose(last.text))
    ):
        return False
    return not (last.text.endswith(":") and (is_code(below) or _BULLET.match(below[0].text)))


def _aligned(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found | None:
    """Lines whose words stand in columns, such as the output of a command, as they are."""
    end = paragraph_end(lines, at)
    first = set(gaps(lines[at]))
    same = sum(any(column in first for column in gaps(line)) for line in lines[at:end])
    if end - at < 2 or not first or same < 0.8 * (end - at):
        return None
    return [verbatim(lines[at:end], depth)], end


def _paragraph(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> Found:
    """Lines that were wrapped are one paragraph; where a line ends of its own accord, so does the text."""
    end = paragraph_end(lines, at)
    runs = [[lines[at]]]
    marks = [mark for mark in (_STAMPED, _LABELLED) if mark.match(lines[at].text)]
    is_list = end - at > 2 and not any(" " in line.text for line in lines[at:end])
    for before, line in zip(lines[at:end], lines[at + 1 : end], strict=False):
        is_record = is_list or any(mark.match(line.text) for mark in marks)
        if sheet.is_markup or (is_wrapped(before, line, sheet.width) and not is_record):
            runs[-1].append(line)
        else:
            runs.append([line])
    comments = sum(line.text.startswith(("# ", "#!")) for line in lines[at:end])
    if comments > 1 and not sheet.is_markup:
        return [verbatim(lines[at:end], depth)], end
    texts = [joined(run, sheet.words) for run in runs]
    if len(runs) > 1 and all(len(run) == 1 for run in runs) and is_code(lines[at:end]):
        return [verbatim(lines[at:end], depth)], end
    kind: BlockKind = "item" if len(runs) > 1 else "paragraph"
    return [Block(kind, text, depth=depth) for text in texts], end


RULES: tuple[Rule, ...] = (
    heading_rule,
    grid_rule,
    _bullet,
    _term_beside,
    _term_above,
    _aligned,
)
