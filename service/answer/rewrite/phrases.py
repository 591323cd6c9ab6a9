"""A question as words and noun phrases, by function words alone: what stands between two of them is a phrase."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from service.answer.rewrite.grammar import Grammar

# An article that lost its vowel is a word of its own, and so is a pronoun behind a French verb.
_TOKEN = re.compile(r"(?:[ldjmtsncLDJMTSNC]|[Qq]u|[Jj]usqu|[Ll]orsqu)['’](?=\w)|[^\s,;:!?¿¡()\[\]\"“”„«»…]+")
_INVERTED = re.compile(r"(?<=\w)(?:-t)?-(il|elle|ils|elles|je|on|ce|vous|nous|tu)$", re.IGNORECASE)
_NAME = re.compile(r"[\w]*[A-ZÄÖÜÉÀÑ0-9_%@/\\<>=$#&+~]|^-{1,2}\w|\w[.]\w")
_STOPS = re.compile(r"[,;:!?¿¡()\"“”„«».…]")


@dataclass(frozen=True, slots=True)
class Token:
    """A word: `text[start:end]`, in lower case, and whether a punctuation mark stands before it."""

    word: str
    start: int
    end: int
    is_after_stop: bool


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase: tokens from `begin` to before `end`; `preposition` is the token that leads to it."""

    begin: int
    end: int
    has_article: bool
    has_name: bool
    preposition: int | None = None


@dataclass(frozen=True)
class Sentence:
    """A question with its words and phrases, in the order of the text."""

    text: str
    grammar: Grammar

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The words."""
        found: list[Token] = []
        end = 0
        for match in _TOKEN.finditer(self.text):
            word = match[0].rstrip(".").casefold().replace("’", "'")
            stop = match.start() + len(match[0].rstrip("."))
            is_after = bool(_STOPS.search(self.text, end, match.start()))
            if not word:
                continue
            inverted = _INVERTED.search(self.text, match.start(), stop)
            if inverted:
                cut, start = inverted.start(), inverted.start(1)
                found.append(Token(self.text[match.start() : cut].casefold(), match.start(), cut, is_after))
                found.append(Token(inverted[1].casefold(), start, stop, False))
            else:
                found.append(Token(word, match.start(), stop, is_after))
            end = stop
        return tuple(found)

    def is_name(self, index: int) -> bool:
        """Whether a token is written like a name or an identifier. Every German noun is."""
        token = self.tokens[index]
        raw = self.text[token.start : token.end]
        if not _NAME.search(raw):
            return False
        is_first = index == 0 or token.is_after_stop
        # A capital at the beginning says nothing of a function word.
        return not (is_first and token.word in self.grammar.function_words) and token.word != "i"

    def words(self, begin: int, end: int) -> str:
        """The text of the tokens from `begin` to before `end`."""
        return self.text[self.tokens[begin].start : self.tokens[end - 1].end] if begin < end else ""

    def of(self, phrase: Phrase) -> str:
        """The text of a phrase."""
        return self.words(phrase.begin, phrase.end)

    @cached_property
    def content(self) -> tuple[int, ...]:
        """Tokens that are no function words."""
        known = self.grammar.function_words
        return tuple(
            index
            for index, token in enumerate(self.tokens)
            if not self._is_measure(index)
            and not self._is_polite(index)
            and (token.word not in known or (self.is_name(index) and not self._is_opening(index)))
        )

    @property
    def content_words(self) -> list[str]:
        """The tokens of `content` as they are written."""
        return [self.words(index, index + 1) for index in self.content]

    def is_person(self, index: int) -> bool:
        """Whether a token is the speaker or the like, beside whom a verb stands."""
        in_range = 0 <= index < len(self.tokens)
        return in_range and (self.tokens[index].word in self.grammar.persons or self._is_polite(index))

    def _is_polite(self, index: int) -> bool:
        """Whether a token is the German "Sie" that a customer says to a firm."""
        token = self.tokens[index]
        is_capital = self.text[token.start : token.end] in ("Sie", "Ihnen")
        return self.grammar.has_capital_nouns and is_capital and not self._is_opening(index)

    def _is_measure(self, index: int) -> bool:
        """Whether a token belongs to the word that asks: "how long", "combien de temps"."""
        if not index or self.tokens[index].word not in self.grammar.measures:
            return False
        asking = index - 2 if self.tokens[index - 1].word in self.grammar.of else index - 1
        return asking >= 0 and self.tokens[asking].word in self.grammar.asking

    def _is_opening(self, index: int) -> bool:
        return index == 0 or self.tokens[index].is_after_stop

    @cached_property
    def verbs(self) -> frozenset[int]:
        """Content words that are verbs by their place: beside a person, or behind the word that asks."""
        return frozenset(index for index in self.content if self._is_verb(index))

    def _is_verb(self, index: int) -> bool:
        grammar, tokens = self.grammar, self.tokens
        before = tokens[index - 1].word if index else ""
        if before in grammar.articles | grammar.determiners | grammar.possessives:
            return False
        if grammar.infinitive.search(tokens[index].word) and self._takes_infinitive(index):
            return True
        if before in grammar.prepositions | grammar.of:
            return False
        if tokens[index].word in grammar.verbs:
            return True
        if grammar.has_capital_nouns:
            return self.is_person(index + 1) and (index == 0 or not self.is_name(index))
        if self._follows_subject(index) or self._ends_support(index):
            return True
        # In Spanish and French, a verb with its subject follows the word that asks.
        asked = before in (grammar.asking - grammar.which) | grammar.measures
        return asked and not self.is_name(index)

    def _follows_subject(self, index: int) -> bool:
        """Whether a token stands behind who does it; what follows a verb with its person ("prenez-vous") is its object."""
        if not self.is_person(index - 1) or self.is_name(index):
            return False
        opens = (
            self.grammar.auxiliaries | self.grammar.asking | self.grammar.clauses | self.grammar.prepositions
        )
        before = self.tokens[index - 2].word if index > 1 else ""
        return not before or before in opens or self.tokens[index - 1].is_after_stop

    def _ends_support(self, index: int) -> bool:
        """Whether a token is the verb at the end of an English question with "do": "does the Breeze clean?"."""
        if self.grammar.name != "en" or index != len(self.tokens) - 1 or self.is_name(index):
            return False
        said = [token.word for token in self.tokens]
        has_verb = any(word in self.grammar.verbs for word in said)
        return not has_verb and index - 1 in self.content and any(w in ("do", "does", "did") for w in said)

    def _takes_infinitive(self, index: int) -> bool:
        grammar = self.grammar
        before = self.tokens[index - 1].word if index else ""
        leads = grammar.auxiliaries | grammar.verbs | grammar.persons | grammar.asking
        return before in leads or (
            before in grammar.prepositions and before not in grammar.places | grammar.of
        )

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """Noun phrases without what hangs on them by a preposition."""
        grammar = self.grammar
        content = set(self.content)
        found: list[Phrase] = []
        begin: int | None = None
        preposition: int | None = None
        leads = grammar.articles | grammar.determiners | grammar.possessives | grammar.demonstratives
        links = grammar.prepositions | grammar.of
        for index, token in enumerate(self.tokens):
            is_word = index in content and index not in self.verbs
            if begin is not None and (token.is_after_stop or not is_word):
                is_whole = self._has_content(begin, index, content)
                if is_whole:
                    found.append(self._phrase(begin, index, preposition))
                if is_whole or (not is_word and token.word not in leads):
                    begin, preposition = None, None
            if token.word in links and index not in content:
                begin, preposition = None, index
            elif begin is None and (is_word or token.word in leads):
                begin = index
        if begin is not None and self._has_content(begin, len(self.tokens), content):
            found.append(self._phrase(begin, len(self.tokens), preposition))
        return tuple(one for one in map(self._trimmed, found) if one is not None)

    def _has_content(self, begin: int, end: int, content: set[int]) -> bool:
        return any(index in content for index in range(begin, end))

    def _phrase(self, begin: int, end: int, preposition: int | None) -> Phrase:
        first = self.tokens[begin].word
        near = preposition if preposition is not None and preposition == begin - 1 else None
        has_name = any(self.is_name(index) for index in range(begin, end))
        return Phrase(begin, end, first in self.grammar.function_words, has_name, near)

    def _trimmed(self, phrase: Phrase) -> Phrase | None:
        """A German phrase ends with a noun, which has a capital, where the question is written with capitals."""
        if not self.grammar.has_capital_nouns or not self._has_capitals:
            return phrase
        end = phrase.end
        while end > phrase.begin and not self.is_name(end - 1):
            end -= 1
        if end == phrase.begin:
            return None
        return Phrase(phrase.begin, end, phrase.has_article, phrase.has_name, phrase.preposition)

    @cached_property
    def _has_capitals(self) -> bool:
        return any(self.is_name(index) for index in range(1, len(self.tokens)))

    @cached_property
    def chains(self) -> tuple[tuple[Phrase, ...], ...]:
        """Phrases with those that hang on them: "the battery of the doorbell", "shops in Belgium"."""
        found: list[list[Phrase]] = []
        for phrase in self.phrases:
            hangs = phrase.preposition is not None and found and found[-1][-1].end == phrase.preposition
            if hangs:
                found[-1].append(phrase)
            else:
                found.append([phrase])
        return tuple(map(tuple, found))

    def span(self, chain: Sequence[Phrase]) -> str:
        """The text of a chain."""
        return self.words(chain[0].begin, chain[-1].end)

    @cached_property
    def topic(self) -> str:
        """What the question is about: the phrase with a name, else that with an article, else the first.

        "The Breeze in sleep mode" is the Breeze; and who asked "What is the weight of the Chime?" goes on about the
        Chime.
        """
        chains = self.chains

        def rank(chain: tuple[Phrase, ...]) -> tuple[bool, bool, bool]:
            has_name = any(one.has_name for one in chain)
            return (not has_name, chain[0].preposition is not None, not chain[0].has_article)

        return self.span(self._core(min(chains, key=rank))) if chains else ""

    def _core(self, chain: tuple[Phrase, ...]) -> tuple[Phrase, ...]:
        if self.grammar.has_capital_nouns:
            return chain
        if chain[0].has_name:
            rest = chain[1:2]
            is_of = bool(rest) and self.tokens[rest[0].preposition or 0].word in self.grammar.of
            return chain if is_of else chain[:1]
        is_attribute = not self.verbs and len(chain) == 2 and chain[1].has_name
        is_of = is_attribute and self.tokens[chain[1].preposition or 0].word in self.grammar.of
        return chain[1:] if is_of else chain
