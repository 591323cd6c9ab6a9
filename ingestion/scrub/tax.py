"""Numbers by which a state knows a person, as they are printed: beside the word for them, or with a check digit that is right.

The check digits are those of ISO 7064 (Germany) and of the authorities that give the numbers out.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingestion.scrub.forms import Span, digits_of
from ingestion.scrub.labels import after, has_any, values_in

Check = Callable[[str], bool]


def is_german(digits: str) -> bool:
    """The check digit of a German tax id (ISO 7064, modulo 11, 10)."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return len(digits) == 11 and (11 - product) % 10 == int(digits[-1])


def is_portuguese(digits: str) -> bool:
    """The check digit of a Portuguese NIF, modulo 11."""
    return len(digits) == 9 and _weighed(digits, range(9, 1, -1)) == int(digits[8])


def is_cpf(digits: str) -> bool:
    """Both check digits of a Brazilian CPF, modulo 11."""
    first, second = (_weighed(digits, range(size, 1, -1)) for size in (10, 11))
    return len(digits) == 11 and len(set(digits)) > 1 and digits[9:] == f"{first}{second}"


def _weighed(digits: str, weights: range) -> int:
    """The digit that makes the sum divisible by eleven, 0 for ten and more."""
    rest = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False)) % 11
    return 0 if rest < 2 else 11 - rest


def is_ahv(digits: str) -> bool:
    """The check digit of a Swiss insurance number, which is that of EAN-13."""
    return len(digits) == 13 and sum(int(d) * (1 + i % 2 * 2) for i, d in enumerate(digits)) % 10 == 0


def is_eleven(digits: str) -> bool:
    """The Dutch eleven test."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(digits) == 9 and sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % 11 == 0


_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_spanish(value: str) -> bool:
    """The check letter of a Spanish NIF or NIE: the number modulo 23, with X, Y and Z for 0, 1 and 2 in front."""
    plain = re.sub(r"\W", "", value).upper()
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdecimal() and _DNI_LETTERS[int(number) % 23] == plain[-1]


# What letters and digits count in the odd places of a codice fiscale (ministerial decree of 23 December 1976).
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def is_italian(value: str) -> bool:
    """The check letter of a codice fiscale."""
    plain = re.sub(r"\W", "", value).upper()
    even = sum(int(c) if c.isdecimal() else ord(c) - ord("A") for c in plain[1:15:2])
    return chr(ord("A") + (even + sum(_ODD[c] for c in plain[0:15:2])) % 26) == plain[-1]


@dataclass(frozen=True, slots=True)
class _Printed:
    """A number's form with its check, which leaves no doubt without any word."""

    form: re.Pattern[str]
    check: Check


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Words for a number, its form, and its check where the words mean other numbers too."""

    pattern: re.Pattern[str]
    stems: tuple[str, ...]
    check: Check | None = None


def _labelled(words: str, form: str, stems: str, check: Check | None = None) -> _Labelled:
    return _Labelled(after(words, rf"(?:{form})(?![\w]|[-/.]\d)"), tuple(stems.split(",")), check)


_DE_ID = _labelled(
    r"steuer(?:liche)?[- ]?id(?:nr|ent(?:ifikations)?(?:nummer|nr))?|(?:steuerliche )?identifikationsnummer|idnr|steuer-identifikationsnummer|tax id|(?-i:TIN)",
    r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
    "steuer,identifikation,idnr,tax id,tin",
    is_german,
)
_NL = _labelled(
    r"bsn|burgerservicenummer|sofi-?nummer|citizen service number", r"\d{3}[ .]\d{3}[ .]\d{3}|\d{4}[ .]\d{2}[ .]\d{3}",
    "bsn,burgerservice,sofi,citizen service", is_eleven,
)  # fmt: skip
_ES_NIF = _Printed(re.compile(r"(?<![\w.-])\d{2}\.\d{3}\.\d{3}[ -]?[A-Za-z](?!\w)"), is_spanish)
_ES_NIE = _Printed(
    re.compile(r"(?<![\w.-])[XYZxyz][ -]?\d{1,2}\.?\d{3}\.?\d{3}[ -]?[A-Za-z](?!\w)"), is_spanish
)
_IT = _Printed(
    re.compile(
        r"(?<![\w-])(?i:[a-z]{3}\s[a-z]{3}\s[0-9lmnp-v]{2}[abcdehlmprst][0-9lmnp-v]{2}\s[a-z][0-9lmnp-v]{3}\s?[a-z])(?!\w)"
    ),
    is_italian,
)
_CPF = _Printed(
    re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])"), lambda value: is_cpf(digits_of(value))
)
_AHV = _Printed(
    re.compile(r"(?<![\w.-])756\.\d{4}\.\d{4}\.\d{2}(?![\w-]|\.\d)"), lambda value: is_ahv(digits_of(value))
)

_OTHERS = (
    _labelled(
        r"steuer-?n(?:umme)?r|st\.?-? ?nr|tax number",
        r"\d{2,3} ?/ ?\d{3,4} ?/ ?\d{4,5}|\d{2}[- ]\d{3}/\d{4}|\d{10,13}",
        "steuer,st,tax number",
    ),
    _labelled(
        r"num[ée]ro(?: d'identification)? fiscale?|identifiant fiscal|n[°º] fiscal|spi|nif",
        r"[0-3]\d ?\d{2} ?\d{3} ?\d{3} ?\d{3}",
        "fiscal,spi,nif",
    ),
    _labelled(
        r"nif|contribuinte|n[úu]mero de (?:contribuinte|identifica[çc][ãa]o fiscal)",
        r"[1-35689]\d{2}[ .]?\d{3}[ .]?\d{3}",
        "nif,contribuinte,fiscal",
        is_portuguese,
    ),
    _labelled(r"utr|unique tax(?:payer)?(?:'s)? reference", r"\d{5} ?\d{5}K?", "utr,unique tax"),
    _labelled(
        r"(?-i:F?EIN|TIN)|(?:federal )?employer id(?:entification)?|(?:federal )?tax id(?:entification)?",
        r"\d{2}-\d{7}",
        "ein,employer id,tax id,tin",
    ),  # fmt: skip
    _labelled(r"cpf", r"\d{11}", "cpf", is_cpf),
    _labelled(r"ppsn?", r"\d{7}[A-W][A-IW]?", "pps"),
    _labelled(r"cpr(?:[- ]?(?:nr|nummer))?", r"[0-3]\d[01]\d{3}[- ]?\d{4}", "cpr"),
    _labelled(
        r"f[øo]dselsn(?:umme)?r|personnummer|d-nummer",
        r"[0-7]\d[0-4]\d{3} ?\d{5}",
        "dselsn,personnummer,d-nummer",
    ),
    _labelled(r"nip", r"\d{3}-\d{3}-\d{2}-\d{2}|\d{3}-\d{2}-\d{2}-\d{3}|\d{10}", "nip"),
    _labelled(r"rodn[ée] [čc][íi]slo|r\. ?č|rč", r"\d{2}[0-8]\d{3}/?\d{3,4}", "rodn,č"),
    _labelled(r"α\.?φ\.?μ\.?|afm", r"\d{9}", "α,afm"),
    _labelled(r"t\.?c\.? kimlik|tckn|kimlik|vergi(?: kimlik)?", r"[1-9]\d{10}|\d{10}", "kimlik,tckn,vergi"),
    _labelled(r"cnp", r"[1-8]\d{12}", "cnp"),
    _labelled(r"マイナンバー|個人番号", r"\d{4} ?\d{4} ?\d{4}", "マイナンバー,個人番号"),
    _labelled(r"ИНН|СНИЛС", r"\d{12}|\d{3}-\d{3}-\d{3} \d{2}", "инн,снилс"),
)


def _with_words(text: str, one: _Labelled) -> Iterator[Span]:
    for found in values_in(text, one.pattern, one.stems):
        if one.check is None or one.check(digits_of(found["value"])):
            yield found.span("value")


def _by_form(text: str, one: _Printed) -> Iterator[Span]:
    for found in one.form.finditer(text):
        if one.check(found[0]):
            yield found.span()


def german_ids_in(text: str) -> Iterator[Span]:
    """Tax ids in the groups in which they are printed."""
    return _with_words(text, _DE_ID)


def dutch_numbers_in(text: str) -> Iterator[Span]:
    """Citizens' numbers in groups."""
    return _with_words(text, _NL)


def nifs_in(text: str) -> Iterator[Span]:
    """Spanish NIFs with dots."""
    return _by_form(text, _ES_NIF)


def nies_in(text: str) -> Iterator[Span]:
    """Spanish NIEs with hyphens or dots."""
    return _by_form(text, _ES_NIE)


def fiscal_codes_in(text: str) -> Iterator[Span]:
    """Italian fiscal codes in the groups of the card."""
    return _by_form(text, _IT)


def tax_ids_in(text: str) -> Iterator[Span]:
    """Tax and national numbers that have no type of their own."""
    for printed, sign in ((_CPF, "-"), (_AHV, "756.")):
        if sign in text:
            yield from _by_form(text, printed)
    if has_any(text, "0123456789"):
        for one in _OTHERS:
            yield from _with_words(text, one)
