"""Tables that are drawn with signs: `+---+` around cells, or `====` above columns."""

import re
from collections.abc import Iterator, Sequence

from ingestion.corpus import Block
from ingestion.load.rows import table_blocks
from ingestion.load.text.lines import Line, Sheet

_BORDER = re.compile(r"\+(?:[-=]+\+)+")
# The signs with which terminals draw tables, as those of the drawings that need no such signs.
_DRAWN = str.maketrans("┌┬┐├┼┤└┴┘╔╦╗╠╬╣╚╩╝╞╪╡─━═│┃║", "+" * 21 + "--=" + "|||")
_RULER = re.compile(r"=+(?: +=+)+|-{3,}(?: +-{3,})+")
Row = list[str]


def grid_rule(lines: Sequence[Line], at: int, sheet: Sheet, depth: int) -> tuple[list[Block], int] | None:
    """A drawn table as rows with their header."""
    if lines[at].text[0] in "+┌╔" and _BORDER.fullmatch(lines[at].text.translate(_DRAWN)):
        rows, header, end = _grid(lines, at)
    elif _RULER.fullmatch(lines[at].text) and lines[at].text[0] == "=":
        rows, header, end = _simple(lines, at, sheet)
    elif (
        at + 1 < len(lines) and lines[at + 1].text.startswith("---") and _RULER.fullmatch(lines[at + 1].text)
    ):
        rows, header, end = _ruled(lines, at)
    else:
        return None
    if not rows:
        return None
    blocks = table_blocks(rows, header_rows=header)
    return [Block(one.kind, one.text, depth=depth) for one in blocks], end


def _grid(lines: Sequence[Line], at: int) -> tuple[list[Row], int, int]:
    """Rows between borders, how many of them are the header, and where the table ends."""
    cuts = [place for place, sign in enumerate(lines[at].text.translate(_DRAWN)) if sign == "+"]
    rows: list[Row] = []
    waiting: list[str] = []
    header, end = 0, at
    for number in range(at, len(lines)):
        text = lines[number].text.translate(_DRAWN)
        if not text.startswith(("+", "|")):
            break
        end = number + 1
        if text.startswith("+"):
            rows += [_cells(waiting, cuts)] if waiting else []
            waiting = []
            header = len(rows) if rows and ("=" in text or not header) else header
        else:
            waiting.append(text)
    return rows, header, end


def _cells(lines: Sequence[str], cuts: Sequence[int]) -> Row:
    """The cells of a row of several lines. A cell that goes over a border stands in each of its columns."""
    pairs = list(zip(cuts, cuts[1:], strict=False))
    cells = [" ".join(filter(None, (line[a + 1 : b].strip() for line in lines))) for a, b in pairs]
    if len(pairs) > 1 and all(line[b : b + 1] != "|" for line in lines for _, b in pairs[:-1]):
        whole = " ".join(line.strip("| ") for line in lines)
        return [whole] + [""] * (len(pairs) - 1)
    return cells


def _simple(lines: Sequence[Line], at: int, sheet: Sheet) -> tuple[list[Row], int, int]:
    """A table between rulers: the second ruler ends the header, where there is a third."""
    starts = [found.start() for found in re.finditer(r"=+", lines[at].text)]
    rulers = list(_rulers(lines, at))
    end = rulers[-1] + 1
    rows: list[Row] = []
    header = 0
    for number in range(at + 1, max(end - 1, at)):
        line = lines[number]
        if number in rulers[1:2] and len(rulers) > 2:
            header = len(rows)
        elif line.text and not set(line.text) <= set("-= "):
            cells = _columns(line, lines[at].indent, starts)
            if rows and not cells[0] and len(rows) > header:
                rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(cells)
    return rows, header, end


def _ruled(lines: Sequence[Line], at: int) -> tuple[list[Row], int, int]:
    """A table with a ruler of hyphens below its header, which ends at a blank line."""
    starts = [found.start() for found in re.finditer(r"-+", lines[at + 1].text)]
    end = next((number for number in range(at, len(lines)) if not lines[number].text), len(lines))
    kept = [line for line in lines[at:end] if not _RULER.fullmatch(line.text)]
    return [_columns(line, lines[at].indent, starts) for line in kept], 1, end


def _rulers(lines: Sequence[Line], at: int) -> Iterator[int]:
    """The rulers of a table: the first, perhaps one below its header, and one that a blank line follows."""
    seen = 0
    for number in range(at, len(lines)):
        if lines[number].text and lines[number].indent < lines[at].indent:
            return
        if lines[number].text.startswith("=") and _RULER.fullmatch(lines[number].text):
            yield number
            seen += 1
            is_last = number + 1 == len(lines) or not lines[number + 1].text
            if seen == 3 or (is_last and number > at):
                return


def _columns(line: Line, indent: int, starts: Sequence[int]) -> Row:
    text = " " * (line.indent - indent) + line.text
    ends = [*starts[1:], len(text) + 1]
    return [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
