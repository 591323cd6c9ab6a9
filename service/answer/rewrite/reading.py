"""How a message leans on the conversation before it, by its own words alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from service.answer.rewrite.grammar import Grammar
from service.answer.rewrite.phrases import Sentence
from service.answer.rewrite.pointing import has_pointer, pointing_in

# A message of many words tells what it is about.
_LONGEST_FRAGMENT = 8
_LONGEST_LED_WORDS = 5
_LONGEST_BARE_WORDS = 4
_MOST_CONTENT = 8
# Of 1,190 questions of XQuAD in each of three languages that stand alone or nearly so, 4 in 100 lean by these rules; those
# that have more than so many words of their own and "this city" or "what else" speak of what they name.
_MOST_CONTENT_BESIDE = 4
# "The latter" is never followed by its noun.
_NO_ADJECTIVES = ("former", "latter", "letzter", "erstere")
# Who asks at such length says what about, and its pronouns point into the message itself.
_LONGEST_READ_CHARS = 600


_COPULAS = frozenset("es son está están era eran será".split())


class Lean(Enum):
    """What of the conversation a message needs: nothing; the thing of an ordinal; the question with its parts
    exchanged; the question asked in another way ("Why?"); a part of the question replaced; what a word points to; or
    the topic, since the message has none."""

    ALONE = "alone"
    ORDINAL = "ordinal"
    SWAP = "swap"
    ASKS = "asks"
    FRAGMENT = "fragment"
    POINTS = "points"
    TOPIC = "topic"


@dataclass(frozen=True)
class Reading:
    """A message without its courtesies and connectives, and how it leans."""

    sentence: Sentence
    is_connected: bool

    @cached_property
    def lean(self) -> Lean:
        """What the message needs; the first of these that holds."""
        text, grammar = self.sentence.text, self.sentence.grammar
        if len(text) > _LONGEST_READ_CHARS or not self.sentence.tokens:
            return Lean.ALONE
        if self.ordinal is not None:
            return Lean.ORDINAL
        if grammar.swap.search(text):
            return Lean.SWAP
        if self._is_bare_asking:
            return Lean.ASKS
        if not self._is_clause:
            return self._of_fragment
        if self._is_pointing:
            return Lean.POINTS
        return Lean.TOPIC if self._has_no_topic else Lean.ALONE

    @property
    def _of_fragment(self) -> Lean:
        sentence, grammar = self.sentence, self.sentence.grammar
        tokens = sentence.tokens
        first = tokens[0].word
        if tokens[-1].word in ("one", "ones") and len(tokens) > 1 and first in grammar.articles:
            return Lean.FRAGMENT
        if self._is_pointing:
            return Lean.POINTS
        if len(tokens) > _LONGEST_FRAGMENT:
            return Lean.ALONE
        is_led = first in grammar.prepositions | grammar.of and len(tokens) <= _LONGEST_LED_WORDS
        if self.is_connected or is_led:
            return Lean.FRAGMENT
        has_names_alone = all(sentence.is_name(index) for index in sentence.content) and not (
            grammar.has_capital_nouns and len(tokens) > 1 and first not in grammar.articles
        )
        if len(tokens) <= _LONGEST_BARE_WORDS and sentence.content and has_names_alone:
            return Lean.FRAGMENT
        is_bare = first in grammar.articles or len(tokens) == 1
        return Lean.TOPIC if is_bare and len(tokens) <= _LONGEST_BARE_WORDS else Lean.ALONE

    @cached_property
    def ordinal(self) -> tuple[int, int, int] | None:
        """The place in a list that the message names, and the tokens that name it, with article and "one"."""
        sentence, grammar = self.sentence, self.sentence.grammar
        tokens = sentence.tokens
        for index, token in enumerate(tokens):
            place = grammar.ordinals.get(token.word)
            if place is None:
                continue
            begin, end = index, index + 1
            before = tokens[index - 1].word if index else ""
            if before not in grammar.articles and before not in (
                "del",
                "au",
                "du",
                "zum",
                "beim",
                "al",
                "vom",
            ):
                continue
            begin -= 1
            after = tokens[end].word if end < len(tokens) and not tokens[end].is_after_stop else ""
            if after in ("one", "ones", "option", "item"):
                return place, begin, end + 1
            if token.word.startswith(_NO_ADJECTIVES):
                return place, begin, end
            # "the first payment" is a thing of its own, "the second" points.
            if not self._has_noun(end) or end in sentence.verbs:
                return place, begin, end
        return None

    def _has_noun(self, index: int) -> bool:
        """Whether an ordinal belongs to a noun from this token on; a German one has a capital."""
        sentence = self.sentence
        if index >= len(sentence.tokens) or sentence.tokens[index].is_after_stop:
            return False
        if not sentence.grammar.has_capital_nouns:
            return index in sentence.content
        return any(sentence.is_name(place) for place in range(index, min(index + 2, len(sentence.tokens))))

    @cached_property
    def _is_bare_asking(self) -> bool:
        """Whether nothing but the word that asks is there: "Why?", "And for how long?"."""
        sentence, grammar = self.sentence, self.sentence.grammar
        words = [token.word for token in sentence.tokens]
        allowed = grammar.asking | grammar.measures | grammar.prepositions | grammar.of | grammar.adverbs
        has_asking = any(word in grammar.asking for word in words)
        return has_asking and all(word in allowed for word in words)

    @cached_property
    def _is_clause(self) -> bool:
        """Whether a verb or a person is there, so that it is more than a phrase."""
        sentence, grammar = self.sentence, self.sentence.grammar
        known = grammar.auxiliaries | (grammar.asking - grammar.clauses)
        return bool(sentence.verbs) or any(
            token.word in known or sentence.is_person(index) for index, token in enumerate(sentence.tokens)
        )

    @cached_property
    def _has_no_topic(self) -> bool:
        """Whether a clause has nothing that it is about: "How do I cancel?"; or goes on without a name."""
        sentence = self.sentence
        nouns = [index for index in sentence.content if index not in sentence.verbs]
        if not nouns or self._is_subject_dropped(nouns):
            return True
        opening = sentence.tokens[0].word
        # "Which colours?" has no verb, and its noun is asked for.
        is_open = (
            opening in sentence.grammar.asking | sentence.grammar.prepositions
            and len(nouns) == len(sentence.content) == 1
            and not self._has_auxiliary
        )
        has_name = any(sentence.is_name(index) for index in nouns)
        return is_open or (self.is_connected and not has_name)

    def _is_subject_dropped(self, nouns: Sequence[int]) -> bool:
        """Whether a Spanish question leaves out its subject: "¿De qué color es?", "¿Está abierto?"."""
        sentence, tokens = self.sentence, self.sentence.tokens
        last = len(tokens) - 1
        if not sentence.grammar.drops_subjects:
            return False
        is_said = len(nouns) == 1 and nouns[0] == last and tokens[last - 1].word in _COPULAS
        return tokens[last].word in _COPULAS or (is_said and last > 0)

    @cached_property
    def _has_auxiliary(self) -> bool:
        grammar = self.sentence.grammar
        known = grammar.auxiliaries | grammar.pronouns
        tokens = self.sentence.tokens
        return any(one.word in known or self.sentence.is_person(i) for i, one in enumerate(tokens))

    @cached_property
    def pointing(self) -> tuple[int, ...]:
        """Pronouns, possessives and demonstratives that point out of the message."""
        return pointing_in(self.sentence)

    @property
    def _is_pointing(self) -> bool:
        """Whether something points out of the message; of many words of its own, some are what a pronoun stands for."""
        count = len(self.sentence.content)
        if count > _MOST_CONTENT:
            return False
        is_free = any(not self._is_loose(index) for index in self.pointing)
        return is_free or (
            count <= _MOST_CONTENT_BESIDE and (bool(self.pointing) or has_pointer(self.sentence))
        )

    def _is_loose(self, index: int) -> bool:
        """Whether it is "this" with its noun, which may well be known to all."""
        sentence = self.sentence
        word = sentence.tokens[index].word
        return word in sentence.grammar.demonstratives and index + 1 in sentence.content


def read(text: str, grammar: Grammar) -> Reading:
    """A message, read by a grammar."""
    opening = grammar.opening.match(text)
    rest, is_connected = text, False
    if opening:
        connective = opening["connective"].strip(" ¿,")
        rest, is_connected = text[opening.end() :].lstrip(" ,.¿¡"), bool(connective)
    return Reading(Sentence(rest or text, grammar), is_connected)
