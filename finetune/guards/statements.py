"""Statements made from questions and their answers, after QA2D (Demszky et al. 2018): people ask in words of their own, so
a statement seldom repeats its passage. The grammar is rough, as in chats."""

import random
import re
from collections.abc import Sequence

_ASKED = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often|large|big|high)|what (?:year|type of|kind of|percentage of|number of)"
    r"|which|whose|whom|who|when|where|why|how|what)\b",
    re.IGNORECASE,
)
_DO = frozenset("did do does".split())
_BE = frozenset("is are was were has have had can could will would may might should must".split())
_JOINTS = {"when": "in", "where": "in", "why": "because of", "how": "by"}


def statement(question: str, answer: str) -> str:
    """What a question and its answer say together."""
    asked = question.strip().rstrip("?¿ ")
    answer = answer.strip().rstrip(".")
    found = _ASKED.search(asked)
    if found is None:
        return f"{asked}: {answer}."
    before, after = asked[: found.start()].strip(), asked[found.end() :].strip()
    verb, _, rest = after.partition(" ")
    joint = _JOINTS.get(found.group().lower(), "")
    if before:
        said = f"{before} {answer}, {rest if verb.lower() in _DO else after}"
    elif verb.lower() in _DO:
        said = f"{rest} {joint} {answer}"
    elif verb.lower() in _BE and rest:
        said = f"{rest} {verb} {joint} {answer}"
    else:
        said = f"{answer} {after}"
    said = " ".join(said.split()).rstrip(", ")
    return f"{said[:1].upper()}{said[1:]}."


def other_answer(answer: str, answers: Sequence[str], rng: random.Random) -> str | None:
    """An answer to another question that might be taken for one to this: with digits if this has some, without if not."""
    has_digits = any(c.isdigit() for c in answer)
    folded = answer.casefold()
    near = [
        other
        for other in answers
        if any(c.isdigit() for c in other) == has_digits
        and other.casefold() not in folded
        and folded not in other.casefold()
    ]
    return rng.choice(near) if near else None
