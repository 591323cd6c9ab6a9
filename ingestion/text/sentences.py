"""Sentences of a text, with character offsets. Lines never run into each other."""

import re
from collections.abc import Iterator

from sentencex import get_sentence_boundaries

from ingestion.characters import whole

_CONTINUES = frozenset(":;,)]：；，、）］」』】》〉；؛،")
# Japanese goes on behind a quotation with a particle.
_QUOTATION = re.compile("[」』]$")
_HIRAGANA = re.compile("[\u3041-\u309f]")
# Ends of sentences that the splitter doesn't know: signs of Khmer and Tibetan, and in Thai and Lao a blank. It also ends names
# and items of lists there, so that a short piece goes on.
_THAI_END, _THAI_BEGIN = "\u0e01-\u0e45\u0e47-\u0e4e\u0e81-\u0ec5\u0ec7-\u0ece", "\u0e01-\u0e44\u0e81-\u0ec4"
_STOPS = re.compile(f"[\u17d4\u17d5\u0f0e\u0f0d]+ *|(?<=[{_THAI_END}]) +(?=[{_THAI_BEGIN}])")
_CLAUSE_CHARS = 60
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
    for start, end in _finer(line, language) if line.strip() else ():
        if spans and _goes_on(line[max(0, start - 2) : start].rstrip(), line[start:end].lstrip()):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _goes_on(before: str, behind: str) -> bool:
    """Whether a piece belongs to the sentence before it."""
    if behind[:1] in _CONTINUES:
        return True
    return bool(_QUOTATION.search(before[-1:]) and _HIRAGANA.match(behind))


def _finer(line: str, language: str) -> Iterator[tuple[int, int]]:
    """Boundaries, with those of scripts whose sentences end otherwise."""
    for start, end in _boundaries(line, language):
        begin = start
        for stop in () if line.isascii() else _stops(line, start, end):
            yield begin, stop
            begin = stop
        if begin < end:
            yield begin, end


def _stops(line: str, start: int, end: int) -> Iterator[int]:
    """Where sentences end within a piece."""
    begin = start
    for found in _STOPS.finditer(line, start, end):
        if found[0].strip() or found.start() - begin >= _CLAUSE_CHARS:
            begin = found.end()
            yield begin


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
