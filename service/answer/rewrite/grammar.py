"""What a rule for follow-ups needs to know of a language: its function words. No dictionary, no tagger.

Each list holds what is frequent in questions, not all that a grammar has: a word that is missing is taken for a word that
carries meaning, and the question keeps it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

Words = frozenset[str]


def words(text: str) -> Words:
    """The words of a list that is written with spaces."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Grammar:
    """Function words of a language, in lower case; `name` is its ISO 639-1 code.

    `asking` opens a question (`which` of these with a noun), `measures` follow it ("how long"); `persons` are speakers
    and their like, whose verb stands beside them. `pronouns` can be replaced by what they stand for, and so can
    `possessives` with `genitive`; what `demonstratives` and `clitics` point to is added instead. `attachments` are a
    `verb` with its pronoun; `genitives` are
    articles that say whose; `infinitives` are endings. `expletives` are phrases whose pronoun stands for nothing.
    `causatives` are verbs with somebody who does another, for a language whose verbs open an order as they are.
    `connectives` open a message that goes on from the last one; `courtesies` open any.
    """

    name: str
    asking: Words
    which: Words
    measures: Words
    auxiliaries: Words
    verbs: Words
    persons: Words
    articles: Words
    determiners: Words
    prepositions: Words
    of: Words
    places: Words
    clauses: Words
    adverbs: Words
    pronouns: Words
    possessives: Words
    demonstratives: Words
    connectives: str
    courtesies: str
    expletives: str
    pointers: str
    swaps: str
    ordinals: Mapping[str, int]
    genitive: str = "{}"
    genitives: Words = frozenset()
    clitics: str = r"(?!)"
    attachments: str = r"(?!)(?P<verb>)"
    infinitives: str = r"(?!)"
    causatives: Words = frozenset()
    times: Words = field(default_factory=frozenset)
    has_capital_nouns: bool = False
    drops_subjects: bool = False

    @cached_property
    def function_words(self) -> Words:
        """Every word that carries no topic."""
        return frozenset().union(
            self.asking, self.auxiliaries, self.persons, self.articles, self.determiners, self.prepositions, self.of,
            self.clauses, self.adverbs, self.pronouns, self.possessives, self.demonstratives,
        )  # fmt: skip

    @cached_property
    def opening(self) -> re.Pattern[str]:
        """A courtesy and a connective at the beginning of a message."""
        return re.compile(
            rf"(?P<courtesy>(?:[¡¿\s]*\b(?:{self.courtesies})\b[\s,.!–-]*){{0,3}})"
            rf"(?P<connective>(?:[¿\s]*\b(?:{self.connectives})(?=[\s,?…]|$)[\s,]*){{0,3}})",
            re.IGNORECASE,
        )

    @cached_property
    def expletive(self) -> re.Pattern[str]:
        """A phrase whose pronoun stands for nothing."""
        return re.compile(rf"\b(?:{self.expletives})", re.IGNORECASE)

    @cached_property
    def pointer(self) -> re.Pattern[str]:
        """A phrase that points back and can't be replaced in its place."""
        return re.compile(rf"\b(?:{self.pointers})\b|{self.clitics}", re.IGNORECASE)

    @cached_property
    def infinitive(self) -> re.Pattern[str]:
        """The end of an infinitive."""
        return re.compile(self.infinitives)

    @cached_property
    def attached(self) -> re.Pattern[str]:
        """An infinitive with the pronoun that is written together with it, or right before it."""
        return re.compile(self.attachments, re.IGNORECASE)

    @cached_property
    def swap(self) -> re.Pattern[str]:
        """A wish for the same thing the other way round."""
        return re.compile(rf"\b(?:{self.swaps})\b", re.IGNORECASE)
