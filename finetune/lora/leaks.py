"""Rows that give an evaluation away: a question that is equal or nearly equal to one of the cases, or its answer with it.

A model that has seen the case is measured on its memory. Words are compared first, meanings after that.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import re2

from finetune.lora.rows import Row
from finetune.yaml_file import TrainingDataError
from ingestion.embed.cached import SentenceEmbedder
from ingestion.prepare.near_duplicates import words_of

# Of the words of two questions that say something, and of their vectors.
SAME_WORDS, SAME_MEANING = 0.7, 0.9
# Less is enough where the answer is the case's too.
_SAME_WORDS_WITH_ANSWER, _SAME_MEANING_WITH_ANSWER = 0.5, 0.75
_FUNCTION_WORDS = frozenset(
    "a an the this that these those there here it its i me my mine we us our ours you your yours he him his she her they"
    " them their who whom whose which what when where why how is are was were am be been being do does did done have has"
    " had having can could will would shall should may might must of to in on at by for from with into onto over under"
    " about as than then so if and or but also too very just only any some all each every both either please hi hello hey"
    " thanks thank tell say know let like want wanted need ask asked question quick excuse".split()
)
_ENDING = re.compile(r"(?<=\w{3})(?:ies|ing|ed|es|s|e|y)$")
_PATTERN_CHARS = re.compile(r"[^\w ]")
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KeptOut:
    """An evaluation case: its question, and its short gold answers where it has some."""

    question: str
    answers: tuple[str, ...] = ()


def read_cases(paths: Sequence[Path]) -> list[KeptOut]:
    """The cases of JSON-lines files, each line with `question` and perhaps `answers`. Raises `TrainingDataError`."""
    return [case for path in paths for case in _cases_of(path)]


def _cases_of(path: Path) -> Iterator[KeptOut]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise TrainingDataError(
            f"The file of evaluation cases {str(path)!r} can't be read: {exc.strerror}. Correct `data.keep_out`."
        ) from exc
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            case = orjson.loads(line)
            yield KeptOut(_text(case["question"]), tuple(map(_text, case.get("answers") or ())))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
            raise TrainingDataError(
                f"Line {number} of {str(path)!r} is no evaluation case: write a JSON object with the text `question`"
                " and, where there are some, a list of texts `answers`."
            ) from exc


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def content_words(text: str) -> frozenset[str]:
    """The words of a text that say something, without their endings; of a text without such words all of them."""
    words = words_of(text)
    told = [word for word in words if word not in _FUNCTION_WORDS]
    return frozenset(_ENDING.sub("", word) for word in told or words)


def question_of(row: Row) -> str:
    """What a row asks: its question, or where none is kept the last thing that the user says."""
    if row.question or not row.messages:
        return row.question
    return next((m["content"] for m in reversed(row.messages) if m["role"] == "user"), "")


def leaks_of(rows: Sequence[Row], cases: Sequence[KeptOut], embedder: SentenceEmbedder) -> list[str | None]:
    """For each row what it gives away, None for nothing.

    `evaluation_text`: a case's very question stands anywhere in it, punctuation and letter case aside; `evaluation_words`: its
    question has the words of a case's (a Jaccard similarity of .7); `evaluation_meaning`: the cosine of the two questions is
    .9 or more. Where the completion holds the case's gold answer, .5 and .75 are enough.
    """
    if not cases or not rows:
        return [None] * len(rows)
    quoted = _quoting(rows, cases)
    questions = [question_of(row) for row in rows]
    alike = _alike(questions, [case.question for case in cases])
    words = [
        bool((shares >= SAME_WORDS).any()) or _answers(row, shares >= _SAME_WORDS_WITH_ANSWER, cases)
        for row, shares in zip(rows, alike, strict=True)
    ]
    open_ones = [i for i, found in enumerate(zip(quoted, words, strict=True)) if not any(found)]
    meant = dict(zip(open_ones, _meaning([rows[i] for i in open_ones], cases, embedder), strict=True))
    reasons: list[str | None] = []
    for i in range(len(rows)):
        reasons.append(
            "evaluation_text" if quoted[i] else "evaluation_words" if words[i]
            else "evaluation_meaning" if meant[i] else None
        )  # fmt: skip
    return reasons


def _quoting(rows: Sequence[Row], cases: Sequence[KeptOut]) -> list[bool]:
    """Whether a case's question stands in a row: one pattern for all of them, in linear time."""
    asked = sorted({_plain(case.question) for case in cases} - {"  "})
    pattern = re2.compile("|".join(_PATTERN_CHARS.sub("", one) for one in asked))
    return [bool(asked) and pattern.search(_plain(_all_of(row))) is not None for row in rows]


def _plain(text: str) -> str:
    """The words of a text with single blanks between and around them."""
    return f" {' '.join(words_of(text))} "


def _all_of(row: Row) -> str:
    return "\n".join(
        (*(m["content"] for m in row.messages), row.question, row.completion, row.rejected or "")
    )


def _alike(questions: Sequence[str], asked: Sequence[str]) -> Iterator[Shares]:
    """For each question the Jaccard similarity of its words to those of every case."""
    theirs = [content_words(one) for one in asked]
    sizes = np.array([len(words) for words in theirs], np.float64)
    having: dict[str, list[int]] = {}
    for i, words in enumerate(theirs):
        for word in words:
            having.setdefault(word, []).append(i)
    for question in questions:
        own = content_words(question)
        common = np.zeros(len(asked))
        for word in own:
            common[having.get(word, [])] += 1
        yield common / np.maximum(len(own) + sizes - common, 1)


def _answers(row: Row, asked: npt.NDArray[np.bool_], cases: Sequence[KeptOut]) -> bool:
    """Whether the completion holds a gold answer of one of the cases that are `asked`."""
    if not asked.any():
        return False
    said = _plain(row.completion)
    gold = (answer for i in np.flatnonzero(asked).tolist() for answer in cases[i].answers)
    return any(_plain(answer) in said for answer in gold if words_of(answer))


def _meaning(rows: Sequence[Row], cases: Sequence[KeptOut], embedder: SentenceEmbedder) -> list[bool]:
    questions = [question_of(row) for row in rows]
    unique = list(dict.fromkeys(question for question in questions if question.strip()))
    if not unique:
        return [False] * len(rows)
    cosines = embedder.embed(unique) @ embedder.embed([case.question for case in cases]).T
    by_question = dict(zip(unique, cosines, strict=True))
    found = []
    for row, question in zip(rows, questions, strict=True):
        own = by_question.get(question)
        found.append(
            own is not None
            and (bool((own >= SAME_MEANING).any()) or _answers(row, own >= _SAME_MEANING_WITH_ANSWER, cases))
        )
    return found
