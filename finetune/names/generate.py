"""Sentences with labelled words for the name model: templates, made-up values, and many ways of writing."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.names.values import Values

_SLOT = re.compile(r"\{(\w+)\}")
TEMPLATES = Path(__file__).parent / "templates.txt"


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text and its entities as `(start, end, label)`, in characters, in order, without overlaps."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


def templates(path: Path = TEMPLATES) -> list[str]:
    """The templates of the file."""
    lines = path.read_text("utf-8").splitlines()
    return [line.replace("\\n", "\n").replace("\\t", "\t") for line in lines if line and line[0] != "#"]


def fill(template: str, values: Values) -> LabelledText:
    """A template with its slots filled."""
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    size = position = 0
    for slot in _SLOT.finditer(template):
        label, draw = values.slots[slot[1]]
        value = " ".join(draw().split())
        parts += [template[position : slot.start()], value]
        size += slot.start() - position
        if label:
            spans.append((size, size + len(value), label))
        size += len(value)
        position = slot.end()
    parts.append(template[position:])
    return LabelledText("".join(parts), tuple(spans))


def generate(count: int, seed: int) -> Iterator[LabelledText]:
    """`count` texts, the same for the same seed. A fifth of them are several sentences together."""
    chance = random.Random(seed)
    values = Values(seed)
    pool = templates()
    for _ in range(count):
        parts = [rewrite(fill(chance.choice(pool), values), chance)]
        while chance.random() < 0.2:
            parts.append(rewrite(fill(chance.choice(pool), values), chance))
        yield join(parts, " " if chance.random() < 0.7 else "\n")


def rewrite(one: LabelledText, chance: random.Random) -> LabelledText:
    """The text in another register: small letters, capitals, without punctuation."""
    roll = chance.random()
    if roll < 0.12:
        return LabelledText(_same_length(one.text, str.lower), one.spans)
    if roll < 0.15:
        return LabelledText(_same_length(one.text, str.upper), one.spans)
    if roll < 0.18:
        return LabelledText(_same_length(one.text, str.title), one.spans)
    if roll < 0.24:
        return _without_end_mark(one)
    if roll < 0.30:
        return LabelledText(re.sub(r"[,;:]", " ", one.text), one.spans)
    return one


def _same_length(text: str, change: Callable[[str], str]) -> str:
    """The changed text, or the text itself where the change would move the spans (`ß` has two capitals)."""
    changed = change(text)
    return changed if len(changed) == len(text) else text


def _without_end_mark(one: LabelledText) -> LabelledText:
    text = one.text.rstrip(".!?")
    return LabelledText(text, tuple((start, min(end, len(text)), label) for start, end, label in one.spans))


def join(parts: Sequence[LabelledText], gap: str) -> LabelledText:
    """Several texts as one."""
    texts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    size = 0
    for part in parts:
        if texts:
            texts.append(gap)
            size += len(gap)
        spans += [(start + size, end + size, label) for start, end, label in part.spans]
        texts.append(part.text)
        size += len(part.text)
    return LabelledText("".join(texts), tuple(spans))
