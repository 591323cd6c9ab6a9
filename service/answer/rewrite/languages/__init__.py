"""The languages that rules for follow-ups know, and which one a text is in."""

import re
from collections import Counter
from collections.abc import Mapping

from service.answer.rewrite.grammar import Grammar
from service.answer.rewrite.languages.english import ENGLISH
from service.answer.rewrite.languages.french import FRENCH
from service.answer.rewrite.languages.german import GERMAN
from service.answer.rewrite.languages.spanish import SPANISH

__all__ = ["ENGLISH", "FRENCH", "GERMAN", "GRAMMARS", "SPANISH", "grammar_of"]

GRAMMARS: Mapping[str, Grammar] = {one.name: one for one in (ENGLISH, GERMAN, SPANISH, FRENCH)}
_SIGNS = {"de": re.compile("[äöüß]"), "es": re.compile("[¿¡ñáíóú]"), "fr": re.compile("[çèêàùâîôœ]")}
# Whole words; one with a capital within the text is a name ("Larkmoor Plus").
_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:['’]|(?!\w))")
_READ_CHARS = 1_000


def grammar_of(text: str, default: Grammar | None = None) -> Grammar | None:
    """The grammar whose function words a text has most of; `default` where none has any."""
    read = text[:_READ_CHARS].replace("’", "'")
    found = _WORD.finditer(read)
    said = [match[0].casefold() for match in found if not (match.start() and match[0][0].isupper())]
    hits: Counter[str] = Counter()
    for name, grammar in GRAMMARS.items():
        hits[name] = sum(2 for word in said if word in grammar.function_words)
        hits[name] += sum(1 for word in said if word in grammar.verbs)
        sign = _SIGNS.get(name)
        hits[name] += 3 if sign and sign.search(read.casefold()) else 0
    most = max(hits.values())
    best = [name for name, count in hits.items() if count == most]
    if not most or (len(best) > 1 and default is not None and any(GRAMMARS[b] is default for b in best)):
        return default
    return GRAMMARS[best[0]]
