"""Screens for poisoned documents: what looks like an attack waits for a person. Each finding says why and where.

Rules over every view of a text, and a model that looks for planted sentences. What is found stays beside the document,
so that a query pays nothing.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ingestion.corpus import Flag
from ingestion.detect.decodings import LOOKALIKES, decodings_of
from ingestion.detect.injection import Finding, by_rules

_HIDDEN_CHARS = 40
_INVISIBLE_CHARS = 20
_WORD = re.compile(r"\w{3,}")
_MIXED_WORDS = 3
_BEGIN_WORDS = 8


def screen_text(text: str, hidden: Sequence[str], invisible: int) -> Iterator[Flag]:
    """Everything that can be said of one document alone. `invisible` counts its invisible characters."""
    yield from _instructions(text)
    plain = text.translate(LOOKALIKES)
    mixed = [m for m in _WORD.finditer(text) if not text.isascii() and _is_mixed(m[0])]
    if len(mixed) >= _MIXED_WORDS or (mixed and next(_instructions(plain), None) is not None):
        words = mixed[0]
        reason = f"{len(mixed)} words mix alphabets whose letters look alike"
        yield Flag("look_alikes", reason, words.start(), words.end())
    unseen = "\n".join(hidden)
    if next(_instructions(unseen), None) is not None:
        yield Flag("hidden_instruction", "text that readers don't see addresses a model")
    elif len(unseen) >= _HIDDEN_CHARS and _is_prose(unseen):
        yield Flag("hidden_text", f"{len(unseen)} characters are hidden from readers")
    if invisible >= _INVISIBLE_CHARS:
        yield Flag("invisible_characters", f"{invisible} characters are invisible")


def _instructions(text: str) -> Iterator[Flag]:
    for found in by_rules(text, decodings_of(text), is_document=True):
        yield Flag(
            f"instruction_{found.rule}", "it reads like an instruction to a model", found.start, found.end
        )


def model_flags(found: Sequence[Finding]) -> Iterator[Flag]:
    """What the model tier found, as flags: the worst sentence alone, since one is enough to wait for a person."""
    for finding in found[:1]:
        reason = (
            f"a sentence has nothing to do with the rest and asks something of a model ({finding.score:.2f})"
        )
        yield Flag("instruction_model", reason, finding.start, finding.end)


def _is_mixed(word: str) -> bool:
    scripts = [unicodedata.name(c, "").split(" ")[0] for c in word if c.isalpha()]
    if "LATIN" not in scripts:
        return False
    # Science writes TNFα and β2: only between Latin letters is a Greek one in disguise.
    first = scripts.index("LATIN")
    last = len(scripts) - scripts[::-1].index("LATIN")
    return "CYRILLIC" in scripts or "GREEK" in scripts[first:last]


def _is_prose(text: str) -> bool:
    """Sentences rather than labels of a hidden menu."""
    return any(len(line.split()) >= 8 for line in re.split(r"[\n|]", text))


def beginning(text: str) -> str | None:
    """What near copies aimed at one question have in common: their first words; None when there are few."""
    words = re.findall(r"\w+", text.casefold())
    return " ".join(words[:_BEGIN_WORDS]) if len(words) > _BEGIN_WORDS else None


def describe(flags: Iterable[Flag]) -> str:
    """Flags in words, for a report."""
    return "; ".join(f"{flag.rule}: {flag.reason}" for flag in flags)
