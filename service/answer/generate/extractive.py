"""Sentences of the documents that answer the question. Never writes a word that is not in them."""

from collections.abc import AsyncGenerator, Sequence

from ingestion.corpus import Hit
from ingestion.embed import Embedder
from service.answer.evidence import Evidence
from service.answer.generate import Event, Finished, Task, Text
from service.answer.sentences import Sentence
from service.answer.stop import before_stop

MAX_SENTENCES = 2
# A second sentence must be nearly as good as the first, or it only distracts.
_KEEP_ABOVE = 0.55
_ENDS = (".", "!", "?", "…", ":")


def pick(sentences: Sequence[Sentence], hits: Sequence[Hit]) -> list[Sentence]:
    """The best sentences, at most two, without repeats, those of one passage in reading order."""
    chosen: list[Sentence] = []
    seen: set[str] = set()
    for sentence in sentences:
        text = _text(sentence, hits)
        if text.casefold() in seen:
            continue
        if chosen and sentence.score < _KEEP_ABOVE * chosen[0].score:
            break
        seen.add(text.casefold())
        chosen.append(sentence)
        if len(chosen) == MAX_SENTENCES:
            break
    first = chosen[0].hit if chosen else 0
    return sorted(chosen, key=lambda s: (s.hit != first, s.hit, s.start))


def _text(sentence: Sentence, hits: Sequence[Hit]) -> str:
    return hits[sentence.hit].chunk.text[sentence.start : sentence.end]


def compose(evidence: Evidence) -> list[str]:
    """The answer, sentence by sentence, each with the number of its passage; rows get a line each."""
    parts: list[str] = []
    previous = ""
    for sentence in pick(evidence.sentences, evidence.hits):
        text = _text(sentence, evidence.hits)
        gap = "" if not parts else " " if previous.endswith(_ENDS) else "\n"
        parts.append(f"{gap}{text} [{sentence.hit + 1}]")
        previous = text
    return parts


def _until(parts: Sequence[str], stop: Sequence[str]) -> list[str]:
    """The sentences before the one that holds a stop word, and that one's beginning."""
    kept: list[str] = []
    for part in parts:
        begun = before_stop(part, stop)
        kept.append(begun or part)  # of one that begins with the word, who sends it keeps nothing
        if begun != part:
            break
    return kept


class ExtractiveGenerator:
    """The embedded default, and what answers when the server doesn't."""

    name = "extractive"
    quotes = True

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def generate(self, task: Task) -> AsyncGenerator[Event, None]:
        """One `Text` a sentence."""
        parts = _until(compose(task.evidence), task.options.stop)
        for part in parts:
            yield Text(part)
        used = self._embedder.count_tokens([task.question, "".join(parts)])
        yield Finished("stop", used[0], used[1])
