"""Rows from documents: sets of passages as serving finds them, and questions about each, some of which none answers.

A set is what a question finds, less a few passages. Half of the sets are in a random order, since retrieval puts the right
passage first and a model would learn its place alone; half are as serving has them, since its place does say something.
What is asked about are sentences of the set, and of the passages that were left out of it: those questions look like the
others, and nothing answers them.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from finetune.lora.paraphrase import paraphrased
from finetune.lora.passages import Passages
from finetune.lora.questions import Asked, content_words, is_askable, questions_of
from finetune.lora.recipe import DocumentRows
from finetune.lora.rows import Row, Source
from finetune.lora.written import Written, folded
from ingestion.corpus import Chunk, Hit
from ingestion.text.sentences import sentence_spans
from service.answer.prompts import NO_ANSWER, Marking, Prompt, render
from service.guard.texts import MaskedText

Split = Literal["train", "development"]
# How often a sentence is an answer, over all sets.
_MOST_USES = 3
# A sentence with so many of another's words says the same.
_SAME = 0.6
# A short passage is named alone, and a sentence that stands in two of a set answers from both.
_BATCH = 64
# An answer doesn't grow beyond so many words.
_MOST_WORDS = 60
# Of the questions about a set in the order of retrieval, the share about its first passage.
_FIRST = 0.6


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence with its document and what may be asked about it; `written` is the file where people asked it, `behind`
    are the sentences that go with it into an answer."""

    text: str
    document: str
    asked: tuple[Asked, ...]
    written: Source | None = None
    behind: tuple[str, ...] = ()

    def answer(self, gold: int) -> str:
        """What is said, each sentence with the number of its passage."""
        return " ".join(f"{sentence} [{gold}]" for sentence in (self.text, *self.behind))


@dataclass
class DocumentRowMaker:
    """Draws sets and asks about them: what people wrote about a sentence, else what rules make of it.

    `kept_out` are texts of evaluation cases. A passage that holds one is in no row: shown with another of its sentences
    as the answer, it would teach that the case's own is none.
    """

    passages: Passages
    prompt: Prompt
    settings: DocumentRows
    kept_out: Sequence[str]
    seed: int
    written: Mapping[str, Written] = field(default_factory=dict)
    _uses: Counter[str] = field(default_factory=Counter)

    def rows(
        self, split: Split, mine: Mapping[str, Source], shown: Mapping[str, Source], sets: int
    ) -> Iterator[Row]:
        """Rows of at most `sets` sets: questions about the documents `mine`, passages of those that are `shown`."""
        rng = random.Random(f"{self.seed}/{split}")
        chunks = [chunk for chunk in self.passages.chunks(mine) if not self._is_kept_out(chunk.embedded_text)]
        anchors = [told for chunk in chunks for told in self._told(chunk, rng)]
        rng.shuffle(anchors)
        # Each sentence begins a set in its turn, and again with another question when all have.
        rounds = -(-sets // len(anchors)) if anchors else 0
        queue = [(told, number) for number in range(rounds) for told in anchors][:sets]
        for begin in range(0, len(queue), _BATCH):
            part = queue[begin : begin + _BATCH]
            asked = [told.asked[number % len(told.asked)].text for told, number in part]
            for found in self.passages.near(asked, shown):
                hits = [hit for hit in found if not self._is_kept_out(hit.chunk.embedded_text)]
                yield from self._of_set(split, mine, shown, hits, rng)

    def unmet(self, sources: Mapping[str, Source]) -> int:
        """How many questions that people wrote ask about a sentence that stands in no document."""
        said = {
            folded(chunk.text[start:end])
            for chunk in self.passages.chunks(sources)
            for start, end in sentence_spans(chunk.text, chunk.language)
        }
        return sum(len(one.questions) for sentence, one in self.written.items() if sentence not in said)

    def _told(self, chunk: Chunk, rng: random.Random) -> Iterator[Told]:
        """What a passage says that can be asked about."""
        sentences = [chunk.text[a:b].strip() for a, b in sentence_spans(chunk.text, chunk.language)]
        for place, text in enumerate(sentences):
            written = self.written.get(folded(text))
            if written is not None:
                asked_so = tuple(Asked(question) for question in written.questions)
                yield Told(text, chunk.document_id, asked_so, written.source, self._behind(sentences, place))
            elif is_askable(text):
                asked = questions_of(text, chunk.heading, rng)
                if asked:
                    behind = self._behind(sentences, place)
                    yield Told(text, chunk.document_id, tuple(asked), behind=behind)

    def _behind(self, sentences: Sequence[str], place: int) -> tuple[str, ...]:
        """Those that an answer goes on with."""
        taken: list[str] = []
        words = len(sentences[place].split())
        for text in sentences[place + 1 : place + self.settings.sentences]:
            words += len(text.split())
            if words > _MOST_WORDS:
                break
            taken.append(text)
        return tuple(taken)

    def _is_kept_out(self, text: str) -> bool:
        said = folded(text)
        return any(kept in said for kept in self.kept_out)

    def _of_set(
        self,
        split: Split,
        mine: Mapping[str, Source],
        shown: Mapping[str, Source],
        hits: list[Hit],
        rng: random.Random,
    ) -> Iterator[Row]:
        """The rows of one set, which share all but their questions."""
        if len(hits) <= 2:
            return
        left_out = rng.sample(range(min(len(hits), self.settings.passages + 1)), k=min(2, len(hits) - 2))
        kept = [hit for place, hit in enumerate(hits) if place not in left_out][: self.settings.passages]
        is_ranked = rng.random() < self.settings.ranked
        if not is_ranked:
            rng.shuffle(kept)
        marking = Marking(f"{rng.getrandbits(32):08x}", f"ref-{rng.getrandbits(40):010x}")
        said = [hit.chunk.embedded_text for hit in kept]
        asked = [
            *self._answerable(kept, mine, rng, is_ranked=is_ranked),
            *self._unanswerable([hits[i] for i in left_out], said, mine, rng),
        ]
        used = tuple(dict.fromkeys(shown[hit.chunk.document_id] for hit in kept))
        for one, told, gold in asked:
            self._uses[told.text] += 1
            question = one.text if told.written else paraphrased(one.text, rng)
            mine_too = () if gold else (mine[told.document],)
            sources = (*used, *mine_too, *((told.written,) if told.written else ()))
            yield Row(
                kind="sft",
                group=f"{split}/{marking.nonce}",
                messages=tuple(render(self.prompt, MaskedText(question), [], kept, marking)),
                completion=NO_ANSWER if gold is None else told.answer(gold),
                sources=tuple(dict.fromkeys(sources)),
                split=split,
                question=question,
                is_answerable=gold is not None,
                gold=gold,
            )  # fmt: skip

    def _answerable(
        self, kept: Sequence[Hit], mine: Mapping[str, Source], rng: random.Random, *, is_ranked: bool
    ) -> list[tuple[Asked, Told, int | None]]:
        """Questions about passages of the set: in the order of retrieval most about the first, else of each as many."""
        count = self.settings.questions - round(self.settings.questions * self.settings.unanswerable)
        told = [[one for one in self._told(hit.chunk, rng) if self._is_free(one, mine)] for hit in kept]
        texts = [hit.chunk.text for hit in kept]
        found: list[tuple[Asked, Told, int | None]] = []
        first = rng.sample(told[0], min(len(told[0]), round(_FIRST * count))) if is_ranked else []
        taken = {one.text for one in first}
        rest = [[one for one in of if one.text not in taken] for of in told]
        for number, one in [*((1, one) for one in first), *_in_turns(rest, rng)]:
            if len(found) == count:
                break
            if sum(one.text in text for text in texts) == 1:
                found.append((rng.choice(one.asked), one, number))
        return found

    def _unanswerable(
        self, left_out: Sequence[Hit], said: Sequence[str], mine: Mapping[str, Source], rng: random.Random
    ) -> list[tuple[Asked, Told, int | None]]:
        """Questions about passages that are not in the set, and that nothing in it answers."""
        count = round(self.settings.questions * self.settings.unanswerable)
        told = [[one for one in self._told(hit.chunk, rng) if self._is_free(one, mine)] for hit in left_out]
        found: list[tuple[Asked, Told, int | None]] = []
        for _, one in _in_turns(told, rng):
            if len(found) == count:
                break
            if not _is_said(one.text, said):
                found.append((rng.choice(one.asked), one, None))
        return found

    def _is_free(self, told: Told, mine: Mapping[str, Source]) -> bool:
        return told.document in mine and self._uses[told.text] < _MOST_USES


def _in_turns(told: Sequence[Sequence[Told]], rng: random.Random) -> Iterator[tuple[int, Told]]:
    """One sentence of each passage after the other, with the passages' numbers from 1."""
    queues = [(number, rng.sample(one, len(one))) for number, one in enumerate(told, start=1)]
    while queues:
        rng.shuffle(queues)
        for number, queue in queues:
            if queue:
                yield number, queue.pop()
        queues = [(number, queue) for number, queue in queues if queue]


def _is_said(sentence: str, passages: Sequence[str]) -> bool:
    """Whether a passage has a sentence with most of the words of this one."""
    words = set(content_words(sentence))
    if not words:
        return True
    for passage in passages:
        for start, end in sentence_spans(passage, "en"):
            if len(words & set(content_words(passage[start:end]))) >= _SAME * len(words):
                return True
    return False
