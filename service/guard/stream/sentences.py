"""Guarding a stream sentence by sentence: one is held back until the next begins, judged, and sent, dropped or the last.

Where a sentence ends depends on the text alone and never on how it arrived, so that a stream is guarded as the whole
text would be.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from os.path import commonprefix
from typing import Literal

from service.guard.chain import SentenceGuard, Verdict
from service.guard.checks.attribution import Attributed, Attribution
from service.guard.stream.offsets import Offsets
from service.guard.stream.words import placed

# An end with its closing quotes and the citations behind it; what follows must begin something new.
# Runs are taken whole, from their beginnings: no character is read twice.
_END = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?:\s*+\[\d{1,3}(?:\s*+,\s*+\d{1,3})*+\])*+(?=\s++(?:[^\s\[]|\[[^\d\s]))"
    r"|(?<!\n)\n++(?=[^\n])"
)
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|approx|no|nr|mr|mrs|ms|dr|prof|st|vs|z\.b|d\.h|bzw|ca|inc|ltd|p\.ej|sr|sra|art|cf|fig|vol|dept|est|tel|max|min|incl|excl|(?<!['’])[a-z])\.$",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\s*\d{1,3}\.$")
_LONGEST_ABBREVIATION = 10
# A sentence this long is none, and no client waits for its end.
MAX_SENTENCE_CHARS = 600
# What decides where a sentence ends, and one character more, which says that the text goes on.
_SEEN_CHARS = 2 * MAX_SENTENCE_CHARS + 1
_STOPS = ("block", "abstain")

Decision = Literal["send", "drop", "block", "abstain", "end"]


class SentenceStream:
    """Feed it text, get back the sentences that may be sent. After a `block` or `abstain`, nothing more comes.

    `offsets` map what was fed to what was sent; offsets of verdicts are characters of what was sent.
    """

    def __init__(self, guards: Sequence[SentenceGuard], attribution: Attribution | None = None) -> None:
        """With an attribution, nothing leaves before a sentence that a passage supports."""
        self._guards = guards
        self._attribution = attribution
        self._waiting: list[str] = []
        self.attributed: list[tuple[int, int, Attributed]] = []
        self._held = ""
        self.offsets = Offsets()
        self.verdicts: list[Verdict] = []
        self.stopped: Decision | None = None
        self.dropped: list[Verdict] = []
        self.sent = 0

    @property
    def held(self) -> str:
        """What has no end yet."""
        return self._held

    def feed(self, text: str) -> str:
        """What can be sent now; may be empty."""
        if self.stopped:
            return ""
        self._held += text
        released = []
        position = 0
        while not self.stopped and (cut := end_of_sentence(self._held[position : position + _SEEN_CHARS])):
            released.append(self._pass(self._held[position : position + cut]))
            position += cut
        self._held = self._held[position:]
        return "".join(released)

    def close(self) -> str:
        """The rest."""
        if self.stopped or not self._held:
            return ""
        held, self._held = self._held, ""
        return self._pass(held)

    @property
    def is_supported(self) -> bool:
        """Whether something was said that a passage supports and that answers, or nobody asks for that."""
        return self._attribution is None or any(one.answers for _, _, one in self.attributed)

    def _pass(self, sentence: str) -> str:
        found = self._found(sentence)
        attributed = None
        if self._attribution and sentence.strip() and not self._is_stopped_by(found):
            attributed = self._attribution.attribute(sentence)
            found = [*found, *attributed.verdicts]
        outcomes = {verdict.verdict for verdict in found}
        is_sent = outcomes.isdisjoint((*_STOPS, "drop"))
        start = self.offsets.out
        text = (attributed.text if attributed else sentence) if is_sent else ""
        self._add(sentence, text)
        self.verdicts += [placed(v, start) if is_sent else replace(v, start=None, end=None) for v in found]
        for stop in _STOPS:
            if stop in outcomes:
                self.stopped = self._stop(stop, found)
                return ""
        if not is_sent:
            self.dropped += [verdict for verdict in found if verdict.verdict == "drop"]
            return ""
        self.sent += 1
        if attributed is not None:
            self.attributed.append((start, self.offsets.out, attributed))
        return self._released(text)

    def _stop(self, stop: str, found: Sequence[Verdict]) -> Decision:
        """How a finding ends the answer. One that goes round in circles has said before that what can be attributed."""
        blamed = {verdict.guard for verdict in found if verdict.verdict == stop}
        if self._attribution is not None and blamed == {"repetition"}:
            return "end"
        return "block" if stop == "block" else "abstain"

    def _found(self, sentence: str) -> list[Verdict]:
        if not sentence.strip():
            return []
        return [verdict for guard in self._guards for verdict in guard.judge(sentence)]

    def _is_stopped_by(self, found: Sequence[Verdict]) -> bool:
        return any(verdict.verdict in (*_STOPS, "drop") for verdict in found)

    def _add(self, before: str, after: str) -> None:
        """Note where a sentence went; one that got other markers is the same in front of them."""
        same = len(commonprefix([before, after]))
        if after and before != after:
            self.offsets.add(before[:same], before[:same])
            before, after = before[same:], after[same:]
        self.offsets.add(before, after)

    def _released(self, text: str) -> str:
        """What leaves now: with an attribution, from the first supported sentence on, with all that waited for it."""
        self._waiting.append(text)
        if not self.is_supported:
            return ""
        released, self._waiting = "".join(self._waiting), []
        return released


def end_of_sentence(text: str) -> int:
    """Characters of the first sentence with the white space behind it; 0 while it may go on."""
    is_long = len(text) > 2 * MAX_SENTENCE_CHARS
    # What stands behind decides nothing, and is not read again for every sentence.
    text = text[: 2 * MAX_SENTENCE_CHARS]
    for found in _END.finditer(text):
        if found.end() > MAX_SENTENCE_CHARS:
            break
        if not text[: found.end()].strip() or _is_abbreviation(text, found):
            continue
        following = text[found.end() :].lstrip()
        if not following:
            break
        if not found[0].startswith("\n") and following[:1].islower():
            continue
        return len(text) - len(following)
    if is_long:
        space = text.rfind(" ", 0, MAX_SENTENCE_CHARS)
        return space + 1 if space > 0 else MAX_SENTENCE_CHARS
    return 0


def _is_abbreviation(text: str, end: re.Match[str]) -> bool:
    """Whether a full stop belongs to the word before it, or to the ordinal with which the text begins."""
    if not end[0].startswith("."):
        return False
    begin, stop = max(0, end.start() - _LONGEST_ABBREVIATION), end.start() + 1
    return bool(_ABBREVIATION.search(text, begin, stop) or _ORDINAL.match(text, 0, stop))


def sentences_in(text: str) -> list[str]:
    """The sentences of a whole text, as a stream of it would be cut."""
    found = []
    position = 0
    while cut := end_of_sentence(text[position : position + _SEEN_CHARS]):
        found.append(text[position : position + cut])
        position += cut
    return [*found, text[position:]] if position < len(text) else found
