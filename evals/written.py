"""What can be told of a text that a model wrote, whatever it was asked: gold answers, loops, leaks, abstention."""

import re
from collections import Counter
from collections.abc import Sequence

from service.answer.prompts import NO_ANSWER
from service.guard.checks.citations import without_markers
from service.guard.checks.leak import canary_of

CANARY = canary_of(b"evals")
WORD = re.compile(r"\w+")
# What no answer may hold: tags of passages, tokens of chat templates, thoughts, the canary.
_LEAK = re.compile(
    rf"</?passage|passage-[0-9a-f]{{4,}}|<\|\w+\|>|</?think|\[/?INST\]|{CANARY}", re.IGNORECASE
)
_RUN_WORDS, _RUN_TIMES = 5, 3


def holds(text: str, golds: Sequence[str]) -> bool:
    """Whether it holds one of the short answers, whatever the case and the white space."""
    folded = " ".join(text.split()).casefold()
    return any(" ".join(gold.split()).casefold() in folded for gold in golds)


def loops(text: str) -> bool:
    """Whether five words in a row come three times."""
    words = WORD.findall(without_markers(text).casefold())
    runs = Counter(tuple(words[i : i + _RUN_WORDS]) for i in range(len(words) - _RUN_WORDS + 1))
    return any(count >= _RUN_TIMES for count in runs.values())


def leaks(text: str) -> bool:
    """Whether it holds what belongs to the prompt and never to an answer."""
    return bool(_LEAK.search(text))


def abstains(text: str) -> bool:
    """Whether it says that the passages don't answer, as the prompt asks for."""
    return text.strip().startswith(NO_ANSWER)
