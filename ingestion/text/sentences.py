"""Sentences of a text, with character offsets. Lines never run into each other."""

from collections.abc import Iterator

from sentencex import get_sentence_boundaries

_CONTINUES = frozenset(":;,)]")


def sentence_spans(text: str, language: str = "en") -> Iterator[tuple[int, int]]:
    """Yield `(start, end)` of each sentence in characters, trimmed of white space, never empty.

    A line break always ends a sentence: table rows, list items and headings are lines.
    """
    offset = 0
    for line in text.split("\n"):
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
    for boundary in get_sentence_boundaries(language, line) if line.strip() else ():
        start, end = boundary["start_index"], boundary["end_index"]
        if spans and line[start:end].lstrip()[:1] in _CONTINUES:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
