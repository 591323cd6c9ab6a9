"""Questions as people put them who don't write whole sentences: as keywords, and as the second turn of a conversation.

Both are made by rule from questions of other sets, so that an answer and whether there is one stay what they were.
"""

import re
from collections.abc import Iterable

from service.answer.request import RawMessage
from service.answer.rewrite.languages import GRAMMARS
from service.guard.texts import RawText

_WORD = re.compile(r"\w+(?:[-'’.&]\w+)*")
_IN_BRACKETS = re.compile(r"\s*\([^)]*\)")
_LEAST_KEYWORDS = 2


def keywords(question: str, language: str = "en", *, title: str = "") -> str | None:
    """The words of a question that carry meaning, those of a title first; None where too few are left."""
    grammar = GRAMMARS.get(language)
    if grammar is None:
        return None
    title = _plain(title)
    known = {word.casefold() for word in _WORD.findall(title)}
    rest = [
        word
        for word in _WORD.findall(question)
        if (low := word.casefold().removesuffix("'s")) not in grammar.function_words
        and low not in grammar.verbs
        and low not in known
    ]
    found = [*_WORD.findall(title), *rest]
    return " ".join(found) if len(found) >= _LEAST_KEYWORDS and rest else None


def second_turn(question: str, title: str, text: str) -> list[RawMessage] | None:
    """A conversation about a title that ends with the question, which says "it" for the title; None where it has no title.

    `text` begins as the reply to the first turn does: with what the title's passage says first.
    """
    title = _plain(title)
    named = re.compile(rf"(?:\b(?:the|a|an)\s+)?\b{re.escape(title)}\b(?P<genitive>['’]s)?", re.IGNORECASE)
    if not title or not named.search(question):
        return None
    leaning = named.sub(lambda found: "its" if found["genitive"] else "it", question)
    return turns(f"What do you know about {title}?", first_sentence(text), leaning)


def turns(*texts: str) -> list[RawMessage]:
    """Messages by turns, the user's first."""
    roles: Iterable[str] = ("user" if i % 2 == 0 else "assistant" for i in range(len(texts)))
    return [
        RawMessage("user" if role == "user" else "assistant", RawText(text))
        for role, text in zip(roles, texts, strict=True)
    ]


def first_sentence(text: str) -> str:
    """A text up to the end of its first sentence."""
    found = re.match(r".{20,400}?[.!?](?=\s|$)", " ".join(text.split()))
    return found[0] if found else " ".join(text.split())[:200]


def _plain(title: str) -> str:
    """A title without what tells it from another of the same name."""
    return _IN_BRACKETS.sub("", title).strip()
