"""Rows that say what a row before them says: the same text, or nearly the same."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from finetune.lora.leaks import content_words, question_of
from finetune.lora.rows import Row
from ingestion.prepare.near_duplicates import NEAR, bands_of, resemblance, words_of

# Shorter texts have too few runs of words to be compared by them.
_LONG_WORDS = 50


def duplicates_of(rows: Sequence[Row]) -> list[str | None]:
    """For each row `duplicate` or `near_duplicate` of one before it that is kept, None for a new one.

    Rows from documents repeat a question on purpose, beside other passages: they are compared among those that have the same
    ones. What a person wrote counts once, whatever was beside it. Two texts with other numbers are two texts.
    """
    seen = _Seen()
    return [seen.judge(row) for row in rows]


class _Seen:
    """The rows that were kept."""

    def __init__(self) -> None:
        self._exact: set[Any] = set()
        self._words: set[Any] = set()
        self._long: dict[Any, list[str]] = {}

    def judge(self, row: Row) -> str | None:
        group = _group(row)
        text = "\n".join((question_of(row), row.completion, row.rejected or ""))
        words = words_of(text)
        exact = (group, tuple(words))
        if exact in self._exact:
            return "duplicate"
        found = self._is_near(group, row, text, words)
        if found:
            return "near_duplicate"
        self._exact.add(exact)
        return None

    def _is_near(self, group: Any, row: Row, text: str, words: Sequence[str]) -> bool:
        """Whether it has the words of one before it, or nearly all runs of words of a long one."""
        told = (group, content_words(question_of(row)), content_words(row.completion), row.rejected)
        if row.messages and told in self._words:
            return True
        figures = frozenset(Counter(word for word in words if any(c.isdigit() for c in word)).items())
        keys = [(group, figures, band) for band in bands_of(text)] if len(words) >= _LONG_WORDS else []
        beside = dict.fromkeys(other for key in keys for other in self._long.get(key, ()))
        if any(resemblance(text, other) >= NEAR for other in beside):
            return True
        self._words.add(told)
        for key in keys:
            self._long.setdefault(key, []).append(text)
        return False


def _group(row: Row) -> Any:
    """Rows are compared with those of the same kind and judgement, and those of documents with the same passages."""
    kind = (row.kind, row.is_good)
    if not row.messages or any(source.kind != "document" for source in row.sources):
        return kind
    said = "\n".join(message["content"] for message in row.messages)
    return (*kind, said.replace(row.question, "") if row.question else said)
