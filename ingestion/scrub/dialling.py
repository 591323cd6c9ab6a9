"""Telephone numbers of any country: behind a word such as `tel.` or `llame al`, and in the groups that one country alone writes.

What `phonenumbers` could take for a number of somewhere is most of the numbers of a text. So a word decides, or a form.
"""

import re
from collections.abc import Iterator, Sequence

from ingestion.scrub.forms import Span
from ingestion.scrub.labels import GLUE
from ingestion.scrub.lookalikes import follows_business_word
from ingestion.scrub.telephones import is_counted, is_of_another_kind

_NUMBER = r"(?:\+ ?|00)?\(?\d(?:[ ()./-]{0,2}\d){5,14}(?! ?\(?\d)(?: ?(?:x|ext\.? ?)\d{1,5})?(?![\w]|[-/.,:@]\d|\(\w)"
_LABELS = (
    r"(?:tele|mobile?|cell|home|work|office|business|desk|direct|landline|whatsapp)?[ -]?(?:phone|fon)s?|tel|t[ée]l|telephone|mobiles?|mob|cell(?:ular)?"
    r"|cel|fax|hotline|helpline|whatsapp|sms|landline|telefon(?:u|ul|szám|os?|a|numm?er|nr|números?)?|tel[eé]fonos?|t[eé]l[eé]phones?|portable"
    r"|telefones?|celular|telem[óo]ve(?:l|is)|tlm|tlf|tlfn|tlf\.?nr|telefoon(?:nummer)?|gsm|mobiel|mobiln?[íi]?|mobil(?:nummer|telefon|numer)?"
    r"|m[oó]vil|cellulare|handy(?:nummer)?|ruf-?nummer|durchwahl|festnetz|puhelin(?:numero)?|puh|matkapuhelin|kom[oó]rka|kom"
    r"|ph|desk|office|τηλ|τηλέφωνο|κινητό|тел|телефон|моб|電話(?:番号)?|携帯(?:電話)?|전화|电话|手机"
)
_LABELLED = re.compile(rf"(?i:(?<![^\W_])(?:{_LABELS})(?![^\W_])(?P<glue>{GLUE}))(?P<value>{_NUMBER})")
_BEFORE_LABEL = re.compile(
    rf"^\W{{0,3}}(?P<value>{_NUMBER})[\s,-]{{1,3}}(?i:office|fax|mobile|cell|home|work|desk|tel|phone)\b(?=\s{{0,2}}(?:[,;)\\]|$))",
    re.MULTILINE,
)
# Verbs by language, and where their numbers are given out.
_CALLS = {
    r"call(?:s|ed|ing)?|ring|text(?:ed)?|reach(?:able|ed)?|contact|dial|phone|answering": "US GB IE IN AU NZ ZA SG FR DE ES IT NL BE PT AT CH SE NO DK FI PL CZ GR BR JP",
    r"ruf\w{0,4}|anrufen|anruf|erreich\w{0,6}|telefonisch|w[äa]hl\w{0,4}": "DE AT CH LU",
    r"appel\w{0,4}|joindre|joignable\w?|contact\w{0,4}|composez": "FR BE CH LU",
    r"ll[aá]m\w{0,6}|marca\w?|marque|contact\w{1,6}": "ES MX AR CL CO",
    r"lig(?:ue|ar|o|a|uem|ou)(?:-\w{2,3})?|telefon(?:e|ar|em)|contact\w{1,4}|marque": "PT BR",
    r"chiam\w{1,5}|telefon(?:a|are|ate|i)|contatt\w{1,4}|compon\w{1,4}": "IT CH",
    r"bel(?:len|t|de)?|gebeld|bereikbaar|contacteer": "NL BE",
    r"ring\w{0,3}|nås": "SE NO DK FI",
    r"za?dzwo\w{1,4}|kontakt\w{0,4}": "PL",
    r"(?:za)?vol(?:ej|at|ejte|ajte)\w{0,2}": "CZ SK",
    r"soita\w{0,5}|soittakaa": "FI",
    r"καλ[έε]στε|τηλεφωνήστε|κάλεσε": "GR",
    r"aray[ıi]n(?:[ıi]z)?|ara|arayabilir\w{0,6}": "TR",
    r"звон\w{1,5}|позвон\w{1,5}": "RU UA",
    r"hívj\w{1,3}|sunaț?i|suna[tț]i": "HU RO",
}  # fmt: skip
# Up to four short words stand between a verb and the number: `llame al`, `reach me any time on`.
_WORDS_BETWEEN = r"(?:[ :.,]{1,2}(?![\d+(])[^\W\d_]{1,12}){0,4}[ :.,]{1,3}"
_CALLED = tuple(
    (
        re.compile(rf"(?i:(?<![^\W_])(?:{verbs})(?![^\W_]){_WORDS_BETWEEN})(?P<value>{_NUMBER})"),
        regions.split(),
    )
    for verbs, regions in _CALLS.items()
)
# Groups that one country writes, with the 0 or the brackets that tell them from amounts.
_GROUPED = {
    "BE": r"0[1-9] \d{3} \d\d \d\d|0[1-9]\d \d\d \d\d \d\d|04\d\d[ /]\d\d[ .]\d\d[ .]\d\d|04\d\d[ /]\d{3} ?\d{3}|0[1-9]/\d{3}[ .]\d\d[ .]\d\d",
    "CH": r"0\d\d[ /]\d{3} \d\d \d\d",
    "NL": r"0[1-57]\d[ -]\d{3} \d\d \d\d|06[ -]\d{8}|06(?: \d\d){4}|06-\d\d(?: \d\d){3}|0\d{3}-\d{6}|0[1-57]\d-\d{7}",
    "SE": r"0\d{1,3}-\d{2,3} \d\d \d\d(?: \d\d)?|0\d{1,3}-\d{3} \d{3} \d\d",
    "FI": r"0[45]\d \d{3} \d{3,4}|09 \d{3,4} \d{3,4}",
    "IE": r"0[18]\d? \d{3} \d{4}",
    "AT": r"0[67]\d\d[ /]\d{3} \d{2,4} \d{2,4}|01[ /]\d{3} \d\d \d\d",
    "IT": r"0\d{1,3}[ /.-]\d{6,8}|0[26] \d{4} \d{4}",
    "TR": r"0 ?\(?[2-5]\d\d\)? \d{3} \d\d \d\d",
    "JP": r"0[36]-\d{4}-\d{4}|0[789]0-\d{4}-\d{4}|0120-\d{3}-\d{3}|0[1-9][1-9]-\d{3}-\d{4}",
    "KR": r"01\d-\d{4}-\d{4}|02-\d{3,4}-\d{4}",
    "BR": r"\(0?[1-9]\d\) ?9?\d{4}-\d{4}",
    "AU": r"\(0[2378]\) \d{4} \d{4}|04\d\d \d{3} \d{3}",
}  # fmt: skip
_FORMS = tuple(
    (re.compile(rf"(?<![\w+.,/:=#@$%&<>^~\\{{\[-])(?:{form})(?!\w|[-/.,:@]\d|\(\w)"), (region,))
    for region, form in _GROUPED.items()
)
_NEXT_TO_NUMBER = re.compile(r"\d[,;:|]?\s{1,3}\Z"), re.compile(r"[,;|]?[ \t]{1,3}\d")
_SIGNS = re.compile(r"[:.=\n|]|n[or°º]|num|№", re.IGNORECASE)
_UNIT = re.compile(
    r"\s?(?:[kMG]?bps|[kM]?bit|dpi|[kMG]?Hz|m?Ah|[kM]?W|V|EUR|USD|GBP|CHF|PLN|kr|zł|Kč|%|[€$£¥]|[kMG]i?B)(?!\w)",
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"\d{1,3}(?:[ .]\d{3})*[ .]000")
# Without a colon before it, this is an amount sooner.
_THOUSANDS = re.compile(r"\d{1,2}(?:[ .]\d{3})+")
_CANDIDATE = re.compile(r"\d(?:[ ()./-]{0,2}\d){5}")


def telephones_in(text: str) -> Iterator[Span]:
    """Numbers behind a word, before one at the end of their line, and in a country's own groups."""
    if _CANDIDATE.search(text) is None:
        return
    for found in _LABELLED.finditer(text):
        if _is_labelled(text, found):
            yield found.span("value")
    yield from (
        found.span("value")
        for found in _BEFORE_LABEL.finditer(text)
        if _is_number(text, *found.span("value"))
    )
    for pattern, regions in _CALLED:
        for found in pattern.finditer(text):
            if _is_number(text, *found.span("value")) and _is_given_out(found["value"], regions):
                yield found.span("value")
    yield from _grouped(text)


def _grouped(text: str) -> Iterator[Span]:
    for pattern, regions in _FORMS:
        for found in pattern.finditer(text):
            if (
                not _is_of_a_row(text, *found.span())
                and _is_number(text, *found.span())
                and _is_given_out(found[0], regions)
            ):
                yield found.span()


def _is_labelled(text: str, found: re.Match[str]) -> bool:
    """Behind `tel.:` any number, given out or not; where nothing but a blank parts them, one that some country gives out."""
    value = found["value"]
    if not _is_number(text, *found.span("value")):
        return False
    return _SIGNS.search(found["glue"]) is not None or value[0] in "+0" or _is_given_out(value)


def _is_given_out(value: str, regions: Sequence[str] = ()) -> bool:
    """Whether one of the regions, or of all, gives it out. An amount in thousands is none."""
    from ingestion.scrub.numbering import ALL, is_given_out  # phonenumbers takes a while to load

    return _THOUSANDS.fullmatch(value) is None and is_given_out(value, regions or ALL)


def _is_number(text: str, start: int, end: int) -> bool:
    """Whether it is no date, amount, order or number of things that stand behind it."""
    value, after = text[start:end], text[end : end + 24]
    if (
        is_of_another_kind(value)
        or _AMOUNT.fullmatch(value)
        or _UNIT.match(after)
        or follows_business_word(text, start)
    ):
        return False
    return not is_counted(value, after)


def _is_of_a_row(text: str, start: int, end: int) -> bool:
    """Whether it is one of several numbers side by side, as in a table."""
    before, after = _NEXT_TO_NUMBER
    return before.search(text, max(0, start - 6), start) is not None or after.match(text, end) is not None
