"""Whether a number that could be dialled is written as telephone numbers are, or is a number of something else.

`phonenumbers` says that a country could give out a number; it takes bugs, sizes, sections and decimals for one too. What
stands here is how people write telephone numbers in the regions of the default policy, and the words before them.
"""

import re

_BEFORE_CHARS, _AFTER_CHARS, _NOUN_CHARS = 48, 12, 24
# Words that leave no doubt, and words that need a number that looks like one.
_SURE = re.compile(
    r"(?:\b(?:tel|telephone|phone|fon|fone|mobile?|handy|cell(?:ular)?|fax|hotline|helpline|whatsapp|sms|dial|landline)"
    r"|telefon\w*|tel[eé]fono|t[eé]l[eé]phone|telefoon\w*|cellphone|ruf\w*nummer|portable|m[oó]vil)\b|\b(?:desk|office|home|work)\W{1,3}\Z",
    re.IGNORECASE,
)
_SURE_AFTER = re.compile(r"[\s,(-]{0,3}(?:office|fax|mobile|cell|home|work|desk|tel|phone)\b", re.IGNORECASE)
_LIKELY = re.compile(
    r"\b(?:call(?:ed|ing)?|contact|reach(?:ed)?|ring|text(?:ed)?|number is|my number|their number|(?:your|his|her) number"
    r"|answer\w*|registered|callback|call back"
    r"|ruf\w*|anruf\w*|erreich\w*|llam\w*|appel\w*|joindre|bel(?:len)?|chiam\w*|n[uú]mero)\b",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\d+")
_DATE = re.compile(r"(?:19|20)\d\d[-./](?:0\d|1[0-2])[-./][0-3]\d|[0-3]?\d[./][01]?\d[./](?:19|20)\d\d")
_DECIMAL = re.compile(r"\d+\.\d+\Z")
# In brackets stands a dialling code alone.
_ODD_BRACKET = re.compile(r"\((?!\d{1,5}\))|\d\(")
_ZIP = re.compile(r"\d{5}-\d{4}")
_OCTETS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_ISBN = re.compile(r"97[89][\s-]?\d")
_UNIT = re.compile(
    r"\s?(?:%|[kKMGTP]?i?B\b|bytes?\b|bits?\b|[kmµn]?s\b|m?sec\b|seconds?\b|rows?\b|pages?\b|[kMG]?Hz\b|px\b|times\b|lines?\b"
    r"|[ckm]?m\b|x\s?\d|years?\b|tuples?\b|records?\b|transactions?\b|EUR\b|USD\b|[€$£])"
)
# How numbers without a country's code are written where they begin with no 0: North America, Spain.
_NORTH_AMERICA = re.compile(r"(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}")
_SPAIN = re.compile(r"[6-9]\d\d \d{3} \d{3}|[89]\d \d{3} \d\d \d\d|[6-9]\d\d \d\d \d\d \d\d")
_PAIRS = re.compile(r"0\d(?:[ .-]\d\d){4}")
# Another number with its country's code ends here, and no space follows it.
_RUN_TOGETHER = re.compile(r"\+\d[\d\s()./-]{5,17}\d\Z")
_LONGEST_GROUPS = 6
# What is counted stands behind its number; these words stand behind a telephone's.
_COUNTED = re.compile(r"\s([^\W\d_]{3,})")
_FUNCTION_WORDS = frozenset(
    """and any anytime ask before between but daily during ext for from has him his her now only please the then today
    tonight tomorrow until weekdays when with you your und oder aber von für zwischen bis jetzt bitte wenn wir auf pour
    avant entre puis demandez pero para por desde con ahora mas com das per dalle oppure voor tussen van met eller och
    mellan fra til lub jest albo nebo anebo tai veya ile mobile fax cell office work home""".split()
)
_MOST_COUNTED_DIGITS = 9


def is_telephone(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]`, which some country could give out, is written as a telephone number."""
    value = text[start:end]
    before = text[max(0, start - _BEFORE_CHARS) : start]
    line = before.rpartition("\n")[2] or before[-1:]
    after = text[end : end + _AFTER_CHARS]
    if is_of_another_kind(value):
        return False
    if _SURE_AFTER.match(after):
        return True
    if _is_part_of_a_word(before, after, value):
        return False
    if value[0] == "+" or _SURE.search(before):
        return True
    if _UNIT.match(after):
        return False
    if _has_form(value, line, after):
        return True
    return (
        _LIKELY.search(line) is not None
        and "." not in value
        and not is_counted(value, text[end : end + _NOUN_CHARS])
    )


def is_of_another_kind(value: str) -> bool:
    """Whether it is a decimal, a date, a book's number or a run of numbers."""
    groups = _GROUP.findall(value)
    if _DECIMAL.match(value) or _DATE.search(value) or _ODD_BRACKET.search(value):
        return True
    if _ZIP.fullmatch(value) or _OCTETS.fullmatch(value):
        return True
    if _ISBN.match(value) and sum(map(len, groups)) == 13:
        return True
    # A digit by itself is a country's or a dialling code, so it stands at the beginning.
    is_in_pieces = len(groups) > _LONGEST_GROUPS or any(len(group) == 1 for group in groups[2:])
    return is_in_pieces and value[0] != "+"


def _is_part_of_a_word(before: str, after: str, value: str) -> bool:
    """Whether letters, digits or signs of programs are written together with it: `CVE-2021-44228`, `#1234567`, `id=…`."""
    if re.match(r"\w|[-./:_,]\d|[-_/]\w|\(\w", after):
        return True
    if value[0] == "+":
        return before[-1:].isalnum() and not _RUN_TOGETHER.search(before)
    if re.search(r"[\w#$@%&=<>^~\\{\[]\Z|\S[-./_,:]\Z|\d[,;]? \Z", before):
        return _SURE.search(before[-16:]) is None
    return False


def _has_form(value: str, line: str, after: str) -> bool:
    """Whether it has the form of a national number, and is none of several numbers in a row."""
    if re.search(r"\d[,;:]?\s{1,3}\Z", line) or re.match(r"[,;]?\s{1,3}\d", after):
        return False
    groups = _GROUP.findall(value)
    if _NORTH_AMERICA.fullmatch(value) or _SPAIN.fullmatch(value) or _PAIRS.fullmatch(value):
        return True
    if groups[0] == "0" or groups[0].startswith("00"):
        return False
    if len(groups) == 1:
        return value[0] == "0" and 10 <= len(value) <= 12 and value not in "01234567890123456789"
    return groups[0][0] == "0" and len(groups[0]) >= 3


def is_counted(value: str, after: str) -> bool:
    """Whether it is the number of things that the word behind it names, as in `512 345 678 users`."""
    noun = _COUNTED.match(after)
    if noun is None or value[0] in "+0(" or noun[1][0].isupper() or noun[1] in _FUNCTION_WORDS:
        return False
    return sum(map(str.isdecimal, value)) <= _MOST_COUNTED_DIGITS
