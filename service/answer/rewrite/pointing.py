"""Words of a message that point out of it: pronouns and their like without anything before them that they stand for."""

from service.answer.rewrite.languages import ENGLISH, GERMAN, SPANISH
from service.answer.rewrite.phrases import Sentence

_OPENS_CLAUSE = frozenset(
    "before after without than bevor nachdem ohne sin antes después avant après sans".split()
)
_OPENS_AFTER_THAT = frozenset("my your is are can".split())
_FRENCH_SUBJECTS = frozenset("il elle ils elles".split())
# With a capital, these are who is spoken to.
_POLITE = frozenset("sie ihr ihre ihren ihrem ihrer ihres".split())
_GERMAN_ARTICLES = frozenset("das der die den dem dessen deren denen".split())


def pointing_in(sentence: Sentence) -> tuple[int, ...]:
    """Pronouns, possessives and demonstratives that point out of a message."""
    return tuple(index for index in range(len(sentence.tokens)) if _points(sentence, index))


def has_pointer(sentence: Sentence) -> bool:
    """Whether a phrase points back that can't be replaced in its place."""
    return any(
        not _is_expletive(sentence, match.start()) and not _opens_clause(sentence, match.start(), match[0])
        for match in sentence.grammar.pointer.finditer(sentence.text)
    )


def _is_expletive(sentence: Sentence, start: int) -> bool:
    """Whether a place lies in a phrase whose pronoun stands for nothing."""
    found = sentence.grammar.expletive.finditer(sentence.text)
    return any(match.start() <= start < match.end() for match in found)


def _opens_clause(sentence: Sentence, start: int, phrase: str) -> bool:
    """Whether a German "damit" stands behind a comma."""
    is_behind_comma = sentence.text[:start].rstrip().endswith(",")
    return sentence.grammar is GERMAN and phrase.casefold() == "damit" and is_behind_comma


def _points(sentence: Sentence, index: int) -> bool:
    grammar, token = sentence.grammar, sentence.tokens[index]
    free = grammar.pronouns | grammar.possessives
    # In Spanish "su" is also how a customer is polite to a firm.
    known = grammar.pronouns if grammar is SPANISH else free
    if token.word not in known | grammar.demonstratives or _is_expletive(sentence, token.start):
        return False
    if grammar is ENGLISH and not _is_english_pointer(sentence, index):
        return False
    if grammar is GERMAN and not _is_german_pointer(sentence, index):
        return False
    return not _has_own(sentence, index) if token.word in free else _is_of_noun(sentence, index)


def _is_of_noun(sentence: Sentence, index: int) -> bool:
    """Whether a demonstrative belongs to a noun that is no time ("this week")."""
    after = index + 1
    if after >= len(sentence.tokens):
        return True
    return after in sentence.content and sentence.tokens[after].word not in sentence.grammar.times


def _is_english_pointer(sentence: Sentence, index: int) -> bool:
    """Whether "that" opens no clause: "the order that I placed", "lines that match"."""
    tokens, grammar = sentence.tokens, sentence.grammar
    if tokens[index].word != "that" or index + 1 == len(tokens):
        return True
    after = tokens[index + 1].word
    is_behind_noun = index - 1 in sentence.content and not tokens[index].is_after_stop
    opens = after in grammar.persons | grammar.articles | _OPENS_AFTER_THAT
    return not is_behind_noun or not (opens or after not in grammar.prepositions | grammar.verbs)


def _is_german_pointer(sentence: Sentence, index: int) -> bool:
    """Whether a word is neither polite nor the article of a noun nor opens a relative clause."""
    tokens, token = sentence.tokens, sentence.tokens[index]
    if token.word in _POLITE:
        return sentence.text[token.start : token.end].islower()
    if token.word not in _GERMAN_ARTICLES:
        return True
    is_relative = index > 0 and (token.is_after_stop or tokens[index - 1].is_after_stop)
    has_noun = any(sentence.is_name(place) for place in range(index + 1, min(index + 4, len(tokens))))
    # Who writes without capitals doesn't show nouns.
    is_shown = not sentence.text.islower() or index == len(tokens) - 1
    return not is_relative and not has_noun and is_shown


def _has_own(sentence: Sentence, index: int) -> bool:
    """Whether a phrase of the message itself may be what a pronoun stands for.

    A pronoun's is in the clause before: "a repair of it" is no such phrase. A possessive's may be in its own clause.
    """
    grammar, tokens = sentence.grammar, sentence.tokens
    earlier = [
        place for place in sentence.content if place < index and tokens[place].word not in grammar.verbs
    ]
    if not earlier:
        return False
    is_near = tokens[index].word in grammar.possessives | _FRENCH_SUBJECTS
    if is_near and tokens[index - 1].word not in grammar.of:
        return True
    opens = grammar.clauses | grammar.asking | _OPENS_CLAUSE
    return any(token.is_after_stop or token.word in opens for token in tokens[earlier[0] + 1 : index + 1])
