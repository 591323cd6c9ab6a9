"""Letters that are printed in a roundabout way: twice to look bold, an accent above another letter, a raised number."""

import unicodedata
from collections.abc import Iterable, Sequence

from ingestion.load.pdf.painting import Glyph

# In parts of the letters' size.
_DOUBLE = 0.12
_RAISED_SIZE, _RAISED = 0.85, 0.15
_ACCENTS = {
    "`": "\u0300", "\u00b4": "\u0301", "^": "\u0302", "\u02c6": "\u0302", "~": "\u0303", "\u02dc": "\u0303", "\u00a8": "\u0308",
    "\u02da": "\u030a", "\u02dd": "\u030b", "\u02c7": "\u030c", "\u00b8": "\u0327", "\u02d8": "\u0306", "\u02d9": "\u0307",
}  # fmt: skip
_DOTLESS = {"\u0131": "i", "\u0237": "j"}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def without_doubles(glyphs: Iterable[Glyph]) -> list[Glyph]:
    """Without letters that are printed again (nearly) in the same place, to look bold or to cast a shadow."""
    kept: list[Glyph] = []
    seen: dict[tuple[str, int, int], list[Glyph]] = {}
    for glyph in glyphs:
        step = max(glyph.size * _DOUBLE, 0.1)
        column, row = int(glyph.x0 // step), int(glyph.y // step)
        near = (
            other
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in seen.get((glyph.text, column + dx, row + dy), ())
        )
        if not glyph.text.isspace() and any(
            abs(other.x0 - glyph.x0) < step and abs(other.y - glyph.y) < step for other in near
        ):
            continue
        seen[(glyph.text, column, row)] = [glyph]
        kept.append(glyph)
    return kept


def accented(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """Letters with the accents that old fonts print above them as signs of their own."""
    kept: list[Glyph] = []
    accent: Glyph | None = None
    for glyph in glyphs:
        before = kept[-1] if kept else None
        if glyph.text in _ACCENTS and before is not None and _is_above(glyph, before):
            before.text = _with_accent(before.text, glyph.text)
        elif glyph.text in _ACCENTS and accent is None:
            accent = glyph
            continue
        elif accent is not None and _is_above(accent, glyph):
            glyph.text = _with_accent(glyph.text, accent.text)
            kept.append(glyph)
        else:
            kept += [glyph] if accent is None else [accent, glyph]
        accent = None
    return kept if accent is None else [*kept, accent]


def _is_above(accent: Glyph, letter: Glyph) -> bool:
    shared = min(accent.x1, letter.x1) - max(accent.x0, letter.x0)
    return letter.text.isalpha() and shared > 0.5 * min(accent.x1 - accent.x0, letter.x1 - letter.x0)


def _with_accent(letter: str, accent: str) -> str:
    return unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + _ACCENTS[accent])


def raise_digits(glyphs: Sequence[Glyph], baseline: float, size: float) -> None:
    """Write marks of footnotes and powers as what they are: `tar.gz1` would be another word, `102` another number."""
    letters, last = 0, ""
    for glyph in glyphs:
        text = glyph.text
        is_raised = glyph.size < _RAISED_SIZE * size and glyph.y < baseline - _RAISED * size
        if is_raised and text.isdigit():
            raised = text.translate(_SUPERSCRIPTS)
            is_mark = last.isalpha() and letters > 1
            glyph.text = f" {raised}" if is_mark else raised if last else f"{raised} "
        letters = letters + 1 if text.isalpha() else 0
        last = text
