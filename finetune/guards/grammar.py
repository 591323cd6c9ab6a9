"""Sentences from templates: `{slot}` is filled from lists that may hold slots themselves."""

import random
import re
from collections.abc import Mapping, Sequence

Slots = Mapping[str, Sequence[str]]
_SLOT = re.compile(r"\{(\w+)\}")
MAX_DEPTH = 6


def slots_in(text: str) -> list[str]:
    """The slots that a text names."""
    return _SLOT.findall(text)


def expand(template: str, slots: Slots, rng: random.Random) -> str:
    """A sentence of a template, after at most `MAX_DEPTH` rounds. Raises `KeyError` for a slot that has no list."""
    for _ in range(MAX_DEPTH):
        if "{" not in template:
            break
        template = _SLOT.sub(lambda found: rng.choice(slots[found[1]]), template)
    return template


def sample(templates: Sequence[str], slots: Slots, count: int, rng: random.Random) -> list[str]:
    """`count` sentences or fewer, each once, from all templates in turn."""
    found: dict[str, None] = {}
    for attempt in range(4 * count):
        if len(found) == count:
            break
        text = expand(templates[attempt % len(templates)], slots, rng)
        found[_retyped(text, rng)] = None
    return list(found)


def _retyped(text: str, rng: random.Random) -> str:
    """The same with the small differences of how people type."""
    chance = rng.random()
    if chance < 0.06:
        return text.lower()
    if chance < 0.10:
        return text.rstrip(".!?")
    return text[:1].upper() + text[1:]
