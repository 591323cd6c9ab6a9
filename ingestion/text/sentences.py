"""Sentences of a text, with character offsets. Lines never run into each other."""

from collections.abc import Iterator

from sentencex import get_sentence_boundaries

from ingestion.characters import whole

_CONTINUES = frozenset(":;,)]")
# The splitter looks for the end of every quotation and bracket: its time grows with the square of a line's length.
_WINDOW_CHARS = 4_000


def sentence_spans(text: str, language: str = "en") -> Iterator[tuple[int, int]]:
    """Yield `(start, end)` of each sentence in characters, trimmed of white space, never empty.

    A line break always ends a sentence: table rows, list items and headings are lines.
    """
    offset = 0
    for line in whole(text).split("\n"):
        for start, end in _line_spans(line, language):
            piece = line[start:end]
            left = start + len(piece) - len(piece.lstrip())
            right = end - len(piece) + len(piece.rstrip())
            if right > left:
                yield offset + left, offset + right
        offset += len(line) + 1


def _line_spans(line: str, language: str) -> list[tuple[int, int]]:
    """Boundaries by language; what begins with a colon or comma goes on with the last sentence."""
    spans: list[tuple[int, int]] = []
    for start, end in _boundaries(line, language) if line.strip() else ():
        if spans and line[start:end].lstrip()[:1] in _CONTINUES:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _boundaries(line: str, language: str) -> Iterator[tuple[int, int]]:
    """Where sentences begin and end. A long line is read in windows, each from the beginning of the last sentence of
    the one before; a sentence that is longer than a window is cut at a space."""
    start = 0
    while start < len(line):
        window = line[start : start + _WINDOW_CHARS]
        found = [(b["start_index"], b["end_index"]) for b in get_sentence_boundaries(language, window)]
        is_last = start + len(window) == len(line)
        if not is_last:
            found = found[:-1] or [(0, window.rfind(" ", _WINDOW_CHARS // 2) + 1 or len(window))]
        yield from ((start + begin, start + end) for begin, end in found)
        start = len(line) if is_last else start + found[-1][1]
