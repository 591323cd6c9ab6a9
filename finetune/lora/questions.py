"""Questions that a sentence answers, made by rule: the same in every process, without a model.

After Heilman & Smith 2010 (overgenerate, then choose): what a sentence says is turned to what somebody who reads it
might have asked, from "you" to "I" and from "we" to "you", with its quantity taken out. The grammar is rough, as in
chats; a model that is to copy the right sentence learns from it to look for one, and not how people write.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

_FLIPPED = {
    "you": "I", "your": "my", "yours": "mine", "yourself": "myself", "you're": "I'm", "you've": "I've",
    "we": "you", "us": "you", "our": "your", "ours": "yours", "we're": "you're", "we've": "you've", "we'll": "you'll",
}  # fmt: skip
_NUMBERS = (
    r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty"
    r"|ninety|hundred)"
)
_MONTHS = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_BEFORE = r"(?:(?:for|within|in|after|before|by|from|at|on|until|since|up to|at least|at most|about|around|every|than)\s+){0,3}"
_DAY = rf"\d{{1,2}}\s{_MONTHS}(?:\s\d{{4}})?|{_MONTHS}\s\d{{4}}|\d{{1,2}}:\d{{2}}|in\s[12]\d{{3}}\b"
_SPAN = rf"{_NUMBERS}\s(?:(?:more|full|working|business|calendar)\s)?(?:second|minute|hour|day|week|month|year)s?\b"
# What is asked for, the form of its question first; the earlier of two that begin alike wins.
_QUANTITIES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("How much", re.compile(rf"{_BEFORE}[€£$]\s?\d[\d.,]*(?:\s(?:a|per)\s\w+)?")),
    ("What percentage", re.compile(rf"{_BEFORE}\b\d[\d.,]*\s?(?:%|per\s?cent\b)")),
    ("When", re.compile(rf"{_BEFORE}\b(?:{_DAY})")),
    ("How long", re.compile(rf"{_BEFORE}\b{_SPAN}")),
    ("How often", re.compile(rf"\b(?:once|twice|{_NUMBERS}\stimes)\s(?:a|every)\s\w+")),
)  # fmt: skip
_COUNTED = re.compile(rf"{_BEFORE}\b({_NUMBERS})\s([a-z]+(?:\s[a-z]+)?s)\b")
_AUXILIARIES = "can could may must will would should is are was were".split()
_AUXILIARY = re.compile(rf"^(.{{1,60}}?)\s({'|'.join(_AUXILIARIES)})(n't|\snot)?\s(.+)$", re.IGNORECASE)
_SPOKEN = re.compile(
    r"^(we|you|they|customers|people)\s(don't\s|never\s|always\s|also\s)?([a-z]+)\s(.+)$", re.IGNORECASE
)
_THIRD = re.compile(
    r"^(.{1,60}?)\s(has|costs|takes|lasts|keeps|shows|needs|opens|closes|waits|arrives|gets|gives|means|works|counts|goes"
    r"|comes|stays|starts|ends|runs|uses|contains|includes|holds|measures|weighs|sends|begins|applies|covers|requires"
    r"|turns|lies|lives|allows|offers|makes|moves|connects|stores|deletes|charges)(\s.+)?$"
)
_IRREGULAR = {"has": "have", "goes": "go"}
_WHEN = re.compile(r"^(?:If|When|Once|As soon as|Unless)\s([^,]{8,90}),\s(.{8,})$")
_ROW = re.compile(
    r"^([^:;]{2,40}): ([^:;]{2,60}); ([^:;]{2,40}): ([^;]{1,80})(?:; ([^:;]{2,40}): ([^;]{1,80}))?"
)
_ORDER = re.compile(
    r"^(?:Press|Open|Choose|Check|Tell|Send|Go|Tap|Hold|Turn|Ask|Look|Write|Enter|Select|Use|Put|Take|Wait|Switch|Sign|Add"
    r"|Remove|Scan|Print|Pack|Contact|Unplug|Plug|Clean|Keep|Return|Give|Please)\s"
)
# A heading that names something to do.
_TASK = re.compile(
    r"^(?:\w+ing\s|(?:Add|Change|Make|Remove|Share|Open|Close|Follow|Place|Choose|Collect|Return|Clean|Set|Connect|Reset"
    r"|Replace|Update|Cancel|Leave|Install|Pair|Sign|Turn|Use|Find|Give|Pay|Send|Withdraw|Delete|Invite|Engrave)\b)"
)
# A sentence that begins so speaks of the one before; one that begins with a number or sign is an entry of a list.
_LEANS = re.compile(
    r"(?:It|This|That|These|Those|They|He|She|Both|Then|Otherwise|Without it|After that|Until then|So|But|And|Also"
    r"|In that case|Yes|No)\b|[^\w\"'“‘(€£$]|\d"
)
_SETTING = re.compile(
    r"^(?:In|Under|For|On|At|From|With|By|Without|During|After|Before|Until|As|To|Where|There)\b|›"
)
_NUMBERING = re.compile(r"^[\d.)§ ]+")
_ASKING = ("what", "how", "can", "which", "when", "where", "is", "does")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_COMMON = frozenset(
    "a an the of to in on at by for from with without within into onto over under and or but if when that which who it its"
    " is are was were be been being has have had do does did can could may must will would should not no as than then so"
    " you your we our us they their this these those there here i my me any all each every more most also only just same"
    " up out about after before until while during per".split()
)
# What is left of a clause whose quantity was its point.
_DANGLES = re.compile(r"\b(?:and|or|but|the|a|an|of|is|are|and \w+)$")
_LEAST_WORDS, _MOST_WORDS = 5, 45


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the words of the sentence that it asks for, empty where it asks for all of it."""

    text: str
    wanted: str = ""


def is_askable(sentence: str) -> bool:
    """Whether a sentence says something by itself, and not too much."""
    count = len(_WORD.findall(sentence))
    if "<" in sentence:  # a mask: about somebody
        return False
    if _ROW.match(sentence):
        return count <= _MOST_WORDS
    is_whole = sentence.rstrip("\"')*_ ").endswith((".", "!"))
    return _LEAST_WORDS <= count <= _MOST_WORDS and is_whole and not _LEANS.match(sentence.lstrip("*_# "))


def questions_of(sentence: str, heading: str, rng: random.Random) -> list[Asked]:
    """Different questions that the sentence answers, in a random order; `heading` is the one above it."""
    plain = re.sub(r"[*_`]+", "", sentence).strip()
    found = [
        *_about_row(plain),
        *_about_quantities(plain),
        *_about_clauses(plain),
        *_about_orders(plain, heading),
    ]
    unique = {one.text: one for one in found if len(_WORD.findall(one.text)) >= 3}
    asked = list(unique.values())
    rng.shuffle(asked)
    words = _keywords(plain, asked[0].wanted if asked else "", rng)
    # Some people type words, as into a search box.
    if words and (not asked or rng.random() < 0.15):
        asked.insert(0, Asked(words))
    return asked


def content_words(text: str) -> list[str]:
    """The words that say what a text is about, in lower case."""
    return [word for word in (found.lower() for found in _WORD.findall(text)) if word not in _COMMON]


def _about_quantities(sentence: str) -> Iterator[Asked]:
    clause = _main_clause(sentence)
    for wh, pattern in _QUANTITIES:
        found = pattern.search(clause)
        if found:
            rest = _joined(clause[: found.start()], clause[found.end() :])
            yield from (Asked(f"{wh} {_lower(turned)}", found[0]) for turned in _turned(rest))
            return
    counted = _COUNTED.search(clause)
    if counted:
        rest = _joined(clause[: counted.start()], clause[counted.end() :])
        wh = f"How many {counted[2]}"
        yield from (Asked(f"{wh} {_lower(turned)}", counted[0]) for turned in _turned(rest))


def _about_clauses(sentence: str) -> Iterator[Asked]:
    conditional = _WHEN.match(sentence)
    if conditional:
        yield Asked(f"What happens if {_flipped(conditional[1])}?", conditional[2])
    clause = _main_clause(sentence)
    if not any(pattern.search(clause) for _, pattern in _QUANTITIES):
        yield from (Asked(turned) for turned in _turned(clause))
    reason = re.search(r"\sbecause\s(.+)$", clause)
    if reason:
        yield from (Asked(f"Why {_lower(t)}", reason[1]) for t in _turned(clause[: reason.start()]))
    goal = re.match(r"^To ([a-z][^,]{5,70}), (.+)$", clause)
    if goal:
        yield Asked(f"How do I {_flipped(goal[1])}?", goal[2])


def _about_orders(sentence: str, heading: str) -> Iterator[Asked]:
    """An order under a heading says how what the heading names is done."""
    title = _NUMBERING.sub("", heading.split("›")[-1].strip()).rstrip("?.! ")
    if heading.rstrip().endswith("?"):
        yield Asked(f"{title}?")
    elif _ORDER.match(sentence) and _TASK.match(title):
        task = title[:1].lower() + title[1:]
        is_named = task.split()[0].endswith("ing")
        yield Asked(f"How does {task} work?" if is_named else f"How do I {task}?")


def _about_row(sentence: str) -> Iterator[Asked]:
    """A row of a table, written as `column: cell; column: cell`."""
    found = _ROW.match(sentence)
    if not found:
        return
    name = found[2].strip()
    for column, value in ((found[3], found[4]), (found[5], found[6])):
        if not column:
            continue
        what = _lower(column.strip()).rstrip("? ")
        if column.split()[0].lower() in _ASKING:
            yield Asked(f"{name}: {what}?", value.strip())
        else:
            yield Asked(f"What is the {what} for {name}?", value.strip())
            yield Asked(f"{name} {what}", value.strip())


def _turned(clause: str) -> Iterator[str]:
    """A statement as a question with its verb in front."""
    clause = clause.strip().rstrip(".! ")
    if not clause or _ORDER.match(clause) or _SETTING.search(clause) or _DANGLES.search(clause):
        return
    found = _AUXILIARY.match(clause)
    if found and len(found[1].split()) <= 7 and "," not in found[1]:
        subject = _flipped(found[1])
        verb = _agreed(found[2].lower(), subject)
        yield f"{verb.capitalize()} {_lower(subject)} {_flipped(found[4])}?"
        return
    spoken = _SPOKEN.match(clause)
    if spoken and spoken[3] not in _AUXILIARIES:
        yield f"Do {_flipped(spoken[1].lower())} {_flipped(f'{spoken[3]} {spoken[4]}')}?"
        return
    third = _THIRD.match(clause)
    if third and len(third[1].split()) <= 7 and "," not in third[1]:
        verb = _IRREGULAR.get(third[2], third[2][:-1])
        yield f"Does {_lower(_flipped(third[1]))} {verb}{_flipped(third[3] or '')}?"


def _agreed(verb: str, subject: str) -> str:
    if subject == "I":
        return {"are": "am", "were": "was"}.get(verb, verb)
    return {"am": "are"}.get(verb, verb) if subject == "you" else verb


def _main_clause(sentence: str) -> str:
    """The sentence without what stands in front of its main clause or behind a colon or semicolon."""
    conditional = _WHEN.match(sentence)
    clause = conditional[2] if conditional else sentence
    return re.split(r"[;:](?=\s)|\s\(", clause)[0].strip()


def _flipped(text: str) -> str:
    """The same from the reader's side; `you` behind a verb or preposition is `me`."""
    words: list[str] = []
    for place, word in enumerate(text.split(" ")):
        bare = word.strip(".,;:!?()").lower()
        other = _FLIPPED.get(bare)
        if (
            bare == "you"
            and place
            and words[-1].lower()
            not in (
                "if",
                "when",
                "that",
                "and",
                "what",
                "how",
                "once",
                "where",
                "until",
                "unless",
                "before",
                "after",
                "because",
                "which",
                "as",
            )
        ):
            other = "me"
        words.append(word if other is None else word.lower().replace(bare, other, 1))
    return " ".join(words)


def _lower(text: str) -> str:
    """The text with its first letter in lower case, unless it is a name or I."""
    first = text.split(" ", 1)[0]
    if first == "I" or first[1:2].isupper() or first.startswith("I'"):
        return text
    known = first.lower() in _COMMON or first in ("How", "Do", "Does", "Can")
    return text[:1].lower() + text[1:] if known or first.lower() in _STARTS else text


_STARTS = frozenset(
    "orders order delivery returns return refunds refund products product parcels parcel standard express changing change"
    " closing close payments payment invoices invoice cost time price status method how what prices guests one two three"
    " both some many several new old most your our".split()
)


def _joined(before: str, after: str) -> str:
    return re.sub(r"\s+([,.])", r"\1", f"{before.rstrip()} {after.lstrip()}").strip()


def _keywords(sentence: str, wanted: str, rng: random.Random) -> str:
    words = [word for word in content_words(sentence) if word not in set(content_words(wanted))]
    if len(words) < 3:
        return ""
    count = min(len(words), rng.randint(3, 6))
    begin = rng.randint(0, len(words) - count)
    return " ".join(words[begin : begin + count])
