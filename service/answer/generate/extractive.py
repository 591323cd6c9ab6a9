"""Sentences of the documents that answer the question. Never writes a word that is not in them."""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from ingestion.corpus import Hit
from ingestion.embed import Embedder
from service.answer.evidence import Evidence
from service.answer.generate import Event, Finished, Task, Text
from service.answer.sentences import Sentence
from service.answer.statements import points_elsewhere
from service.answer.stop import before_stop

MAX_SENTENCES = 2
# A second sentence must be nearly as good as the first, or it only distracts. On the demo, XQuAD English and questions about
# manuals two sentences hold the answer as often as with .55, and of the demo's answers a third has one alone.
_KEEP_ABOVE = 0.8
_ENDS = (".", "!", "?", "…", ":")
# What a sentence leads to is quoted with it, up to so many characters: a command, or a short list.
_MOST_LED_CHARS = 400
_BLANK_LINE = "\n\n"
_WORD = re.compile(r"\w+")
_ASKING = ("?", "？", "؟")
# A sentence of fewer words may be all that there is to say.
_FEW_WORDS = 4
# What a program puts before a message, which the asker leaves out.
_LEVELS = frozenset("log error fatal panic warning notice info debug".split())


def pick(sentences: Sequence[Sentence], hits: Sequence[Hit], question: str = "") -> list[Sentence]:
    """The best sentences that say something, at most two, without repeats, those of one passage in reading order."""
    chosen: list[Sentence] = []
    seen: set[str] = set()
    for sentence in _telling(sentences, hits, question):
        text = _text(sentence, hits)
        if text.casefold() in seen or any(_overlap(sentence, one) for one in chosen):
            continue
        if chosen and sentence.score < _KEEP_ABOVE * chosen[0].score:
            break
        seen.add(text.casefold())
        chosen.append(sentence)
        if len(chosen) == MAX_SENTENCES:
            break
    first = chosen[0].hit if chosen else 0
    return sorted(chosen, key=lambda s: (s.hit != first, s.hit, s.start))


def _telling(sentences: Sequence[Sentence], hits: Sequence[Hit], question: str) -> Sequence[Sentence]:
    """Sentences that can answer, each with what it belongs to: no question, and nothing that leads nowhere."""
    asked = frozenset(_WORD.findall(question.casefold()))
    whole = [_in_full(sentence, hits[sentence.hit].chunk.text, asked) for sentence in sentences]
    return [one for one in whole if not _leads(_text(one, hits), asked)] or whole


def _leads(text: str, asked: frozenset[str]) -> bool:
    """Whether a sentence answers nothing by itself: a question, what ends in a colon, what points elsewhere, or what the
    asker said already."""
    said = frozenset(_WORD.findall(text.casefold())) - _LEVELS
    return (
        text.endswith((*_ASKING, ":", "："))
        or points_elsewhere(text)
        or (len(said) >= _FEW_WORDS and said <= asked)
    )


def _in_full(sentence: Sentence, text: str, asked: frozenset[str]) -> Sentence:
    """A sentence with the lines that it leads to, up to a blank one, or with those that it goes on from."""
    start, end = sentence.start, sentence.end
    if _leads(text[start:end], asked) and not text[start:end].endswith(_ASKING):
        behind = text[end:]
        begin = end + len(behind) - len(behind.lstrip())
        led = _first_lines(text[begin:].split(_BLANK_LINE, 1)[0])
        return replace(sentence, end=begin + len(led)) if led else sentence
    if text[start].islower() and text[:start].endswith(_BLANK_LINE):
        before = text[:start].rstrip().rpartition(_BLANK_LINE)[2]
        if 0 < len(before) <= _MOST_LED_CHARS:
            return replace(sentence, start=text.rindex(before, 0, start))
    return sentence


def _first_lines(text: str) -> str:
    """A text's first lines, or the beginning of its first."""
    if len(text) <= _MOST_LED_CHARS:
        return text.rstrip()
    begun = text[:_MOST_LED_CHARS]
    return (begun.rpartition("\n")[0] or begun.rpartition(" ")[0]).rstrip()


def _overlap(one: Sentence, other: Sentence) -> bool:
    return one.hit == other.hit and one.start < other.end and other.start < one.end


def _text(sentence: Sentence, hits: Sequence[Hit]) -> str:
    return hits[sentence.hit].chunk.text[sentence.start : sentence.end]


def compose(evidence: Evidence, question: str) -> list[str]:
    """The answer, sentence by sentence, each with the number of its passage; rows get a line each."""
    parts: list[str] = []
    previous = ""
    for sentence in pick(evidence.sentences, evidence.hits, question):
        text = _text(sentence, evidence.hits)
        gap = "" if not parts else " " if previous.endswith(_ENDS) and "\n" not in text else "\n"
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
        parts = _until(compose(task.evidence, task.question), task.options.stop)
        for part in parts:
            yield Text(part)
        used = self._embedder.count_tokens([task.question, "".join(parts)])
        yield Finished("stop", used[0], used[1])
