"""Dates of birth: a date beside a word that says that somebody was born on it. A date alone is nobody's."""

import re
from collections.abc import Iterator

from ingestion.scrub.forms import Span
from ingestion.scrub.labels import GLUE, values_in

_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_PART = r"\s?[./-]\s?"
# Any word may be a month behind a word for birth, so that no list of months is needed.
_WORD = r"[^\W\d_]{3,12}+\.?"
_OF = r"(?:of |de |d'|del |do )?"
_DATE = (
    rf"(?<![\d.,/-])(?:{_YEAR}[-./]{_MONTH}[-./]{_DAY}|{_YEAR}年\s?{_MONTH}月\s?{_DAY}日|(?:{_DAY}{_PART}{_MONTH}|{_MONTH}{_PART}{_DAY}){_PART}(?:{_YEAR}|\d\d)"
    rf"|{_DAY}(?:st|nd|rd|th|er|[ºª.])?[ -]{_OF}{_WORD},?[ -]{_OF}{_YEAR}|{_WORD}\s{_DAY}(?:st|nd|rd|th)?,?\s{_YEAR})(?!\w|[-/]\d|\.\d)"
)
_FIELDS = (
    r"(?:dates?|day)[ _-]?of[ _-]?birth|birth[ _-]?(?:date|day)|d\.?o\.?b\.?|geburts(?:datum|tag)|geb(?:oren|\.)?|geboortedatum"
    r"|date[ _]de[ _]naissance|née?|né\(e\)|fecha[ _]de[ _]nac(?:imiento|\.)|nacid[oa]|data[ _]di[ _]nascita"
    r"|data[ _]de[ _]nascimento|nascid[oa]|födelse(?:datum|dag)|född|fødsels(?:dato|dag)|født|syntymäaika|syntynyt|syntymäpäivä"
    r"|data[ _]urodzenia|urodzon[ya]|ur\.|datum[ _]narození|dátum[ _]narodenia|narozen[áaý]?|narodil[a]?|doğum[ _](?:tarihi|günü)"
    r"|született|születési (?:idő|dátum)|născut[ăa]?|data nașterii|ημερομηνία γέννησης|γεννήθηκε|дата рождения|родил(?:ся|ась)"
)
_PLACE = r"(?-i:[A-ZÀ-ÞŁŚŻŹČŠŽĐİ])[\w.'-]{0,30}"
_AT_PLACE = rf"(?:\s(?:in|at|à|en|em|w|v|te|i|a)\s{_PLACE}(?:[ ,/-]{{1,2}}{_PLACE}){{0,3}},?)?"
_BORN = r"(?:born|nat[oa](?=\s(?:il|a|in|nel)\b)|né(?:e|\(e\))?|nacid[oa]|geboren|nascid[oa]|urodzon[ya]|född|født|narozen[áaý]?)"
_BEHIND = re.compile(
    rf"(?i:(?<![^\W_])(?:(?:{_FIELDS})(?![^\W_])|{_BORN}(?![^\W_]){_AT_PLACE}){GLUE})(?P<value>{_DATE})|[(,;]\s?\*\s?(?P<star>{_DATE})"
    rf"|(?:生年月日|出生日期|誕生日)\s?[:は]?\s?(?P<cjk>{_DATE})"
)
_BEFORE = re.compile(
    rf"(?P<value>{_DATE})(?i:(?:\s[\w.'-]{{1,20}}){{0,3}}\s(?:geboren|született|doğumlu|narozen[áaý]?)\b"
    r"|\s?\((?:date of birth|d\.?o\.?b\.?|born|geburtsdatum|geb\.)\))"
    rf"|(?P<cjk>{_YEAR}年\s?{_MONTH}月\s?{_DAY}日)\s?(?:生まれ|出生|生(?!産))"
)
_STEMS = (
    "birth", "dob", "d.o.b", "born", "geb", "né", "naissance", "nac", "nasc", "nat", "född", "föde", "fød", "synty", "urodz", "ur.", "naro",
    "doğum", "szület", "născut", "naşter", "naștere", "γέννησ", "γεννήθ", "рожд", "родил", "*", "生", "誕",
)  # fmt: skip
_STEMS_BEHIND = ("born", "birth", "dob", "d.o.b", "geb", "született", "doğumlu", "naroz", "生")
# What is born in a manner of speaking.
_THING = re.compile(
    r"\b(?:project|product|company|firm|brand|idea|concept|language|network|web|internet|web ?site|standard|protocol|kernel|library|tool"
    r"|service|organi[sz]ation|club|band|movement|tradition|festival|league|version|feature|distribution|community)\b[^.!?\n]{0,24}\Z",
    re.IGNORECASE,
)
_BEFORE_CHARS = 60


def births_in(text: str) -> Iterator[Span]:
    """Dates of birth: full dates from 1900 on, in figures or with the month as a word."""
    for pattern, stems in ((_BEHIND, _STEMS), (_BEFORE, _STEMS_BEHIND)):
        for found in values_in(text, pattern, stems):
            if not _THING.search(text[max(0, found.start() - _BEFORE_CHARS) : found.start()]):
                group = next(name for name, value in found.groupdict().items() if value)
                yield found.span(group)
