"""Guarding a stream with a bounded hold-back: nothing leaves before it was seen whole.

Words are released when the next one begins, so a guard never sees half a word. Words with digits, and
what may continue them, are held together: phone and card numbers have spaces inside. So is what may yet be a secret.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from ingestion.scrub.secrets import unfinished_secret
from ingestion.scrub.views import bare, plain
from service.guard.chain import Guard, Verdict, apply_all

# Longest spaced number that a recogniser knows (an IBAN with its spaces has 42 characters), doubled.
MAX_HELD_CHARS = 96
# Longest run in which each visible character stands among invisible ones, and longest word of a key or a code.
MAX_WORD_CHARS = 1_000
_LONG_WORD = re.compile(rf"[!-~]{{{MAX_HELD_CHARS // 2}}}")
_SEEN_CHARS = 4 * MAX_WORD_CHARS
# A word that holds one of these, or a country code (two capitals, as of an IBAN), may belong together
# with the next one.
_JOINS = re.compile(r"[\d(+<\[]|^[A-Z]{2}$|-----(?:BEGIN|END)|^(?:RSA|EC|DSA|OPENSSH|PGP|ENCRYPTED|PRIVATE)$")
# Between groups of a number.
_SIGN = re.compile(r"[./_|*·•\\\u2010-\u2015-]")


class StreamGuard:
    """Feed it pieces, get back text that may be sent. Offsets of verdicts are characters of all text that was
    released; what was taken out has none. The joined output does not depend on the pieces'
    borders as long as no held run is longer than `MAX_HELD_CHARS`, not counting invisible characters."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = guards
        self._held = ""
        self._released = 0
        self.verdicts: list[Verdict] = []

    @property
    def held(self) -> str:
        """What may still grow."""
        return self._held

    def feed(self, text: str) -> str:
        """What can be released now; may be empty."""
        self._held += text
        cut = self._cut()
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._pass(ready)

    def close(self) -> str:
        """The rest."""
        ready, self._held = self._held, ""
        return self._pass(ready)

    def _cut(self) -> int:
        """Where the tail that may still grow begins: the last word, and the words that join it."""
        # What is read again for each piece is bounded; a longer run lets its older half go wherever it begins.
        skipped = max(0, len(self._held) - _SEEN_CHARS)
        held = self._held[skipped:]
        cut = _run_start(held, _word_start(held, len(held)))
        begun = _secret_start(held, cut)
        cut = skipped + (cut if begun is None else _run_start(held, begun))
        if len(self._held) - cut <= MAX_HELD_CHARS or self._may_be_disguised(cut):
            return cut
        # A run this long is no identifier; let its older half go at a space, or as it is.
        held = self._held
        limit = max(cut, len(held) - MAX_HELD_CHARS // 2)
        space = held.rfind(" ", cut, limit)
        return space + 1 if space > cut else limit

    def _may_be_disguised(self, cut: int) -> bool:
        """Whether a long run is a long key or code, or few characters among many invisible ones.

        Those go when even that is too long.
        """
        run = self._held[cut:]
        seen = plain(run).text
        if len(run) <= MAX_WORD_CHARS:
            return len(seen) <= MAX_HELD_CHARS or _LONG_WORD.search(seen) is not None
        if len(seen) <= MAX_HELD_CHARS:
            self._held = self._held[:cut] + seen
            return True
        return False

    def _pass(self, text: str) -> str:
        if not text:
            return ""
        text, found = apply_all(self._guards, text, "output")
        self.verdicts += [placed(verdict, self._released) for verdict in found]
        self._released += len(text)
        return text


def placed(verdict: Verdict, start: int) -> Verdict:
    """A verdict on a piece that begins at `start`, in characters of the whole; one on what was removed has no place."""
    if verdict.start is None or verdict.end is None or verdict.verdict not in ("flag", "pass"):
        return replace(verdict, start=None, end=None)
    return replace(verdict, start=verdict.start + start, end=verdict.end + start)


def _word_start(text: str, end: int) -> int:
    """Where the word that ends at `end` begins."""
    return max(text.rfind(space, 0, end) for space in (" ", "\n", "\t")) + 1


def _run_start(text: str, cut: int) -> int:
    """Where the run of joined words begins that ends at `cut`."""
    while cut > 0:
        before = _word_start(text, len(text[:cut].rstrip()))
        word = text[before:cut].strip()
        if not _JOINS.search(word) and not (
            _SIGN.fullmatch(word) and text[:before].rstrip()[-1:].isdecimal()
        ):
            break
        cut = before
    return cut


def _secret_start(text: str, cut: int) -> int | None:
    """Where the word begins in which a secret begins that goes on behind `cut`, so that nothing of it leaves yet."""
    begin = max(0, cut - MAX_HELD_CHARS)
    view = bare(text[begin:cut])
    start = unfinished_secret(view.text)
    if start is None or start == len(view.text):
        return None
    return _word_start(text, begin + view.span(start, start + 1)[0])
