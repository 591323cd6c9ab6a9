"""What can be compared exactly with the sources: numbers, dates, names and negations, the costliest inventions."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import cached_property, lru_cache

from ingestion.text.sentences import sentence_spans
from service.guard.chain import Verdict, outcome_of
from service.guard.checks.citations import blanked_markers, cited_in
from service.scope.policy import Rule, Zone

REMOVED = "[…]"
# Digits with inner separators; units and signs around them stay out of it.
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
# Citation markers, and the ordinals of a list at the start of a line, are no claims.
_EXEMPT = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w-])(?<![\w-]\.)(?:[\w-]++\.)+[a-z]{2,}/\S+|\[\d{1,3}\]"
    r"|(?m:^[^\S\n]*\d{1,2}[.)](?=\s))|<[A-Z_]+>"
)


def canonical(number: str) -> str:
    """One spelling a value: `5,000`, `5.000` and `5000` agree, and so do `4,90` and `4.9`."""
    if _GROUPED.fullmatch(number):
        return re.sub(r"[.,]", "", number)
    if ":" in number or number.count(".") + number.count(",") > 1:
        return number.replace(",", ".")
    try:
        value = Decimal(number.replace(",", "."))
    except InvalidOperation:
        return number
    return format(value.normalize(), "f")


@lru_cache(maxsize=10_000)
def numbers_in(text: str) -> frozenset[str]:
    """Canonical numbers of a text; of a time or version such as 14:00 its parts too."""
    found: set[str] = set()
    for match in _NUMBER.finditer(text):
        found.add(canonical(match[0]))
        found.update(canonical(part) for part in re.split(r"[.,:]", match[0]))
    return frozenset(found)


class NumberGuard:
    """Removes numbers from an answer that are neither in its passages nor in the conversation."""

    name = "numbers"

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = list(sources)

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return frozenset().union(*map(numbers_in, self._sources))

    @cached_property
    def _dates(self) -> frozenset[str]:
        return frozenset().union(*map(_date_parts, self._sources))

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text in which each invented number is `[…]`, and a verdict for each."""
        if zone != "output" or not any(character.isdigit() for character in text):
            return text, []
        starts, ends = _exempt(text)
        verdicts: list[Verdict] = []

        def check(match: re.Match[str]) -> str:
            before = bisect_right(starts, match.start())
            inside = before > 0 and match.start() < ends[before - 1]
            number = canonical(match[0])
            if inside or number in self._numbers or number in self._dates:
                return match[0]
            verdicts.append(
                Verdict(self.name, zone, "redact", "NOT_IN_SOURCES", 1.0, match.start(), match.end())
            )
            return REMOVED

        return _NUMBER.sub(check, text), verdicts


def _exempt(text: str) -> tuple[list[int], list[int]]:
    """Where what is no claim begins and ends, from left to right."""
    spans = [match.span() for match in _EXEMPT.finditer(text)]
    return [start for start, _ in spans], [end for _, end in spans]


# Dates, names and negations, sentence by sentence.

_MONTHS = {
    month: number
    for number, names in enumerate(
        (
            "january jan januar enero janvier gennaio januari janeiro",
            "february feb februar febrero février febbraio februari fevereiro",
            "march mar märz marzo mars maart março",
            "april apr abril avril aprile",
            "may mai mayo mei maggio maio",
            "june jun juni junio juin giugno junho",
            "july jul juli julio juillet luglio julho",
            "august aug agosto août augustus",
            "september sep sept septiembre septembre settembre setembro",
            "october oct oktober octubre octobre ottobre outubro okt",
            "november nov noviembre novembre novembro",
            "december dec dezember diciembre décembre dicembre dezembro dez",
        ),
        start=1,
    )
    for month in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"(?i)\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+|de\s+)?(?P<m1>{_MONTH})\b\.?(?:,?\s+(?:de\s+)?(?P<y1>\d{{4}}))?"
    rf"|\b(?P<m2>{_MONTH})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>\d{{4}}))?"
    r"|\b(?P<y3>\d{4})-(?P<m3>\d{2})-(?P<d3>\d{2})\b"
)
_NAME = re.compile(
    r"(?<![.!?:\"“(\[] )(?<!^)(?<![\n•*-])\b[A-ZÀ-Þ](?:['’-]|[^\Wa-zà-ÿ]){0,40}+[a-zà-ÿ][\w'’-]*"
)
_TERM = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|isn't|aren't|nicht|kein\w*|nie|niemals|nunca|jamás|sin|pas|sans|mai|senza|não|sem|niet|geen)\b|n['’]t\b",
    re.IGNORECASE,
)
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|en|e)$")
_EMPTY = frozenset(
    "a an the of in on at to for from by with and or but is are was were be been it its this that do does did has have had will can you your we our as".split()
)
_SAME_MATTER = 0.75


def dates_in(text: str) -> list[tuple[int, int, int, int, int]]:
    """Day, month, year (0 where it isn't said), start and end of every date with a day and a month."""
    found = []
    for match in _DATE.finditer(text):
        parts = {key[0]: value for key, value in match.groupdict().items() if value}
        month = int(parts["m"]) if parts["m"].isdigit() else _MONTHS[parts["m"].casefold()]
        found.append((int(parts["d"]), month, int(parts.get("y", 0)), match.start(), match.end()))
    return found


def _date_parts(text: str) -> frozenset[str]:
    """The numbers of a text's dates as they may be written otherwise: a month's, too."""
    return frozenset(str(part) for date in dates_in(text) for part in date[:3])


class ExactGuard:
    """Dates, names and negations of a sentence against the passages that it cites, or against all without a citation."""

    name = "exact"

    def __init__(self, passages: Sequence[str], spoken: Sequence[str], rule: Rule, language: str) -> None:
        self._passages = list(passages)
        self._spoken = " ".join(spoken)
        self._outcome = outcome_of(rule)
        self._has_names = language != "de"  # where every noun has a capital, names can't be told by it

    def judge(self, sentence: str) -> list[Verdict]:
        """A verdict for each kind of disagreement."""
        cited = cited_in(sentence)
        chosen = [self._passages[n - 1] for n in cited if 1 <= n <= len(self._passages)] or self._passages
        if not chosen:
            return []
        bare = blanked_markers(sentence)
        checks = (("DATE", self._date), ("NAME", self._name), ("NEGATION", self._negation))
        spans = [(rule, span) for rule, check in checks if (span := check(bare, chosen)) is not None]
        return [Verdict(self.name, "output", self._outcome, rule, 1.0, *span) for rule, span in spans]

    def _date(self, sentence: str, passages: Sequence[str]) -> tuple[int, int] | None:
        """A date none of whose readings stands in the passages or the question."""
        said = dates_in(sentence)
        if not said:
            return None
        known = [date[:3] for text in (*passages, self._spoken) for date in dates_in(text)]
        for day, month, year, start, end in said:
            if not any((day, month) == (d, m) and (not year or not y or year == y) for d, m, y in known):
                return start, end
        return None

    def _name(self, sentence: str, passages: Sequence[str]) -> tuple[int, int] | None:
        """A name that neither the passages nor the conversation hold."""
        if not self._has_names:
            return None
        known: str | None = None
        for match in _NAME.finditer(sentence):
            if known is None:
                known = " ".join((*passages, self._spoken)).casefold()
            name = match[0].casefold().removesuffix("'s").removesuffix("’s")
            if name not in known and name.rstrip("s") not in known and name not in _MONTHS:
                return match.span()
        return None

    def _negation(self, sentence: str, passages: Sequence[str]) -> tuple[int, int] | None:
        """A sentence that has the words of one of the passages, and its opposite."""
        words = _content(sentence)
        if len(words) < 3:
            return None
        is_negated = len(NEGATION.findall(sentence)) % 2
        best, opposite = 0.0, False
        for text in passages:
            for start, end in _sentences(text):
                other = _content(text[start:end])
                share = len(words & other) / len(words)
                if share > best:
                    best = share
                    opposite = len(NEGATION.findall(text[start:end])) % 2 != is_negated
        return (0, len(sentence)) if best >= _SAME_MATTER and opposite else None


@lru_cache(maxsize=4_000)
def _sentences(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(sentence_spans(text))


@lru_cache(maxsize=20_000)
def _content(text: str) -> frozenset[str]:
    """Words that carry the matter, cut to their stems' length, without negations."""
    words = _TERM.findall(NEGATION.sub(" ", text).casefold())
    return frozenset(_ENDING.sub("", word) for word in words if word not in _EMPTY)
