"""The question before, with a part replaced: by a fragment ("and of X?"), another word that asks, or parts exchanged."""

from collections.abc import Sequence

from service.answer.rewrite.phrases import Phrase, Sentence

_CLOSING = " ?!.…"


def open_end(text: str) -> str:
    """A question without the mark at its end."""
    return text.rstrip(_CLOSING)


def asked_of(text: str, about: str) -> str:
    """A question with what it is about behind it."""
    return f"{open_end(text)} ({about})?"


def joined(before: str, text: str) -> str:
    """Both questions in one sentence, where no rule says how they belong together."""
    return f"{open_end(before)}: {open_end(text)}?"


def with_fragment(before: Sentence, fragment: Sentence) -> str:
    """The question before about what the fragment names."""
    fragment = _with_head(before, fragment)
    lead = fragment.tokens[0].word
    grammar = before.grammar
    if lead in grammar.genitives and not any(
        _opens(before, one) in grammar.genitives for one in before.phrases
    ):
        return _of(before, fragment)
    if lead in grammar.prepositions | grammar.of and len(fragment.tokens) > 1:
        return _with_prepositional(before, fragment, lead)
    if is_action(fragment):
        return _with_action(before, fragment) or joined(before.text, fragment.text)
    if not fragment.phrases or fragment.phrases[0].begin > 1:
        return joined(before.text, fragment.text)
    return _with_noun(before, fragment)


def _with_head(before: Sentence, fragment: Sentence) -> Sentence:
    """ "a violet one" with the noun that "one" stands for: that of the first phrase with an article."""
    if fragment.tokens[-1].word not in ("one", "ones") or len(fragment.tokens) < 2:
        return fragment
    heads = [one for one in before.phrases if one.has_article] or list(before.phrases)
    if not heads:
        return fragment
    noun = before.words(heads[0].end - 1, heads[0].end)
    return Sentence(f"{fragment.text[: fragment.tokens[-1].start]}{noun}?", fragment.grammar)


def is_action(fragment: Sentence) -> bool:
    """Whether a fragment does something ("count the lines that match"): a word with an object behind it, without a name."""
    if not fragment.phrases or fragment.tokens[0].word in fragment.grammar.prepositions | fragment.grammar.of:
        return False
    if fragment.phrases[0].begin == 0 and len(fragment.chains) == 1:
        return False
    first = fragment.phrases[0]
    return not first.has_article and not first.has_name and len(fragment.phrases) > 1


def _with_action(before: Sentence, fragment: Sentence) -> str:
    """ "and count the lines": in the place of what somebody does in the question before, or of what is made to do it, with
    the last name that a preposition leads to. Nothing where nobody does anything, and where the verb may not open."""
    grammar, tokens = before.grammar, before.tokens
    if not grammar.causatives:
        return ""
    doer = next((i for i in range(len(tokens) - 1) if before.is_person(i) and i + 1 in before.verbs), None)
    if doer is None:
        return ""
    end = doer + 1
    if tokens[end].word in grammar.causatives and end + 1 < len(tokens):
        end += 1
        while end < len(tokens) and end not in before.content:
            end += 1
        end += 1
    kept = before.text[: tokens[end - 1].end]
    tools = [
        one for one in before.phrases if one.begin >= end and one.preposition is not None and one.has_name
    ]
    tool = ""
    if tools and not any(one.has_name for one in fragment.phrases):
        tool = f" {before.words(tools[-1].preposition or 0, tools[-1].end)}"
    return f"{kept} {_inside(fragment)}{tool}?"


def _with_prepositional(before: Sentence, fragment: Sentence, lead: str) -> str:
    """ "for businesses", "in Spain", "of work_mem": in the place of what stands behind the same preposition, or behind
    another one of place; at the end where there is none."""
    grammar = before.grammar
    slots = _prepositional(before)
    same = [slot for slot in slots if _lead(before, slot[0]) == lead or _is_same_of(before, slot[0], lead)]
    genitive = [one for one in before.phrases if _opens(before, one) in grammar.genitives]
    if lead in grammar.of and genitive and not same:
        return _replaced(before, genitive[-1].begin, genitive[-1].end, _inside(fragment))
    if not same and fragment.phrases:
        # "for refurbished devices" in the place of "on a new device".
        head = fragment.tokens[fragment.phrases[0].end - 1].word
        same = [slot for slot in slots if _is_alike(before.tokens[slot[-1].end - 1].word, head)]
    if not same and lead in grammar.places:
        same = [slot for slot in slots if _lead(before, slot[0]) in grammar.places and slot[0].has_name]
    if same:
        slot = same[-1]
        begin = slot[0].preposition
        assert begin is not None
        return _replaced(before, begin, slot[-1].end, _inside(fragment))
    if lead in grammar.of and fragment.phrases:
        return _of(before, fragment)
    return f"{open_end(before.text)} {_inside(fragment)}?"


def _of(before: Sentence, fragment: Sentence) -> str:
    """ "of X" behind the last thing that is no name ("the warranty"), or X in the place of the name."""
    heads = [phrase for phrase in before.phrases if not phrase.has_name or before.grammar.has_capital_nouns]
    if not heads:
        return _with_noun(before, fragment)
    end = before.tokens[heads[-1].end - 1].end
    return f"{before.text[:end]} {_inside(fragment)}{before.text[end:]}"


def _inside(fragment: Sentence) -> str:
    """A fragment as it stands within a question."""
    text = open_end(fragment.text)
    return text if fragment.is_name(0) else text[:1].lower() + text[1:]


def _is_alike(one: str, other: str) -> bool:
    """Whether two nouns are the same but for their number."""
    return one.rstrip("esn") == other.rstrip("esn")


def _prepositional(before: Sentence) -> list[tuple[Phrase, ...]]:
    """Every phrase that a preposition leads to."""
    return [(phrase,) for phrase in before.phrases if phrase.preposition is not None]


def _opens(before: Sentence, phrase: Phrase) -> str:
    return before.tokens[phrase.begin].word


def _lead(before: Sentence, phrase: Phrase) -> str:
    return before.tokens[phrase.preposition].word if phrase.preposition is not None else ""


def _is_same_of(before: Sentence, phrase: Phrase, lead: str) -> bool:
    return lead in before.grammar.of and _lead(before, phrase) in before.grammar.of


def _with_noun(before: Sentence, fragment: Sentence) -> str:
    """ "the Chime", "maintenance_work_mem", "standard delivery": in the place of the phrase that is most like it."""
    chain = fragment.chains[0]
    new = fragment.words(chain[0].begin, len(fragment.tokens))
    head = fragment.tokens[chain[0].end - 1].word
    phrases = before.phrases
    if not phrases:
        return joined(before.text, fragment.text)
    alike = [one for one in phrases if _is_alike(before.tokens[one.end - 1].word, head)]
    if alike:
        # "standard delivery" for "express delivery".
        return _replaced(before, alike[-1].begin, alike[-1].end, new)
    if (subject := _subject_of(before, chain[0])) is not None:
        return _replaced(before, subject.begin, subject.begin + chain[0].end - chain[0].begin, new)
    named = [one for one in phrases if one.has_name]
    if chain[0].has_name and named:
        return _replaced(before, named[-1].begin, named[-1].end, new)
    slot = _slot(before, chain[0])
    return _replaced(before, slot[0], slot[1], new)


def _subject_of(before: Sentence, new: Phrase) -> Phrase | None:
    """The phrase behind an auxiliary that has more words than the new one, since its verb is among them: "can a guest
    see video"."""
    first = before.phrases[0]
    is_subject = 0 < first.begin and before.tokens[first.begin - 1].word in before.grammar.auxiliaries
    is_longer = first.end - first.begin > new.end - new.begin + 1
    is_plain = first.has_article and new.has_article and not first.has_name and not new.has_name
    return first if is_subject and is_longer and is_plain else None


def _slot(before: Sentence, new: Phrase) -> tuple[int, int]:
    """The tokens that a phrase takes the place of, which shares no word with any and is no name beside one.

    Of "the default of work_mem" the first part, since a name is what all is about; of "the day of the year" all, but the
    first part alone where nothing else would be left of the question.
    """
    free = [chain for chain in before.chains if chain[0].preposition is None] or list(before.chains)
    chain = next((one for one in reversed(free) if one[0].has_article == new.has_article), free[-1])
    tail_has_name = any(one.has_name for one in chain[1:])
    inside = {index for one in chain for index in range(one.begin, one.end)}
    others = [index for index in before.content if index not in inside and index not in before.verbs]
    is_all = len(chain) == 1 or (new.has_name and not tail_has_name) or (not tail_has_name and bool(others))
    last = chain[-1] if is_all else chain[0]
    return chain[0].begin, last.end


def _replaced(before: Sentence, begin: int, end: int, new: str) -> str:
    start, stop = before.tokens[begin].start, before.tokens[end - 1].end
    return before.text[:start] + new + before.text[stop:]


def with_asking(before: Sentence, asking: str) -> str:
    """The question before, asked in another way: "Why?", "For how long?"."""
    tokens, grammar = before.tokens, before.grammar
    begin = 0
    while begin < len(tokens) and (
        tokens[begin].word in grammar.asking or (begin and tokens[begin].word in grammar.measures)
    ):
        begin += 1
    rest = before.text[tokens[begin].start :] if begin < len(tokens) else before.text
    if begin == 0 and tokens and not before.is_name(0):
        rest = rest[:1].lower() + rest[1:]
    return f"{open_end(asking)} {open_end(rest)}?"


def swapped(before: Sentence) -> str | None:
    """The question before, its last two phrases exchanged: "from A to B" becomes "from B to A". None where it has not
    two."""
    if len(before.phrases) < 2:
        return None
    return _exchanged(before, before.phrases[-2:])


def _exchanged(before: Sentence, pair: Sequence[Phrase]) -> str:
    first, second = pair
    text, tokens = before.text, before.tokens
    a = tokens[first.begin].start, tokens[first.end - 1].end
    b = tokens[second.begin].start, tokens[second.end - 1].end
    return text[: a[0]] + text[b[0] : b[1]] + text[a[1] : b[0]] + text[a[0] : a[1]] + text[b[1] :]
