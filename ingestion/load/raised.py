"""Raised and lowered characters in plain text: `10^6` and `m^2`, never `106`; marks of footnotes go. Pure."""

import re

_EXPONENT = re.compile(r"[+\-−–]?\d[\d.,]*|[+\-−–]?[a-z]|[+\-−–]", re.IGNORECASE)
_FOOTNOTE = re.compile(r"[\[(]?\d{1,3}[\])]?|[*†‡§¶]{1,3}")
_ORDINALS = frozenset("st nd rd th er re e ème eme a o os as ª º te ste de".split())
_TRADE_MARKS = {"tm": "™", "(tm)": "™", "r": "®", "(r)": "®", "sm": "℠"}
_UNIT_LETTERS = 3
_ADDED_TO_LETTERS = re.compile(r"[^\W\d_]*$")


def raised_text(before: str, inner: str) -> str:
    """What `inner`, raised, adds to the end of `before`.

    A power after a digit, a bracket or a word as short as a unit; nothing for the mark of a footnote.
    """
    inner = " ".join(inner.split())
    if not inner or not before.strip() or before[-1].isspace():
        return "" if _FOOTNOTE.fullmatch(inner) and before.strip() else inner
    if inner.lower() in _TRADE_MARKS:
        return _TRADE_MARKS[inner.lower()]
    last = before[-1]
    if last.isdigit() and inner.lower() in _ORDINALS:
        return inner
    word = _word_at_end(before)
    is_base = last.isdigit() or last in ")]}²³" or 0 < len(word) < _UNIT_LETTERS
    if is_base and _EXPONENT.fullmatch(inner):
        return f"^{inner}"
    if word and inner[0] in "+-−–" and _EXPONENT.fullmatch(inner):
        return f"^{inner}"
    if _FOOTNOTE.fullmatch(inner):
        return ""
    if inner.isalpha():
        return inner if len(inner) > 1 and len(word) == 1 else f"^{inner}"
    return f"^({inner})"


def lowered_text(before: str, inner: str) -> str:
    """What `inner`, lowered, adds: H2O stays as it is, and a digit after a digit stands apart."""
    inner = inner.strip()
    return f"_{inner}" if before[-1:].isdigit() and inner[:1].isdigit() else inner


def _word_at_end(text: str) -> str:
    found = _ADDED_TO_LETTERS.search(text[-12:])
    return found[0] if found else ""
