"""What an assistant's reply names: the items that it lists, and the thing that answers the question."""

import re
from collections.abc import Sequence

from service.answer.rewrite.grammar import Grammar
from service.answer.rewrite.phrases import Phrase, Sentence

_ENTRY = re.compile(r"^[ \t]*(?:[-*•–]|\(?\d{1,2}[.)]|\(?[a-h]\))[ \t]+(\S[^\n]*)$", re.MULTILINE)
_CITATION = re.compile(r"\s?\[\d{1,3}\]")
_EMPHASIS = re.compile(r"\*\*|__|`")
# What follows the name of an entry explains it.
_EXPLAINED = re.compile(r"\s*(?::\s|\s[–—-]\s|,\s|\.\s|\.$)")
_LONGEST_ITEM = 80
_AND = r"(?:and|or|und|oder|sowie|y|o|e|u|et|ou)"
_JOINT = re.compile(rf"\s*,\s*{_AND}\s+|\s+{_AND}\s+|\s*,\s+", re.IGNORECASE)
_LAST_JOINT = re.compile(rf"\s{_AND}\s", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_MOST_WORDS = 8
_FEW_WORDS = 5


def plain(reply: str) -> str:
    """A reply without its citations and emphasis."""
    return _EMPHASIS.sub("", _CITATION.sub("", reply)).strip()


def listed(reply: str, grammar: Grammar) -> tuple[str, ...]:
    """The items that a reply lists: its entries, else the parts of its first enumeration ("A, B and C")."""
    reply = plain(reply)
    entries = [_named(entry) for entry in _ENTRY.findall(reply)]
    if len(entries) > 1:
        return tuple(entries)
    for sentence in _SENTENCE_END.split(reply):
        found = enumerated(sentence, grammar)
        if found:
            return found
    return ()


def _named(entry: str) -> str:
    return _EXPLAINED.split(" ".join(entry.split()), maxsplit=1)[0][:_LONGEST_ITEM].strip()


def enumerated(sentence: str, grammar: Grammar) -> tuple[str, ...]:
    """The parts of an enumeration in a sentence; none where it has none."""
    sentence = " ".join(sentence.split())
    joint = _LAST_JOINT.search(sentence)
    if joint is None:
        return ()
    parts = [part.strip() for part in _JOINT.split(sentence) if part.strip()]
    if len(parts) < 2:
        return ()
    ends = [_last_phrase(parts[0], grammar), *parts[1:-1], _first_phrase(parts[-1], grammar)]
    is_list = all(0 < len(part.split()) <= _MOST_WORDS for part in ends)
    return tuple(_within(part, grammar) for part in ends) if is_list else ()


def _last_phrase(text: str, grammar: Grammar) -> str:
    """What the enumeration begins with, behind the rest of the sentence."""
    sentence = Sentence(text, grammar)
    return sentence.of(sentence.phrases[-1]) if sentence.phrases else ""


def _first_phrase(text: str, grammar: Grammar) -> str:
    sentence = Sentence(text, grammar)
    return sentence.of(sentence.phrases[0]) if sentence.phrases else ""


def answered_by(reply: str, question: Sentence) -> str:
    """The thing that a reply names to a question that asks for one: a phrase whose words the question doesn't have.

    A phrase with a name comes before others; a short reply is its own phrase.
    """
    first = next((part for part in _SENTENCE_END.split(plain(reply)) if part.strip()), "").strip()
    if not first or len(first) > _LONGEST_ITEM * 3:
        return ""
    if len(first.split()) <= _FEW_WORDS and not enumerated(first, question.grammar):
        return first if Sentence(first, question.grammar).phrases else ""
    said = {token.word for token in question.tokens}
    sentence = Sentence(first, question.grammar)
    chains = [chain for chain in sentence.chains if _is_new(sentence, chain, said)]
    named = [chain for chain in chains if any(phrase.has_name for phrase in chain)]
    chosen = named or chains
    return _within(sentence.span(chosen[0]), question.grammar) if chosen else ""


def _within(text: str, grammar: Grammar) -> str:
    """A phrase from a sentence's beginning as it stands within one."""
    first, _, rest = text.partition(" ")
    return f"{first.lower()} {rest}" if rest and first.casefold() in grammar.articles else text


def _is_new(sentence: Sentence, chain: Sequence[Phrase], said: set[str]) -> bool:
    """Whether a chain has a word that the question doesn't have."""
    return any(
        sentence.tokens[index].word not in said and index in sentence.content
        for phrase in chain
        for index in range(phrase.begin, phrase.end)
    )


def item_at(items: Sequence[str], place: int) -> str | None:
    """The item that an ordinal names; "the other" of two is the second."""
    if place == -2:
        return items[1] if len(items) == 2 else None
    if place < 0:
        return items[-1] if items else None
    return items[place] if place < len(items) else None
