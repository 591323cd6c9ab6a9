"""Screens for poisoned documents: what looks like an attack waits for a person. Each finding says why and where.

Rules over every view of a text, and a model that looks for planted sentences. What is found stays beside the document,
so that a query pays nothing.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ingestion.corpus import Document, Flag, Span
from ingestion.detect.decodings import LOOKALIKES, decodings_of
from ingestion.detect.injection import Finding, all_by_rules

_HIDDEN_CHARS = 40
_INVISIBLE_CHARS = 20
_WORD = re.compile(r"\w{3,}")
_MIXED_WORDS = 3
_ALIKE = ("CYRILLIC", "GREEK")
# Rules of which an honest page seldom has a match. They hold in program code too, and no approval weakens them.
_CERTAIN = ("override", "forget_all", "exfiltrate")
# A score of the model from which nobody's approvals let a sentence through.
_CERTAIN_SCORE = 0.995
# So many suspicious sentences show that there are more than a few.
_MOST_SENTENCES = 5


def screen_text(
    text: str,
    hidden: Sequence[str],
    invisible: int,
    code: Sequence[Span] = (),
    *,
    aside: Sequence[str] = (),
) -> Iterator[Flag]:
    """Everything that can be said of one document alone. `invisible` counts its invisible characters; `code` are the
    blocks of its text that are program code. `hidden` text is suspicious in itself, what was set `aside` only where it
    addresses a model."""
    prose = without_code(text, code)
    yield from _instructions(prose)
    if prose != text:
        yield from _certain_in(text, code)
    plain = prose.translate(LOOKALIKES)
    mixed = [m for m in _WORD.finditer(prose) if not prose.isascii() and _is_mixed(m[0])]
    if len(mixed) >= _MIXED_WORDS or (mixed and next(_instructions(plain), None) is not None):
        words = mixed[0]
        reason = f"{len(mixed)} words mix alphabets whose letters look alike"
        yield Flag("look_alikes", reason, words.start(), words.end())
    unseen = "\n".join(hidden)
    if next(_instructions("\n".join((unseen, *aside))), None) is not None:
        yield Flag("hidden_instruction", "text that readers don't see addresses a model")
    elif len(unseen) >= _HIDDEN_CHARS and _is_prose(unseen):
        yield Flag("hidden_text", f"{len(unseen)} characters are hidden from readers")
    if invisible >= _INVISIBLE_CHARS:
        yield Flag("invisible_characters", f"{invisible} characters are invisible")


def code_of(document: Document) -> list[Span]:
    """The blocks of a document that are program code; none where that is most of it, since prose may be set as code."""
    code = [span for span in document.spans if span.kind == "code"]
    return code if 2 * sum(span.end - span.start for span in code) <= len(document.text) else []


def without_code(text: str, code: Iterable[Span]) -> str:
    """The text with line ends in the place of program code, so that offsets stay."""
    parts, position = [], 0
    for span in code:
        parts += [text[position : span.start], "\n" * (span.end - span.start)]
        position = span.end
    return "".join([*parts, text[position:]])


def _certain_in(text: str, code: Iterable[Span]) -> Iterator[Flag]:
    """What no program says either."""
    for span in code:
        for flag in _instructions(text[span.start : span.end]):
            if flag.is_certain:
                yield Flag(flag.rule, flag.reason, span.start + flag.start, span.start + flag.end, "passage")


def _instructions(text: str) -> Iterator[Flag]:
    for found in all_by_rules(text, decodings_of(text)):
        rule, place = f"instruction_{found.rule}", (found.start, found.end)
        if found.is_disguised:
            yield Flag(rule, "it reads like an instruction to a model, once it is decoded", *place)
            continue
        is_certain = found.rule.startswith(_CERTAIN)
        yield Flag(rule, "it reads like an instruction to a model", *place, "passage", is_certain)


def model_flags(found: Sequence[Finding]) -> Iterator[Flag]:
    """What the model tier found, as flags, the worst first: one sentence is enough to wait for a person."""
    for finding in found[:_MOST_SENTENCES]:
        reason = (
            f"a sentence has nothing to do with the rest and asks something of a model ({finding.score:.2f})"
        )
        is_certain = finding.score >= _CERTAIN_SCORE
        yield Flag("instruction_model", reason, finding.start, finding.end, "passage", is_certain)


def _is_mixed(word: str) -> bool:
    """Whether letters of another alphabet stand for Latin ones in it: all of them look like these, and the word has both."""
    scripts = [unicodedata.name(c, "").split(" ")[0] for c in word if c.isalpha()]
    foreign = [c for c, script in zip(filter(str.isalpha, word), scripts, strict=True) if script in _ALIKE]
    if not foreign or "LATIN" not in scripts or any(ord(c) not in LOOKALIKES for c in foreign):
        return False
    first = scripts.index("LATIN")
    last = len(scripts) - scripts[::-1].index("LATIN")
    # Science writes TNFα and β2, and in Russian an acronym has endings.
    is_acronym = word[:last].isupper()
    return any(script in _ALIKE for script in scripts[first:last]) or (
        "CYRILLIC" in scripts and not is_acronym
    )


def _is_prose(text: str) -> bool:
    """Sentences rather than labels of a hidden menu."""
    return any(len(line.split()) >= 8 for line in re.split(r"[\n|]", text))


def describe(flags: Iterable[Flag]) -> str:
    """Flags in words, for a report: each kind once."""
    return "; ".join(dict.fromkeys(f"{flag.rule}: {flag.reason}" for flag in flags))
