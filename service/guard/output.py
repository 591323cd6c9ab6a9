"""What leaves: words through the masks, then sentences through the judges, in a stream as in a whole reply."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.guard.chain import Guard, SentenceGuard, Verdict, apply_all
from service.guard.checks.attribution import Attributed, Attribution
from service.guard.stream.background import AdvisoryGuards
from service.guard.stream.offsets import Offsets
from service.guard.stream.sentences import Decision, SentenceStream, end_of_sentence
from service.guard.stream.words import StreamGuard
from service.metrics import GUARD_SECONDS
from service.scope.policy import GuardPolicy

# Longer pieces are masked in a thread, so that the loop stays free.
_INLINE_CHARS = 1_000
# A sentence may have ended here, and a whole word stands behind it.
_MAY_END = re.compile(r"[.!?…][^\s.!?…]*\s[^\n]*?\S\s|\n")
# Room behind the end of the first sentence for its citations and the word that shows that it has ended.
_BEHIND_CHARS = 24
# Where no sentence ends for so long, words go on all the same.
_LONGEST_WAIT_CHARS = 400


@dataclass(frozen=True, slots=True)
class Notice:
    """What a client of a stream is told: something was taken out, or the answer ends here."""

    guard: str
    action: str
    rule: str


@dataclass(slots=True)
class OutputPiece:
    """Text that may be sent, and what the client is to be told of the rest."""

    text: str
    notices: list[Notice] = field(default_factory=list)


class OutputGuards:
    """One answer's guards. Feed pieces as they come; released text may be sent at once.

    `words` change words, `sentences` decide about sentences, which wait for them, `advisory` guards read what was
    sent, and `last` see the text as it leaves. White space alone begins no answer.
    """

    def __init__(
        self,
        words: Sequence[Guard],
        sentences: Sequence[SentenceGuard],
        advisory: AdvisoryGuards,
        last: Sequence[Guard],
        policy: GuardPolicy,
        *,
        in_thread: bool,
        attribution: Attribution | None = None,
    ) -> None:
        self._words = StreamGuard(words)
        self._sentences = SentenceStream(sentences, attribution)
        self._is_attributed = attribution is not None
        self._holds_sentences = bool(sentences) or attribution is not None
        self._advisory = advisory
        self._last = last
        self._length = policy.output["length"]
        self._in_thread = in_thread
        self._sent_chars = 0
        # What came and is not masked yet, and what is masked and not judged yet.
        self._raw = self._waiting = ""
        # How many verdicts of words, of sentences and of the rest were told of.
        self._told = [0, 0, 0]
        # From what sentences released to what advisory guards read, and from there to what is sent.
        self._kept, self._leaving = Offsets(), Offsets()
        self._extra: list[Verdict] = []
        self._seconds = 0.0

    @property
    def verdicts(self) -> list[Verdict]:
        """Everything that was found so far; offsets are characters of what was sent."""
        sentences = [self._sentences.offsets] if self._holds_sentences else []
        return [
            *(_moved(v, *sentences, self._kept, self._leaving) for v in self._words.verdicts),
            *(_moved(v, self._kept, self._leaving) for v in self._sentences.verdicts),
            *(_moved(v, self._leaving) for v in self._advisory.verdicts),
            *self._extra,
        ]

    @property
    def stopped(self) -> Decision | None:
        """Why nothing more comes: `block`, `abstain`, or None."""
        return self._sentences.stopped

    @property
    def attributed(self) -> list[tuple[int, int, Attributed]] | None:
        """What supports each sentence, with its place in what was sent; None where nobody asked."""
        if not self._is_attributed:
            return None
        found = []
        for start, end, one in self._sentences.attributed:
            place = self._kept.find(start, end) or self._kept.find(start, start + 1)
            place = place and self._leaving.find(*place)
            if place is not None:
                found.append((*place, one))
        return found

    @property
    def says_nothing(self) -> bool:
        """Whether no sentence was left that a passage supports."""
        return not self._sentences.is_supported

    @property
    def has_dropped_all(self) -> bool:
        """Whether sentences were dropped and none was left."""
        return bool(self._sentences.dropped) and not self._sentences.sent

    async def feed(self, text: str) -> OutputPiece:
        """What can be sent now."""
        self._raw += text
        if self._holds_sentences and not self._may_release():
            return OutputPiece("")
        begun = time.perf_counter()
        released = await self._masked(self._taken())
        out = await self._judge(released, is_last=False) if self._holds_sentences else released
        return self._release(out, begun)

    def _may_release(self) -> bool:
        """Whether a sentence may have come whole: nothing leaves before, so that its words are masked together."""
        if len(self._raw) > _LONGEST_WAIT_CHARS:
            return True
        return bool(_MAY_END.search(self._sentences.held + self._waiting + self._words.held + self._raw))

    async def end(self, text: str) -> OutputPiece:
        """The last piece and all that was held back."""
        first, rest = await self.feed(text), await self.close()
        return OutputPiece(first.text + rest.text, [*first.notices, *rest.notices])

    async def close(self) -> OutputPiece:
        """The rest."""
        begun = time.perf_counter()
        rest, self._raw = self._raw, ""
        released = await self._masked(rest) + self._words.close()
        out = await self._judge(released, is_last=True) if self._holds_sentences else released
        result = self._release(out, begun)
        await self._advisory.close()
        GUARD_SECONDS.labels("output", "all").observe(self._seconds)
        return result

    def _taken(self) -> str:
        """What is masked now: all that came, or of a first piece no more than its first sentence needs.

        A client waits for the first sentence, and not for the masks of those that came with it.
        """
        found = None if self._sent_chars or not self._holds_sentences else _MAY_END.search(self._raw)
        space = self._raw.find(" ", found.end() + _BEHIND_CHARS) if found else -1
        cut = space + 1 if space > 0 else len(self._raw)
        taken, self._raw = self._raw[:cut], self._raw[cut:]
        return taken

    async def _masked(self, text: str) -> str:
        """Words that may go on; generators send few at a time, and what is long is masked in a thread."""
        if self._in_thread and len(text) > _INLINE_CHARS:
            return await asyncio.to_thread(self._words.feed, text)
        return self._words.feed(text)

    async def _judge(self, text: str, *, is_last: bool) -> str:
        """Sentences are judged in a thread, since models may be asked; text without an end waits here."""
        self._waiting += text
        if not is_last and not end_of_sentence(self._sentences.held + self._waiting):
            return ""
        waiting, self._waiting = self._waiting, ""

        def work() -> str:
            out = self._sentences.feed(waiting)
            return out + self._sentences.close() if is_last else out

        return await asyncio.to_thread(work) if self._in_thread else work()

    def _release(self, text: str, begun: float) -> OutputPiece:
        kept = self._cut(text)
        self._kept.add(text, kept)
        self._sent_chars += len(kept)
        self._advisory.feed(kept)
        sent, found = apply_all(self._last, kept, "output")
        self._leaving.add(kept, sent)
        self._extra += found
        notices = self._notices()
        self._seconds += time.perf_counter() - begun
        return OutputPiece(sent, notices)

    def _cut(self, text: str) -> str:
        """The text as far as the longest answer allows, without white space before the first word."""
        if not self._sent_chars and not text.strip():
            return ""
        if self._length.is_on and self._length.limit and not self._sentences.stopped:
            left = self._length.limit - self._sent_chars
            if len(text) > left:
                self._extra.append(
                    Verdict(
                        "length", "output", "block" if self._length.changes_text else "flag", "TOO_LONG", 1.0
                    )
                )
                if self._length.changes_text:
                    text = text[: max(left, 0)]
                    self._sentences.stopped = "block"
        return text

    def _notices(self) -> list[Notice]:
        """What was taken out since the last piece: findings come in turns, and each is told once."""
        sources = (self._words.verdicts, self._sentences.verdicts, self._extra)
        words, sentences, extra = (found[told:] for found, told in zip(sources, self._told, strict=True))
        self._told = [len(found) for found in sources]
        fresh = [*words, *sentences, *self._advisory.take(), *extra]
        return [Notice(v.guard, v.verdict, v.rule) for v in fresh if v.verdict not in ("pass", "flag")]


def _moved(verdict: Verdict, *steps: Offsets) -> Verdict:
    """The verdict with its place after some steps; none where what it points at did not come through."""
    if verdict.start is None:
        return verdict
    place: tuple[int | None, int | None] = (verdict.start, verdict.end)
    for step in steps:
        place = step.find(*place) or (None, None)
    return replace(verdict, start=place[0], end=place[1])
