"""Guarding a stream sentence by sentence: one is held back until the next begins, judged, and sent, dropped or the last.

Where a sentence ends depends on the text alone and never on how it arrived, so that a stream is guarded as the whole
text would be.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from service.guard.chain import SentenceGuard, Verdict
from service.guard.stream.offsets import Offsets
from service.guard.stream.words import placed

# An end with its closing quotes and the citations behind it; what follows must begin something new.
_END = re.compile(
    r"[.!?…]+[\"'”’)\]]*(?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])*(?=\s+[^\s\[]|\s+\[[^\d\s])|\n+(?=[^\n])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|no|nr|mr|mrs|ms|dr|prof|st|vs|z\.b|d\.h|bzw|ca|inc|ltd|p\.ej|sr|sra|art|cf|fig|vol|dept|est|tel|max|min|incl|excl|[a-z])|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)
# A sentence this long is none, and no client waits for its end.
MAX_SENTENCE_CHARS = 600
_STOPS = ("block", "abstain")

Decision = Literal["send", "drop", "block", "abstain"]


class SentenceStream:
    """Feed it text, get back the sentences that may be sent. After a `block` or `abstain`, nothing more comes.

    `offsets` map what was fed to what was sent; offsets of verdicts are characters of what was sent.
    """

    def __init__(self, guards: Sequence[SentenceGuard]) -> None:
        self._guards = guards
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
        while not self.stopped and (cut := end_of_sentence(self._held)):
            released.append(self._pass(self._held[:cut]))
            self._held = self._held[cut:]
        return "".join(released)

    def close(self) -> str:
        """The rest."""
        if self.stopped or not self._held:
            return ""
        held, self._held = self._held, ""
        return self._pass(held)

    def _pass(self, sentence: str) -> str:
        found = (
            [verdict for guard in self._guards for verdict in guard.judge(sentence)]
            if sentence.strip()
            else []
        )
        outcomes = {verdict.verdict for verdict in found}
        is_sent = outcomes.isdisjoint((*_STOPS, "drop"))
        start = self.offsets.out
        self.offsets.add(sentence, sentence if is_sent else "")
        self.verdicts += [placed(v, start) if is_sent else replace(v, start=None, end=None) for v in found]
        for stop in _STOPS:
            if stop in outcomes:
                self.stopped = "block" if stop == "block" else "abstain"
                return ""
        if not is_sent:
            self.dropped += [verdict for verdict in found if verdict.verdict == "drop"]
            return ""
        self.sent += 1
        return sentence


def end_of_sentence(text: str) -> int:
    """Characters of the first sentence with the white space behind it; 0 while it may go on."""
    limit = text[:MAX_SENTENCE_CHARS]
    for found in _END.finditer(text):
        if found.end() > MAX_SENTENCE_CHARS:
            break
        if not text[: found.end()].strip():
            continue
        if found[0].startswith(".") and _ABBREVIATION.search(text[: found.start() + 1]):
            continue
        following = text[found.end() :].lstrip()
        if not following:
            return 0
        if not found[0].startswith("\n") and following[:1].islower():
            continue
        return len(text) - len(following)
    if len(text) > 2 * MAX_SENTENCE_CHARS:
        space = limit.rfind(" ")
        return space + 1 if space > 0 else MAX_SENTENCE_CHARS
    return 0


def sentences_in(text: str) -> list[str]:
    """The sentences of a whole text, as a stream of it would be cut."""
    found = []
    while cut := end_of_sentence(text):
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text] if text else found
