"""A follow-up made whole by rules: one sentence that says all it asks, and further words to search for.

The sentence is what the judge, the choice of sentences and the vectors read, so it takes over no more than it needs; the
words are for the lexical index alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.answer.rewrite.fragments import asked_of, is_action, joined, swapped, with_asking, with_fragment
from service.answer.rewrite.grammar import Grammar, words
from service.answer.rewrite.items import answered_by, enumerated, item_at, listed
from service.answer.rewrite.languages import grammar_of
from service.answer.rewrite.masks import lines_without_masks, without_masks
from service.answer.rewrite.phrases import Sentence
from service.answer.rewrite.reading import Lean, Reading, read
from service.answer.small_talk import is_small_talk

# Of a longer question, its names, numbers and longest words are what is carried on.
_LONGEST_CARRIED_CHARS = 240
_MOST_HINTS = 24
# What a message is read of, and how many of the latest messages are read: it is done between two awaits, in milliseconds.
_READ_CHARS = 2_000
_MOST_MESSAGES = 20
_SHORT_WORDS = 4
# A message with more words of its own than these speaks of a first or last that it names.
_FEW_WORDS = 2
_WORD = re.compile(r"\w[\w'’-]*")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_PERSONS = frozenset("he she him his her er ihn ihm él ella il elle".split())
# "How long does it take?" asks of what is done, "is it waterproof?" of the thing it is done to.
_EVENTS = words(
    "take takes cost costs happen happens work dauert kostet kosten dauern passiert geht tarda cuesta pasa coûte prend dure"
)
_OF_EVENTS = words("that this das dies eso esto ça cela")


@dataclass(frozen=True, slots=True)
class WholeQuestion:
    """A question that can be understood alone, in one sentence.

    `hints` are words of the conversation to search for beside it. `named` are the words that a fragment ("and of X?") puts
    in the place of a part of the question before, in `language`: no passage answers without them.
    """

    text: str
    hints: str = ""
    named: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the conversation; `role` is `user` or `assistant`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class _Before:
    """What a follow-up can lean on: the question before, itself whole, the reply to it, and the last list in view."""

    question: str
    grammar: Grammar | None
    reply: str = ""
    items: tuple[str, ...] = ()


def is_follow_up(question: str) -> bool:
    """Whether a question leans on what was said before, as far as its own words tell."""
    question = _squeezed(question)
    grammar = grammar_of(question)
    if grammar is None:
        return len(question.split()) <= _SHORT_WORDS
    return read(question, grammar).lean is not Lean.ALONE


def may_lean(question: str) -> bool:
    """Whether a generator should look at a question in a conversation: it leans, or is too short to tell."""
    return len(question.split()) <= _SHORT_WORDS or is_follow_up(question)


def standalone(question: str, earlier: Sequence[str]) -> str:
    """`question` made whole by the user's questions so far, the oldest first."""
    return made_whole(question, [Said("user", text) for text in earlier]).text


def made_whole(question: str, history: Sequence[Said]) -> WholeQuestion:
    """`question` made whole by the conversation before it, the oldest message first.

    Each earlier question was made whole by those before it, so that a topic is carried on through a conversation.
    """
    if not history or _stands_alone(question):
        return WholeQuestion(without_masks(question))
    before: _Before | None = None
    for message in history[-_MOST_MESSAGES:]:
        text = lines_without_masks(message.text[:_READ_CHARS])
        if message.role == "user":
            text = without_masks(text)
            if is_small_talk(text):
                continue
            whole = _whole(text, before).text
            grammar = grammar_of(whole, before.grammar if before else None)
            before = _Before(_carried(whole), grammar, items=before.items if before else ())
        elif before is not None:
            before = _replied(before, text)
    return _whole(without_masks(question), before)


def _stands_alone(question: str) -> bool:
    """Whether a question's own words tell that it needs nothing of the conversation."""
    return grammar_of(question) is not None and not is_follow_up(question)


def _replied(before: _Before, text: str) -> _Before:
    if before.grammar is None:
        return replace(before, reply=text)
    return replace(before, reply=text, items=listed(text, before.grammar) or before.items)


def _whole(question: str, before: _Before | None) -> WholeQuestion:
    if before is None or not before.question:
        return WholeQuestion(question)
    question = _squeezed(question)
    grammar = grammar_of(question, before.grammar)
    if grammar is None or before.grammar is None:
        return _by_length(question, before)
    reading = read(question, grammar)
    if reading.lean is Lean.ALONE:
        return WholeQuestion(question)
    earlier = Sentence(before.question, before.grammar)
    text = _made(reading, earlier, before)
    # What is done can be said in many ways.
    is_naming = reading.lean is Lean.FRAGMENT and not is_action(reading.sentence)
    named = " ".join(reading.sentence.content_words) if is_naming else ""
    hints = _hints(text, question, earlier, before, reading.lean) if _keeps_topic(reading) else ""
    return WholeQuestion(text, hints, named, grammar.name)


def _keeps_topic(reading: Reading) -> bool:
    """Whether the words of the question before are still sought: "and of X?" puts X in their place, while "and the
    battery?" may be a part of what they name."""
    sentence = reading.sentence
    if reading.lean is not Lean.FRAGMENT:
        return reading.lean is not Lean.ORDINAL
    has_name = any(phrase.has_name for phrase in sentence.phrases)
    return sentence.tokens[0].word in sentence.grammar.articles and not has_name


def _by_length(question: str, before: _Before) -> WholeQuestion:
    """In a language without rules, a short question leans on the one before."""
    if len(question.split()) > _SHORT_WORDS:
        return WholeQuestion(question)
    return WholeQuestion(joined(before.question, question))


def _made(reading: Reading, earlier: Sentence, before: _Before) -> str:
    text = reading.sentence.text
    if reading.lean is Lean.ORDINAL:
        return _with_item(reading, earlier, before)
    if reading.lean is Lean.SWAP:
        return swapped(earlier) or joined(earlier.text, text)
    if reading.lean is Lean.ASKS:
        return with_asking(earlier, text)
    if reading.lean is Lean.FRAGMENT:
        return with_fragment(earlier, reading.sentence)
    if _is_of_event(reading) and not _asks_for_thing(earlier) and (action := _action(earlier)):
        return asked_of(text, action)
    topic = _topic(reading, earlier, before)
    if not topic:
        return joined(earlier.text, text)
    return _pointed(reading, topic) if reading.lean is Lean.POINTS else asked_of(text, topic)


def _with_item(reading: Reading, earlier: Sentence, before: _Before) -> str:
    """The message about the item that its ordinal names; the ordinal goes where a pronoun stands for it."""
    assert reading.ordinal is not None
    place, begin, end = reading.ordinal
    sentence = reading.sentence
    items = before.items or enumerated(earlier.text, earlier.grammar)
    item = item_at(items, place)
    if item is None and len(sentence.content) > _FEW_WORDS:
        return sentence.text
    if item is None:
        return joined(earlier.text, sentence.text)
    start, stop = sentence.tokens[begin].start, sentence.tokens[end - 1].end
    rest = sentence.text[stop:].lstrip(" ,:–-")
    if start == 0 or not _has_words(sentence.text[:start]):
        if not _has_words(rest):
            return with_fragment(earlier, Sentence(f"{item}?", earlier.grammar))
        following = Reading(Sentence(rest, sentence.grammar), is_connected=True)
        if following.pointing:
            return _pointed(following, item)
    whole = sentence.text[:start] + item + sentence.text[stop:]
    is_clause = read(whole, sentence.grammar).lean is not Lean.FRAGMENT
    return whole if is_clause else with_fragment(earlier, Sentence(whole, sentence.grammar))


def _has_words(text: str) -> bool:
    return bool(_WORD.search(text))


def _topic(reading: Reading, earlier: Sentence, before: _Before) -> str:
    """What a pronoun stands for: the thing that the reply named where one was asked for, or what the question before is
    about."""
    sentence = reading.sentence
    pronouns = {sentence.tokens[index].word for index in reading.pointing}
    if _asks_for_thing(earlier, is_person=bool(pronouns & _PERSONS)):
        named = answered_by(before.reply, earlier)
        if named:
            return named
    return earlier.topic


def _is_of_event(reading: Reading) -> bool:
    """Whether a pronoun stands for what is done: it is one that does ("that"), or beside a verb that is said of events."""
    tokens = reading.sentence.tokens
    if any(
        tokens[i].word in _OF_EVENTS and not _is_before_noun(reading.sentence, i) for i in reading.pointing
    ):
        return True
    beside = {tokens[j].word for i in reading.pointing for j in (i - 1, i + 1) if 0 <= j < len(tokens)}
    return bool(beside & _EVENTS)


def _asks_for_thing(earlier: Sentence, *, is_person: bool = False) -> bool:
    """Whether a question asks for a thing ("which device …"), or where a person is meant, for one ("who …")."""
    grammar, tokens = earlier.grammar, earlier.tokens
    if not tokens:
        return False
    if tokens[0].word in ("who", "wer", "quién", "qui"):
        return is_person
    is_noun = len(tokens) > 1 and 1 in earlier.content and 1 not in earlier.verbs
    is_choice = tokens[0].word in ("which", "welche", "welcher", "welches")
    return (
        tokens[0].word in grammar.which
        and tokens[0].word not in ("cuántos", "cuántas")
        and (is_noun or is_choice)
    )


def _action(earlier: Sentence) -> str:
    """What somebody does in a question: "return a lamp" of "How do I return a lamp?"."""
    for index in range(len(earlier.tokens)):
        if not earlier.is_person(index):
            continue
        if index + 1 in earlier.verbs:
            return earlier.words(index + 1, len(earlier.tokens))
        if index and index - 1 in earlier.verbs and index + 1 < len(earlier.tokens):
            return f"{earlier.words(index - 1, index)} {earlier.words(index + 1, len(earlier.tokens))}"
    return ""


def _pointed(reading: Reading, topic: str) -> str:
    """The message with the topic in the place of its first pronoun, or behind it."""
    sentence = reading.sentence
    grammar, tokens = sentence.grammar, sentence.tokens
    for index in reading.pointing:
        token = tokens[index]
        if token.word in grammar.possessives and not (
            token.word == "her" and not _is_before_noun(sentence, index)
        ):
            if grammar.genitive == "{}":
                continue
            return _put(sentence, index, grammar.genitive.format(topic))
        is_determiner = token.word in grammar.demonstratives and _is_before_noun(sentence, index)
        if token.word in grammar.pronouns and not is_determiner:
            return _put(sentence, index, topic)
    attached, count = grammar.attached.subn(lambda match: f"{match['verb']} {topic}", sentence.text, count=1)
    return attached if count else asked_of(sentence.text, topic)


def _is_before_noun(sentence: Sentence, index: int) -> bool:
    """Whether a word belongs to a noun behind it; "is that free?" ends with what is said of it."""
    after = index + 1
    is_said = (
        after == len(sentence.tokens) - 1 and sentence.tokens[index - 1].word in sentence.grammar.auxiliaries
    )
    return after in sentence.content and after not in sentence.verbs and not is_said


def _put(sentence: Sentence, index: int, new: str) -> str:
    token = sentence.tokens[index]
    return sentence.text[: token.start] + new + sentence.text[token.end :]


def _carried(text: str) -> str:
    """A question that others may lean on: its last sentence that asks; of a long one, what it is about."""
    text = _squeezed(text)
    if len(text) <= _LONGEST_CARRIED_CHARS:
        sentences = _SENTENCE_END.split(text)
        asking = [one for one in sentences if one.endswith("?")]
        return asking[-1] if asking and len(sentences) > 1 and len(asking[-1].split()) > 2 else text
    return _matter(text)


def _matter(text: str) -> str:
    """What a long question is about: its names, numbers and longest words, in their order."""
    found = _WORD.findall(text)
    names = [w for i, w in enumerate(found) if i and (w[0].isupper() or w[0].isdigit())]
    longest = sorted(set(found), key=len, reverse=True)[:12]
    kept = {*names, *longest}
    said = " ".join(word for word in dict.fromkeys(found) if word in kept)
    return said if len(said) <= _LONGEST_CARRIED_CHARS else said[:_LONGEST_CARRIED_CHARS].rpartition(" ")[0]


def _hints(text: str, question: str, earlier: Sentence, before: _Before, lean: Lean) -> str:
    """Words that carry meaning in the question before and in what the reply named, and aren't in the text."""
    said = {word.casefold() for word in _WORD.findall(f"{text} {question}")}
    named = answered_by(before.reply, earlier) if lean is Lean.POINTS else ""
    fresh = [
        word
        for word in [*earlier.content_words, *filter(str.isalpha, _WORD.findall(named))]
        if word.casefold() not in said
    ]
    return " ".join(list(dict.fromkeys(fresh))[:_MOST_HINTS])


def _squeezed(text: str) -> str:
    return " ".join(text.split())
