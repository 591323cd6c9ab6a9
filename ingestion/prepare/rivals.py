"""Near copies that compete for one question (PoisonedRAG, Zou et al. 2024): they begin with it and answer it alike.

The question makes them found, and what follows says the same in other words. Pages of a site begin alike too, with its
navigation or a product's name: those ask nothing, or go on with something else.
"""

import re
from collections.abc import Sequence

from ingestion.corpus import Document
from ingestion.prepare.near_duplicates import words_of

_BLOCKS = 3
_QUESTION_CHARS, _BODY_CHARS = 300, 2_000
_LEAST_WORDS, _MOST_WORDS = 4, 8
_MARKED = re.compile(r"[^?？؟]{1,300}[?？؟]")
# A full stop ends a sentence behind a word, not behind "Mr" or an initial.
_SENTENCE_END = re.compile(r"\w{4}[.!]\s")
_ASKS = re.compile(
    r"(?:what|who|whom|whose|when|where|why|how|which|is|are|was|were|does|do|did|can|could|should|will|has|have"
    r"|was|wer|wen|wem|wann|wo|warum|wie|welche[rsn]?|qué|quién|cuándo|dónde|cómo|cuál|qui|que|quand|où|pourquoi|comment"
    r"|quel(?:le)?s?|chi|cosa|dove|perché|come|quale|quem|onde|como|qual|wat|wie|wanneer|waar|waarom|hoe|welke?)\b",
    re.IGNORECASE,
)
_SENTENCE_WORDS = 6
_LEAST_ALIKE = 0.15
# Of more texts that begin alike each is compared with some.
_COMPARED = 200


def question_at(text: str) -> str | None:
    """The first words of the question with which a text begins; None when it begins with none."""
    begin = text[:_QUESTION_CHARS].lstrip()
    marked = _MARKED.match(begin)
    if marked is not None and not _is_question(marked[0]):
        marked = None
    if marked is None and not _ASKS.match(begin):
        return None
    words = words_of(marked[0] if marked else begin)[:_MOST_WORDS]
    return " ".join(words) if len(words) >= _LEAST_WORDS else None


def _is_question(text: str) -> bool:
    """Whether it is one sentence, or a question behind a whole one; labels of a menu before a question are neither."""
    before = _SENTENCE_END.split(text)[:-1]
    return not before or (len(before) == 1 and len(before[0].split()) >= _SENTENCE_WORDS)


def beginning(document: Document) -> str | None:
    """The question with which a document begins, in one of its first blocks."""
    for span in document.spans[:_BLOCKS]:
        found = question_at(document.text[span.start : min(span.end, span.start + _QUESTION_CHARS)])
        if found is not None:
            return found
    return None


def rivals(texts: Sequence[str], question: str) -> list[int]:
    """Which of some texts say nearly the same as another one, the words of their question aside."""
    asked = set(question.split())
    said = [frozenset(words_of(text[:_BODY_CHARS])) - asked for text in texts]
    others = list(enumerate(said))[:: max(1, len(said) // _COMPARED)]
    return [i for i, one in enumerate(said) if any(j != i and _alike(one, other) for j, other in others)]


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _LEAST_ALIKE * len(one | other)
