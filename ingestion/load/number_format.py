"""Numbers as a spreadsheet shows them: percent, currency, dates (ECMA-376, part 1, 18.8.31). Dates are written as ISO 8601."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

BUILTIN: dict[int, str] = BUILTIN_FORMATS
_LONGEST_CODE = 255  # what Excel takes
_EXACT = 1e15  # beyond it, a number of Excel has no digit behind the point
_MOST_DECIMALS, _MOST_PERCENTS = 30, 2
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_UP)
_TOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|AM/PM|A/P|.', re.IGNORECASE | re.DOTALL)
_CURRENCY = re.compile(r"\[\$([^\]-]*)")
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Format:
    """One section of a format. `dates` are its letters of dates and times; without `digits` it shows words alone."""

    prefix: str = ""
    digits: str = ""
    suffix: str = ""
    dates: str = ""
    is_general: bool = False


def shown(number: float, code: str = "General", *, is_1904: bool = False) -> str:
    """A number as a sheet shows it under a format."""
    sections = _sections(code if len(code) <= _LONGEST_CODE else "General")
    section = sections[0]
    if section.dates:
        return _date(number, section.dates, is_1904)
    if number < 0 and len(sections) > 1:
        return _number(-number, sections[1])
    if number == 0 and len(sections) > 2:
        section = sections[2]
    return _number(number, section)


def general(number: float) -> str:
    """A number without a format, with the fifteen digits that Excel keeps."""
    if number == int(number) and abs(number) < _EXACT:
        return str(int(number))
    return f"{number:.15g}".upper()


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[_Format, ...]:
    sections: list[list[str]] = [[]]
    for token in _TOKEN.findall(code):
        if token == ";":
            sections.append([])
        else:
            sections[-1].append(token)
    return tuple(_format(tokens) for tokens in sections[:3])


def _format(tokens: list[str]) -> _Format:
    words = ["", ""]  # before the digits, and behind them
    digits = dates = ""
    for token in tokens:
        if token in "0#?.," and (digits or token not in ".,"):
            if words[1].strip():
                return _Format(is_general=True)  # words between digits: a number of a form
            digits += token
        elif token[0] in "ymdhsYMDHS" or _ELAPSED.fullmatch(token):
            dates += token.lower()
        elif token[0] in "eE/":
            if digits or token[0] in "eE":
                return _Format(is_general=True)
        else:
            words[bool(digits)] += _literal(token)
    if not digits and "@" in tokens:
        return _Format(is_general=True)
    return _Format(words[0].lstrip(), digits, words[1].rstrip(), "" if digits.strip(".0,") else dates)


def _literal(token: str) -> str:
    """What a token shows that is neither a digit nor a part of a date."""
    if token[0] == '"':
        return token[1:-1]
    if token[0] == "\\":
        return token[1:]
    if token[0] == "[":
        found = _CURRENCY.match(token)
        return found[1] if found else ""
    return "" if token[0] in "_*@" else token


def _number(number: float, section: _Format) -> str:
    if section.is_general or (abs(number) >= _EXACT and section.digits):
        return general(number)
    if not section.digits:
        return (section.prefix + section.suffix).strip()
    whole, _, decimals = section.digits.partition(".")
    percents = min(section.prefix.count("%") + section.suffix.count("%"), _MOST_PERCENTS)
    thousands = len(section.digits) - len(section.digits.rstrip(","))
    value = Decimal(repr(float(number))) * 100**percents / 1000**thousands
    places = min(sum(char in "0#?" for char in decimals), _MOST_DECIMALS)
    rounded = value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)
    text = f"{abs(rounded):{',' if ',' in whole.rstrip(',') else ''}f}"
    kept = decimals.count("0")
    if places > kept:
        ahead, point, behind = text.partition(".")
        behind = behind[:kept] + behind[kept:].rstrip("0")
        text = f"{ahead}{point if behind else ''}{behind}"
    text = text.zfill(whole.count("0") + len(text) - len(text.partition(".")[0]))
    return f"{'-' if rounded < 0 else ''}{section.prefix}{text}{section.suffix}".strip()


def _date(number: float, letters: str, is_1904: bool) -> str:
    if _ELAPSED.search(letters):
        return _elapsed(number)
    try:
        when = from_excel(number, MAC_EPOCH if is_1904 else WINDOWS_EPOCH)
    except (ValueError, OverflowError, TypeError):
        return general(number)
    has_day = "y" in letters or "d" in letters
    has_time = "h" in letters or "s" in letters
    if not isinstance(when, datetime):
        when = datetime.combine(WINDOWS_EPOCH.date(), when)
        has_day = has_day and not has_time
    parts = [_day(when, letters)] if has_day or not has_time else []
    if has_time and (not has_day or when.time() != when.min.time()):
        parts.append(f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}")
    return " ".join(parts)


def _day(when: datetime, letters: str) -> str:
    """As much of a date as its format shows; a year is told even where it isn't shown."""
    if "d" in letters or "y" not in letters:
        return f"{when:%Y-%m-%d}"
    return f"{when:%Y-%m}" if "m" in letters else f"{when:%Y}"


def _elapsed(number: float) -> str:
    try:
        seconds = round(timedelta(days=abs(number)).total_seconds())
    except OverflowError:
        return general(number)
    sign = "-" if number < 0 else ""
    hours, rest = divmod(seconds, 3600)
    return f"{sign}{hours}:{rest // 60:02}" + (f":{rest % 60:02}" if rest % 60 else "")
