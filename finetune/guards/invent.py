"""Claims made from sentences of passages: some say the same in fewer or other words, some change one thing that matters."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.text.sentences import sentence_spans

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_LONG_WORD = re.compile(r"\b[a-z]{5,}\b")
_OPPOSITES = dict(
    pair.split(":")
    for pair in (
        "first:second largest:smallest most:least before:after more:less increase:decrease always:never north:south"
        " east:west high:low higher:lower early:late earlier:later old:new young:old large:small began:ended"
        " opened:closed won:lost male:female black:white positive:negative oldest:newest started:stopped above:below"
        " many:few all:none inside:outside"
    ).split()
)
_NEGATIONS = (
    (" is ", " is not "), (" was ", " was not "), (" are ", " are not "), (" were ", " were not "),
    (" can ", " cannot "), (" has ", " has never "), (" not ", " "), (" had ", " had no "),
)  # fmt: skip
_OPENINGS = (
    "yes , ", "i ' m not sure , but ", "that ' s true . ", "i think ", "yeah , ", "oh , ", "well , ", "i know that ",
    "did you know that ", "it is interesting that ", "I believe ", "In short, ", "Yes, ", "According to this, ",
    "i do know that ", "no , but ",
)  # fmt: skip
_CHANGES = ("name", "number", "negate", "word", "opposite", "add", "word", "name", "add")


@dataclass(frozen=True, slots=True)
class Pool:
    """Passages, and the names, numbers and words that they hold."""

    passages: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[str, ...]
    words: tuple[str, ...]


def pool_of(passages: Sequence[str]) -> Pool:
    """What invented claims are made of."""
    return Pool(
        tuple(passages),
        tuple(name for text in passages for name in _NAME.findall(text)),
        tuple(number for text in passages for number in _NUMBER.findall(text)),
        tuple(word for text in passages for word in _LONG_WORD.findall(text)),
    )


def invent(pool: Pool, count: int, rng: random.Random) -> list[tuple[str, str, bool]]:
    """Claims, evidence, and whether the evidence supports the claim; two in five do."""
    found: list[tuple[str, str, bool]] = []
    while len(found) < count:
        passage = rng.choice(pool.passages)
        sentences = [s for s in sentences_of(passage) if 5 < len(s.split()) < 45]
        if sentences:
            found.append(_invented(passage, sentences, pool, rng))
    return found


def _invented(
    passage: str, sentences: Sequence[str], pool: Pool, rng: random.Random
) -> tuple[str, str, bool]:
    """A claim on one sentence or two, the sentences around it as evidence, and whether they support it."""
    sentence, chosen = _window(sentences, rng)
    others = [s for s in sentences if s not in chosen]
    claim, is_supported = _part(sentence, others, passage, pool, rng, wrong=0.47, wrong_or_other=0.54)
    if rng.random() < 0.25:
        # A claim of two parts is supported when both are.
        second, is_second = _part(
            rng.choice(chosen), others, passage, pool, rng, wrong=0.3, wrong_or_other=0.4
        )
        parts = [claim, second]
        rng.shuffle(parts)
        claim, is_supported = _joined(parts[0], parts[1], rng), is_supported and is_second
    evidence = " ".join(_amid(chosen, pool, rng) if rng.random() < 0.25 else chosen)
    return _spoken(claim, rng), evidence, is_supported


def _window(sentences: Sequence[str], rng: random.Random) -> tuple[str, list[str]]:
    """One of the sentences, and one to ten in a row with it among them."""
    number = rng.randrange(len(sentences))
    size = rng.choice([1, 1, 2, 4, 6, 10])
    begin = max(0, number - rng.randrange(size))
    window = list(sentences[begin : begin + size])
    return sentences[number], window if sentences[number] in window else [sentences[number]]


def _part(
    sentence: str,
    others: Sequence[str],
    passage: str,
    pool: Pool,
    rng: random.Random,
    *,
    wrong: float,
    wrong_or_other: float,
) -> tuple[str, bool]:
    """A part of a claim, and whether its sentence supports it: with one thing wrong or of another sentence at times."""
    said = _leaner(_shorter(sentence, rng), rng)
    roll = rng.random()
    if roll < wrong:
        return changed(said, passage, pool, rng), False
    if roll < wrong_or_other and others:
        return _leaner(_shorter(rng.choice(others), rng), rng), False
    return said, True


def _spoken(claim: str, rng: random.Random) -> str:
    """The claim after an opening and as chat sets write it, both at times."""
    if rng.random() < 0.3:
        claim = rng.choice(_OPENINGS) + claim[:1].lower() + claim[1:]
    return _as_dialogue(claim) if rng.random() < 0.4 else claim


def _joined(one: str, other: str, rng: random.Random) -> str:
    joint = rng.choice([", and ", " and ", ", while ", ". ", ". ", " ; "])
    return one.rstrip(". ") + joint + (other if joint == ". " else other[:1].lower() + other[1:])


def _amid(chosen: Sequence[str], pool: Pool, rng: random.Random) -> list[str]:
    """Sentences among those of another passage, as on a page of the web, in order."""
    others = [s for s in sentences_of(rng.choice(pool.passages)) if len(s.split()) < 45][: rng.randint(2, 7)]
    places = sorted(rng.randint(0, len(others)) for _ in chosen)
    found: list[str] = []
    for number, other in enumerate([*others, ""]):
        found += [said for said, place in zip(chosen, places, strict=True) if place == number]
        found += [other] if other else []
    return found


def sentences_of(text: str) -> list[str]:
    """The sentences of a passage, itself when it has none."""
    return [text[start:end] for start, end in sentence_spans(text)] or [text]


def _shorter(sentence: str, rng: random.Random) -> str:
    parts = re.split(r", (?:which|who|and|but|while|although)|; | \(|, ", sentence)
    parts = [part for part in parts if len(part.split()) >= 5]
    return rng.choice(parts).rstrip(".") + "." if parts and rng.random() < 0.6 else sentence


def _leaner(sentence: str, rng: random.Random) -> str:
    small = ("the", "a", "an", "also", "very", "however", "that")
    return " ".join(w for w in sentence.split() if not (w.lower() in small and rng.random() < 0.5))


def _as_dialogue(text: str) -> str:
    """As tokenised chat sets write it."""
    return re.sub(r"\s+", " ", re.sub(r"([.,!?;:'()\"-])", r" \1 ", text.lower())).strip()


def changed(claim: str, passage: str, pool: Pool, rng: random.Random) -> str:
    """The claim with one thing wrong; another claim where nothing can be changed."""
    order = list(_CHANGES)
    rng.shuffle(order)
    makers = {
        "name": _name,
        "number": _number,
        "negate": _negate,
        "opposite": _opposite,
        "word": _word,
        "add": _add,
    }
    for change in order:
        other = makers[change](claim, passage, pool, rng)
        if other is not None and other != claim:
            return other
    return rng.choice(sentences_of(rng.choice(pool.passages)))


def _name(claim: str, passage: str, pool: Pool, rng: random.Random) -> str | None:
    named = _NAME.findall(claim)
    if not named:
        return None
    near = [name for name in _NAME.findall(passage) if name not in claim]
    new = rng.choice(near) if near and rng.random() < 0.5 else rng.choice(pool.names)
    return claim.replace(rng.choice(named), new, 1)


def _number(claim: str, passage: str, pool: Pool, rng: random.Random) -> str | None:
    numbers = _NUMBER.findall(claim)
    if not numbers:
        return None
    old = rng.choice(numbers)
    moved = str(int(re.sub(r"\D", "", old) or 1) + rng.choice([-10, -3, -1, 1, 2, 7, 20]))
    return claim.replace(old, moved if rng.random() < 0.6 else rng.choice(pool.numbers), 1)


def _negate(claim: str, passage: str, pool: Pool, rng: random.Random) -> str | None:
    for plain, negated in _NEGATIONS:
        if plain in claim and rng.random() < 0.7:
            return claim.replace(plain, negated, 1)
    return None


def _opposite(claim: str, passage: str, pool: Pool, rng: random.Random) -> str | None:
    for word in re.findall(r"\w+", claim):
        if word.lower() in _OPPOSITES:
            return re.sub(rf"\b{word}\b", _OPPOSITES[word.lower()], claim, count=1)
    return None


def _word(claim: str, passage: str, pool: Pool, rng: random.Random) -> str | None:
    words = _LONG_WORD.findall(claim)
    if len(words) < 2:
        return None
    near = [word for word in _LONG_WORD.findall(passage) if word not in claim]
    new = rng.choice(near) if near and rng.random() < 0.5 else rng.choice(pool.words)
    return re.sub(rf"\b{rng.choice(words)}\b", new, claim, count=1)


def _add(claim: str, passage: str, pool: Pool, rng: random.Random) -> str | None:
    tail = " ".join(rng.choice(sentences_of(rng.choice(pool.passages))).split()[-rng.randint(4, 9) :])
    return claim.rstrip(". ") + rng.choice([" and ", ", ", " because ", " in ", " with "]) + tail
