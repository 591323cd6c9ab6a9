"""Cards, account numbers and e-mail addresses by form and check digits, in linear time, whatever separates their groups."""

import re
from collections.abc import Iterator

Span = tuple[int, int]

# Between the groups of a number, as people and programs write them: a line's end counts as a blank.
_GAP = r"[\s./_|*·•\\-]{1,3}"
_PLAIN_CARD = re.compile(r"(?<![\w#=-])(?<!\d[.,])\d(?:[ -]?\d){12,18}(?![\w-])(?![.,]\d)")
# Groups as cards print them, then every digit or pair by itself. Lists of numbers look alike: their beginning decides.
_PRINTED_CARD = re.compile(
    rf"(?<![\w-])(?<!\d[.,])(?:(?:\d{{4}}{_GAP}){{3}}\d{{4}}(?:{_GAP}\d{{1,3}})?|\d{{4}}{_GAP}\d{{6}}{_GAP}\d{{4,5}}"
    rf"|\d(?:{_GAP}\d){{12,18}}|(?:\d\d{_GAP}){{6,9}}\d{{1,2}})(?!\w)"
)
# Issuers' beginnings and lengths (ISO/IEC 7812): Visa, Mastercard, American Express, Diners Club, Discover, JCB, UnionPay,
# Maestro.
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d)\d{12}"
    r"|35\d{14}|(?:2131|1800)\d{11}|62\d{14,17}|(?:50|5[6-8]|6\d)\d{10,17}"
)
_CARD_WORD = re.compile(
    r"\b(?:(?:credit|debit)?cards?|cc|visa|mastercard|maestro|diners|amex|credit|debit|\w{0,20}karten?|tarjetas?|cartes?|cart[aã]o|carta"
    r"|kort)\b",
    re.IGNORECASE,
)
_WORD_CHARS = 60
_YEARS = re.compile(r"(?:1[5-9]|20)\d\d")


def is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1) on a number of a payment card's length and beginning."""
    if not 13 <= len(digits) <= 19 or digits[0] not in "123456" or len(set(digits)) < 2:
        return False
    return _luhn(digits) % 10 == 0


def _luhn(digits: str) -> int:
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled)


def digits_of(text: str) -> str:
    """The digits of a text alone."""
    return "".join(c for c in text if c.isdecimal())


def cards_in(text: str) -> Iterator[Span]:
    """Payment cards: a run of digits with single blanks and hyphens, or a card's own groups with anything between."""
    for found in _PLAIN_CARD.finditer(text):
        digits = digits_of(found[0])
        if is_card(digits) and _is_issued(digits, text, found):
            yield found.span()
    for found in _PRINTED_CARD.finditer(text):
        span = _printed_card(found)
        if span:
            yield span


def _is_issued(digits: str, text: str, found: re.Match[str]) -> bool:
    """Whether an issuer gives out such numbers. Of an odd length they are a bar code or a time, unless a word says so."""
    around = text[max(0, found.start() - _WORD_CHARS) : found.end() + _WORD_CHARS]
    if _CARD_WORD.search(around):
        return len(digits) > 13 or digits[0] == "4"
    return _ISSUERS.fullmatch(digits) is not None and len(digits) in (15, 16) and digits[0] != "1"


def _printed_card(found: re.Match[str]) -> Span | None:
    """The groups of a match that are a card: all of them, or those before the last, which may be something else's."""
    groups = list(re.finditer(r"\d+", found[0]))
    if found[0].count("\n") > 1 or all(_YEARS.fullmatch(group[0]) for group in groups):
        return None
    for size in range(len(groups), 2, -1):
        digits = digits_of("".join(group[0] for group in groups[:size]))
        if is_card(digits) and _ISSUERS.fullmatch(digits):
            return found.start(), found.start() + groups[size - 1].end()
    return None


# Country → characters (SWIFT's IBAN registry).
_IBAN_CHARS = {
    country: int(size)
    for size, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FK FO GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV PT", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY", "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HN HU LB NI PL", "29": "BR EG PS QA UA", "30": "JO KW MU YE", "31": "MT SC", "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN_BEGIN = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z]{2}|[a-z]{2})[\s.-]?\d\s?\d")
_IBAN_NEXT = re.compile(rf"(?:{_GAP})?([A-Za-z0-9])")


def ibans_in(text: str) -> Iterator[Span]:
    """Account numbers whose country, length and check digits (ISO 13616, modulo 97) are right."""
    position = 0
    for found in _IBAN_BEGIN.finditer(text):
        if found.start() >= position and (end := _iban_end(text, found)):
            yield found.start(), end
            position = end


def _iban_end(text: str, begin: re.Match[str]) -> int:
    """Where the number that begins so ends; 0 when it is none."""
    characters = re.sub(r"\W", "", begin[0]).upper()
    size = _IBAN_CHARS.get(characters[:2], 0)
    end = begin.end()
    while len(characters) < size and (following := _IBAN_NEXT.match(text, end)) is not None:
        characters += following[1].upper()
        end = following.end()
    if not size or len(characters) != size or text[end : end + 1].isalnum() or not characters.isascii():
        return 0
    return end if int("".join(str(int(c, 36)) for c in characters[4:] + characters[:4])) % 97 == 1 else 0


# RFC 5322's dot-atom before the @, words and hyphens with at least one dot behind it.
_ATOM = re.compile(r"[!#$%&'*+\-/=?^_`{|}~.\w]")
_DOMAIN_OF_MAIL = re.compile(r"@\w++(?:-++\w++)*+(?:\.\w++(?:-++\w++)*+)++")


# Domains under which algorithms of SSH are named (RFC 4251, section 6).
_NAMESPACES = frozenset({"@openssh.com", "@libssh.org", "@lysator.liu.se", "@ssh.com"})
_UNITS = frozenset("service socket timer target mount automount swap slice scope device".split())


def emails_in(text: str) -> Iterator[Span]:
    """E-mail addresses at any domain: an internal one is no less personal, and no list of domains is asked."""
    position = 0
    for found in _DOMAIN_OF_MAIL.finditer(text):
        start = found.start()
        while start > position and _ATOM.match(text[start - 1]):
            start -= 1
        start = _word_begin(text, start, found.start())
        if (
            start < found.start()
            and text[found.start() - 1] != "."
            and not _is_of_a_program(text, start, found)
        ):
            yield start, found.end()
            position = found.end()


# `jo (at) mailbox (dot) example`, with brackets of any kind; without them where both words stand.
_OPEN, _CLOSE = r"\s{0,2}[(\[{<]\s{0,2}", r"\s{0,2}[)\]}>]\s{0,2}"
_DOT = r"(?:dot|punkt|point|punto|ponto|punt|piste|prick|kropka|tečka|nokta|\.)"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_SPELLED_DOMAIN = re.compile(
    rf"(?i:{_OPEN}(?:at|ät|arroba|arobase|chiocciola|klammeraffe|snabel-?a|@|apenstaartje){_CLOSE}{_LABEL}"
    rf"(?:(?:{_OPEN}{_DOT}{_CLOSE}|\s(?:dot|punkt|point|punto|ponto)\s|\.){_LABEL}){{0,4}}(?:{_OPEN}{_DOT}{_CLOSE}|\s(?:dot|punkt|point|punto|ponto)\s|\.)"
    r"[^\W\d_]{2,24}"
    rf"|\s(?:at|arroba|chiocciola)\s(?!(?:the|a|an|this|that|each|every|our|any|some|one)\b){_LABEL}(?:\s(?:dot|punto|ponto)\s{_LABEL}){{0,3}}"
    r"\s(?:dot|punto|ponto)\s[^\W\d_]{2,24})(?!\w)"
)
_SPELLED_LOCAL = re.compile(
    r"[\w+-]+(?:(?:\.|\s?[(\[{](?:dot|punkt|point|punto|\.)[)\]}]\s?)[\w+-]+)*\Z", re.IGNORECASE
)
_LOCAL_CHARS = 64


def spelled_mails_in(text: str) -> Iterator[Span]:
    """E-mail addresses whose at sign is written as a word."""
    position = 0
    for found in _SPELLED_DOMAIN.finditer(text):
        first = max(position, found.start() - _LOCAL_CHARS)
        local = _SPELLED_LOCAL.search(text, first, found.start())
        if local is not None and text[local.start() : found.start()].strip("_-+"):
            yield local.start(), found.end()
            position = found.end()


def _is_of_a_program(text: str, start: int, domain: re.Match[str]) -> bool:
    """Whether it is a package's version (`left-pad@1.3.0`), a unit of systemd, an algorithm or a repository's address."""
    last = domain[0].rpartition(".")[2].lower()
    if last.isdigit() or last in _UNITS or domain[0].lower() in _NAMESPACES:
        return True
    if text[domain.start() - 1] == "=":
        return True  # a field and its file, as curl has them
    return text[start : domain.start()] == "git" and text[domain.end() : domain.end() + 1] in ("/", ":")


def _word_begin(text: str, start: int, end: int) -> int:
    """The first place at which a word begins or ends, and that is no dot: there an address may begin."""
    while start < end:
        before = start > 0 and _is_word(text[start - 1])
        if text[start] != "." and before != _is_word(text[start]):
            return start
        start += 1
    return end


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


_DOMAIN = re.compile(
    r"(?<![@\w.-])(?:https?://)?(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+"
    r"(?:com|org|net|info|biz|io|co|edu|gov|eu|[a-z]{2})(?:/[^\s]*)?\b(?!@)",
    re.IGNORECASE,
)


def domains_in(text: str) -> Iterator[Span]:
    """Hosts, with the path behind them."""
    return (found.span() for found in _DOMAIN.finditer(text))
