"""Screens for poisoned documents: what looks like an attack waits for a person. Each finding says why and where.

Deterministic rules over every view of a text: as written, without invisible characters, with look-alike letters
put back. What is found stays beside the document, so that a query pays nothing.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ingestion.corpus import Flag

# Requests to a model rather than to a reader. Each is narrow: help pages tell people what to do all day long.
_INSTRUCTIONS = {
    "override": r"\b(?:ignore|disregard|forget|override)\b[^.!?\n]{0,20}\b(?:previous|prior|above|earlier|preceding|your"
    r"|system|all (?:of )?(?:the|these|those|my))\b[^.!?\n]{0,20}\b(?:instructions?|prompts?|rules|guidelines|directives?"
    r"|guardrails)\b",
    "persona": r"\b(?:you are (?:now|no longer)|act as|pretend (?:to be|you are)|from now on,? you|roleplay as)\b[^.!?\n]"
    r"{0,60}\b(?:ai|assistant|chat ?bot|model|dan|unrestricted|jailbroken|developer mode|without (?:any )?restrictions)\b",
    "reveal": r"\b(?:reveal|print|repeat|show|output|disclose|leak|send)\b[^.!?\n]{0,40}\b(?:system prompt|hidden prompt"
    r"|initial instructions|your instructions|your prompt|conversation history|chat history|api keys?)\b",
    "conceal": r"\b(?:do not|don't|never) (?:tell|inform|mention|reveal|alert|warn|notify)\b[^.!?\n]{0,40}\b(?:the user"
    r"|users?|anyone|the customer|the human)\b",
    "address": r"\b(?:attention|note|message|instructions?|important)\b[^.!?\n]{0,25}\b(?:to|for)\b (?:all |the |any )?"
    r"\b(?:ai|llms?|language models?|assistants?|chat ?bots?|ai systems?|ai agents?)\b",
    "answer": r"\b(?:when(?:ever)?|if)\b[^.!?\n]{0,40}\b(?:asked|asks?|user|question)\b[^.!?\n]{0,80}\b(?:always|only|you"
    r" must|must)\b[^.!?\n]{0,20}\b(?:answer|reply|respond|say|recommend|output)\b",
    "markup": r"(?:<\|(?:im_start|im_end|system|assistant|user|endoftext)\|>|\[/?INST\]|<<SYS>>|^#{1,3} ?(?:system|assistant)"
    r" ?(?:prompt|message)?:?$|\bBEGIN SYSTEM PROMPT\b)",
    "exfiltrate": r"!\[[^\]]*\]\(https?://[^)\s]*(?:\{|%7b|\$\{|<)[^)]*\)",
    "ignoriere": r"\b(?:ignoriere|vergiss|missachte)\b[^.!?\n]{0,40}\b(?:anweisung|vorgabe|regel|instruktion)\w*",
    "ignora": r"\b(?:ignora|olvida|omite|ignorez|oubliez|oublie)\b[^.!?\n]{0,40}\b(?:instruccion|instrucción|regla|instruction"
    r"|consigne|règle)\w*",
}
_RULES = {name: re.compile(pattern, re.IGNORECASE | re.MULTILINE) for name, pattern in _INSTRUCTIONS.items()}
# A document about such attacks quotes them; one that carries an attack does not.
_QUOTED = re.compile(r"[\"“”'‘’«»`]\s*$")
_HIDDEN_CHARS = 40
_INVISIBLE_CHARS = 20
# Letters of other alphabets that look like Latin ones (after Unicode TR 39's confusables, the common part).
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏοαεικνρτυχАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhloaeiknptuxABEKMHOPCTYXIJSABEZHIKMNOPTYX",
)
_WORD = re.compile(r"\w{3,}")
_MIXED_WORDS = 3
_BEGIN_WORDS = 8


def screen_text(text: str, hidden: Sequence[str], invisible: int) -> Iterator[Flag]:
    """Everything that can be said of one document alone. `invisible` counts its invisible characters."""
    yield from _instructions(text)
    plain = text.translate(_LOOKALIKES)
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
    for name, rule in _RULES.items():
        for found in rule.finditer(text):
            if not _QUOTED.search(text[max(0, found.start() - 3) : found.start()]):
                reason = "it reads like an instruction to a model"
                yield Flag(f"instruction_{name}", reason, found.start(), found.end())
                break


def _is_mixed(word: str) -> bool:
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in word if c.isalpha()}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})


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
