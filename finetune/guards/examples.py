"""What the cross-encoder learns from: the halves of BEGIN, Q², WiCE and CLAPNQ that nothing is measured with, questions of
XQuAD and COVID-QA, and claims made of passages, of questions with their answers, and of true claims with one thing changed."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.guards.claims import Claim, claims
from finetune.guards.invent import Pool, changed, invent, pool_of
from finetune.guards.statements import other_answer, statement
from ingestion.detect.heads import is_held_out
from ingestion.text.sentences import sentence_spans
from service.guard.models.cross_encoder import ANSWERS, SUPPORTS, chosen_evidence

INVENTED = {"en": 20_000, "de": 1_500, "es": 1_500}
_TIMES = {"begin": 3, "q2": 4, "wice": 3, "clapnq": 4}
_WINDOW_CHARS = 900


@dataclass(frozen=True, slots=True)
class Example:
    """A claim or question, its evidence as the judge reads it, whether it holds, and of which output."""

    text: str
    evidence: str
    holds: bool
    output: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with the text that answers it, where, and what else is answered there."""

    question: str
    answer: str
    text: str
    place: int
    answers: Sequence[str]


def corpus(data: Path, rng: random.Random) -> Iterator[Example]:
    """All of it. Raises `OSError` for a missing file."""
    english = list(_xquad(data, "en"))
    covid = list(_covid(data, rng))
    pool = pool_of(list(dict.fromkeys([*_clapnq_passages(data), *(one.text for one in [*english, *covid])])))
    yield from _labelled(list(claims(data)), pool, rng)
    yield from _answered(list(_clapnq(data)), rng)
    yield from _questions(english, rng)
    yield from _far(covid, rng)
    yield from _statements([*english, *covid], rng)
    for text, evidence, holds in invent(pool, INVENTED["en"], rng):
        yield _example(text, evidence, holds, SUPPORTS)
    for language in ("de", "es"):
        # Each language by itself: a foreign name would give the false claims away.
        texts = pool_of(list(dict.fromkeys(one.text for one in _xquad(data, language))))
        for text, evidence, holds in invent(texts, INVENTED[language], rng):
            yield _example(text, evidence, holds, SUPPORTS)


def _example(text: str, evidence: str, holds: bool, output: int) -> Example:
    return Example(text, chosen_evidence(text, evidence), holds, output)


def _labelled(found: Sequence[Claim], pool: Pool, rng: random.Random) -> Iterator[Example]:
    """People's labels, several times; true claims with one thing changed, and before another's evidence, are false."""
    by_source: dict[str, list[Claim]] = {}
    for claim in found:
        by_source.setdefault(claim.source, []).append(claim)
    for claim in found:
        yield from [_example(claim.text, claim.evidence, claim.is_supported, SUPPORTS)] * _TIMES[claim.source]
        if claim.is_supported:
            wrong = changed(claim.text, claim.evidence, pool, rng)
            yield _example(wrong, claim.evidence, False, SUPPORTS)
            if rng.random() < 0.3:
                other = rng.choice(by_source[claim.source])
                if other.evidence[:80] != claim.evidence[:80]:
                    yield _example(claim.text, other.evidence, False, SUPPORTS)


def _answered(asked: Sequence[tuple[str, str, bool, str]], rng: random.Random) -> Iterator[Example]:
    """CLAPNQ: its questions with and without an answer, and its answers as claims."""
    for question, passage, is_answered, answer in asked:
        yield from [_example(question, passage, is_answered, ANSWERS)] * _TIMES["clapnq"]
        if is_answered:
            yield _example(question, rng.choice(asked)[1], False, ANSWERS)
            if answer and len(answer.split()) < 60:
                yield from [_example(answer, passage, True, SUPPORTS)] * 2


def _clapnq(data: Path) -> Iterator[tuple[str, str, bool, str]]:
    """Question, passage, whether it answers, and the long answer."""
    for name in ("answerable", "unanswerable"):
        for row in _clapnq_rows(data, name):
            if not is_held_out(row["input"]):
                passage = row["passages"][0]
                answer = row["output"][0]["answer"] if name == "answerable" and row["output"] else ""
                yield row["input"], f"{passage['title']}. {passage['text']}", name == "answerable", answer


def _clapnq_passages(data: Path) -> Iterator[str]:
    for name in ("answerable", "unanswerable"):
        for row in _clapnq_rows(data, name):
            yield from (passage["text"] for passage in row["passages"])


def _clapnq_rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    for line in (data / "clapnq" / f"clapnq_dev_{name}.jsonl").read_text("utf-8").splitlines():
        yield json.loads(line)


def _questions(asked: Sequence[_Asked], rng: random.Random) -> Iterator[Example]:
    """Questions with their paragraph, with it less the sentence that answers, and with the likest of its neighbours."""
    for number, one in enumerate(asked):
        yield _example(one.question, one.text, True, ANSWERS)
        rest = _without(one)
        if rest:
            yield _example(one.question, rest, False, ANSWERS)
        # XQuAD's neighbours in the list are of the same article, for the most part.
        words = set(one.question.lower().split())
        around = {other.text for other in asked[max(0, number - 20) : number + 20]} - {one.text}
        if around and rng.random() < 0.5:
            near = max(sorted(around), key=lambda text: len(words & set(text.lower().split())))
            yield _example(one.question, near, False, ANSWERS)


def _without(one: _Asked) -> str:
    """The text less the sentence that answers, and nothing if the answer stands elsewhere too."""
    spans = list(sentence_spans(one.text))
    rest = " ".join(one.text[a:b] for a, b in spans if not a <= one.place < b)
    return rest if one.answer.casefold() not in rest.casefold() else ""


def _far(asked: Sequence[_Asked], rng: random.Random) -> Iterator[Example]:
    """Questions on a long article, with the part that answers and with another of its parts."""
    for one in asked:
        yield _example(one.question, one.text, True, ANSWERS)
        other = rng.choice(asked)
        rest = _without(one) if rng.random() < 0.4 else other.text
        if rest and one.answer.casefold() not in rest.casefold():
            yield _example(one.question, rest, False, ANSWERS)


def _statements(asked: Sequence[_Asked], rng: random.Random) -> Iterator[Example]:
    """Questions and answers as statements: true ones, ones with another answer, and ones less their evidence."""
    for one in asked:
        if len(one.answer.split()) > 25:
            continue
        said = statement(one.question, one.answer)
        yield _example(said, one.text, True, SUPPORTS)
        wrong = other_answer(one.answer, one.answers, rng)
        if wrong:
            yield _example(statement(one.question, wrong), one.text, False, SUPPORTS)
        rest = _without(one)
        if rest and rng.random() < 0.3:
            yield _example(said, rest, False, SUPPORTS)


def _xquad(data: Path, language: str) -> Iterator[_Asked]:
    raw = json.loads((data / "xquad" / f"xquad.{language}.json").read_text("utf-8"))
    for article in raw["data"]:
        for paragraph in article["paragraphs"]:
            answers = [item["answers"][0]["text"] for item in paragraph["qas"]]
            for item in paragraph["qas"]:
                first = item["answers"][0]
                yield _Asked(
                    item["question"], first["text"], paragraph["context"], first["answer_start"], answers
                )


def _covid(data: Path, rng: random.Random) -> Iterator[_Asked]:
    """A window around each answer."""
    raw = json.loads((data / "covid-qa" / "200423_covidQA.json").read_text("utf-8"))
    for article in raw["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            answers = [item["answers"][0]["text"] for item in paragraph["qas"]]
            for item in paragraph["qas"]:
                first = item["answers"][0]
                begin = max(0, first["answer_start"] - rng.randint(100, 600))
                end = max(begin + _WINDOW_CHARS, first["answer_start"] + len(first["text"]))
                yield _Asked(
                    item["question"], first["text"], text[begin:end], first["answer_start"] - begin, answers
                )
