"""Find personal data in a text and mask it. Deterministic; never keeps or logs a value."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, RecognizerResult

# The name under which recognisers are filed; patterns hold in every language.
LANGUAGE = "en"
# Every recogniser in use needs an @ (e-mail, URL with credentials), an address with dots or colons (IP),
# or seven digits with little between them (the shortest phone numbers). Other texts pass unread.
_ADDRESS = re.compile(r"@|::|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:|\d\.\d{1,3}\.\d{1,3}\.\d")
_DIGITS = re.compile(r"\d(?:[\s().+/\u2010-\u2015-]{0,4}\d){6}")
# Bare numbers get low scores from Presidio; at .4 and above it has seen a format or a checksum.
_MIN_SCORE = 0.4
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
# A pattern may swallow the beginning of the next identifier, so what is left is searched again.
_PASSES = 4
# `deploy@host.example` inside `https://user:secret@host.example` is one finding, not two.
_RANK = {"URL_CREDENTIALS": 2, "IBAN_CODE": 1, "CREDIT_CARD": 1, "US_SSN": 1}


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data at `start:end` (characters), its Presidio type and score between 0 and 1."""

    entity: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A text with masks such as `<EMAIL_ADDRESS>`, and how many of each type were masked."""

    text: str
    counts: Mapping[str, int]


class Scrubber:
    """Masks the entity types of a policy; values that match a pattern of `allow` stay."""

    def __init__(
        self,
        entities: Sequence[str],
        *,
        allow: Sequence[str] = (),
        regions: Sequence[str] = ("US",),
    ) -> None:
        self._entities = tuple(entities)
        self._regions = tuple(regions)
        self._allow = tuple(pattern.lower() for pattern in allow)
        self._built: AnalyzerEngine | None = None
        self._lock = Lock()

    @property
    def _analyzer(self) -> "AnalyzerEngine":
        with self._lock:
            if self._built is None:
                # Presidio takes two seconds to import, which most runs and all texts without digits spare.
                from ingestion.scrub.recognisers import build_analyzer

                self._built = build_analyzer(self._entities, self._regions)
            return self._built

    def warm(self) -> None:
        """Build the recognisers now. Raises `ScopeError` for a type without one."""
        self._analyzer.analyze("warm 0", language=LANGUAGE)

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, without overlaps: the higher rank, then the longer wins."""
        if not self._entities or not may_hold_personal_data(text):
            return []
        taken: list[Finding] = []
        for _ in range(_PASSES):
            found = self._pass(_without(text, taken))
            taken += found
            if not found:
                break
        return sorted(taken, key=lambda finding: finding.start)

    def _pass(self, text: str) -> list[Finding]:
        results = self._analyzer.analyze(text, language=LANGUAGE, score_threshold=_MIN_SCORE)
        taken: list[Finding] = []
        for result in sorted(results, key=_priority):
            if self._is_exempt(text[result.start : result.end], result):
                continue
            if all(result.end <= f.start or result.start >= f.end for f in taken):
                taken.append(Finding(result.entity_type, result.start, result.end, float(result.score)))
        return taken

    def scrub(self, text: str) -> Scrubbed:
        """Mask what `find` finds. Scrubbing a scrubbed text changes nothing."""
        parts: list[str] = []
        position = 0
        findings = self.find(text)
        for finding in findings:
            parts += [text[position : finding.start], f"<{finding.entity}>"]
            position = finding.end
        parts.append(text[position:])
        return Scrubbed("".join(parts), Counter(finding.entity for finding in findings))

    def _is_exempt(self, value: str, result: "RecognizerResult") -> bool:
        if result.entity_type == "PHONE_NUMBER" and (_DATE.match(value) or not _DIGITS.search(value)):
            return True  # dates look like phone numbers, and short codes are nobody's
        return any(fnmatchcase(value.lower(), pattern) for pattern in self._allow)


def _without(text: str, findings: Sequence[Finding]) -> str:
    """The text with line breaks where the findings were: same offsets, nothing to find there."""
    for finding in findings:
        text = text[: finding.start] + "\n" * (finding.end - finding.start) + text[finding.end :]
    return text


def may_hold_personal_data(text: str) -> bool:
    """A cheap necessary condition for any finding."""
    return bool(_ADDRESS.search(text) or _DIGITS.search(text))


def _priority(result: "RecognizerResult") -> tuple[int, int, int]:
    return -_RANK.get(result.entity_type, 0), result.start - result.end, result.start
