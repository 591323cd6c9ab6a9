"""Find personal data in texts and put masks or pseudonyms in its place. Never keeps or logs a value."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING

from ingestion.characters import whole
from ingestion.config import Action, PiiPolicy
from ingestion.scrub.finders import DOMAINS, FINDERS, Finder, needs_met
from ingestion.scrub.findings import Finding, apart, as_written, merged, without_findings
from ingestion.scrub.lookalikes import follows_business_word, is_no_ip_address, is_no_mac_address
from ingestion.scrub.marks import SEVEN_DIGITS, may_hold_identifiers, may_hold_telephone, windows
from ingestion.scrub.names import NameFinder, NameSpan, load_names
from ingestion.scrub.pseudonyms import Pseudonyms
from ingestion.scrub.secrets import PRIVATE_KEY
from ingestion.scrub.telephones import is_telephone
from ingestion.scrub.views import View, alike, plain

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, RecognizerResult

LANGUAGE = "en"
# Bare numbers get low scores from Presidio; at .4 and above it has seen a format or a checksum.
_MIN_SCORE = 0.4
_MIN_SCORE_IN_CONTEXT = 0.05
# A pattern may swallow the beginning of the next identifier, and a name may be seen only when its
# neighbour is gone, so what is left is searched again.
_PASSES = 4
_CONTEXT_CHARS = 60
_RANK = {"IBAN_CODE": 2, "CREDIT_CARD": 2, "US_SSN": 1}
# What functions of our own find alone, and telephone numbers, which Presidio seeks last.
_WITHOUT_PRESIDIO = frozenset(
    "URL_CREDENTIALS SECRET_KEY EMAIL_ADDRESS DOMAIN_NAME TAX_ID PASSPORT LICENSE_PLATE DATE_OF_BIRTH PASSWORD USERNAME"
    " PHONE_NUMBER".split()
)
# Two or three blanks and hyphens between digits, which one of them stands for.
_WIDE_GAP = re.compile(r"(?<=\d)(?:\s{2,3}|\s?-\s|\s-)(?=\d)|(?<=\d)\n(?=\d)")
# Numbers without a distinct form count as personal only beside a word that says so: one random number in ten
# passes a checksum, and order numbers are many.
_CONTEXT = {
    "UK_NHS": "nhs|health service|patient",
    "NL_BSN": "bsn|burgerservice|sofi|citizen service",
    "US_ITIN": "itin|taxpayer|tax id",
    "US_PASSPORT": "passport",
    "US_DRIVER_LICENSE": "licen[cs]e|driver|permit|dmv",
    "DE_TAX_ID": "steuer|tax|idnr|identifikationsnummer",
    "PL_PESEL": "pesel",
    "SE_PERSONNUMMER": "personnummer|personal (?:identity )?number|ssn",
    "IN_AADHAAR": "aadha+r|uidai",
    "IN_PAN": r"\bpan\b|permanent account|income tax",
    "AU_TFN": r"\btfn\b|tax file",
    "AU_MEDICARE": "medicare",
    "BE_NATIONAL_NUMBER": "national|rijksregister|registre|niss|insz",
    "FR_NIR": "nir|s[ée]cu|social|vitale",
}
_CONTEXT_WORDS = {entity: re.compile(words, re.IGNORECASE) for entity, words in _CONTEXT.items()}
_OTHERS: dict[str, Callable[[str, int, int], bool]] = {
    "IP_ADDRESS": is_no_ip_address,
    "MAC_ADDRESS": is_no_mac_address,
    "PHONE_NUMBER": lambda text, start, end: not is_telephone(text, start, end),
}
_NUMERIC = frozenset(
    {"CREDIT_CARD", "PHONE_NUMBER", "NL_BSN", "US_SSN", "AU_TFN", "FR_NIR", "IN_AADHAAR", "UK_NHS"}
)
# What stands in a text's place of personal data: `<EMAIL_ADDRESS>`, `<PERSON_17>`.
MASK = re.compile(r"<([A-Z][A-Z_]*[A-Z])((?:_\d+)*)>")
_NAME_MASK = re.compile(r"<(?:PERSON|STREET_ADDRESS|LOCATION|ORGANIZATION)(?:_\d+)*>")
# A text with masks is unlike those the model was trained on, so further names in it need a higher score.
_MIN_SCORE_AGAIN = 0.95
# The name model's words for what a policy calls otherwise.
_MODEL_ENTITY = {"GPE": "LOCATION"}
_NAMED = frozenset(
    "PERSON STREET_ADDRESS LOCATION ORGANIZATION NRP DATE_TIME TITLE AGE ZIP_CODE PHONE_NUMBER".split()
)

_PEOPLE = frozenset({"PERSON", "STREET_ADDRESS", "PHONE_NUMBER"})


@dataclass(frozen=True, slots=True)
class ScrubbedText:
    """A text with masks such as `<EMAIL_ADDRESS>`, and how many of each type were found.

    `blocked` are the types for which the policy keeps the whole document out; `originals` maps
    pseudonyms to values for the vault, and is empty unless it was asked for.
    """

    text: str
    counts: Mapping[str, int]
    blocked: frozenset[str] = frozenset()
    originals: Mapping[str, str] = field(default_factory=dict)


class Scrubber:
    """Applies a policy. Safe to use from several threads; what is slow to load is loaded at first use."""

    def __init__(
        self, policy: PiiPolicy, *, pseudonyms: Pseudonyms | None = None, with_names: bool = True
    ) -> None:
        self._policy = policy
        self._entities = tuple(policy.entities)
        self._patterns = tuple(e for e in self._entities if e not in _NAMED or e == "PHONE_NUMBER")
        self._short = tuple(e for e in self._patterns if e not in _WITHOUT_PRESIDIO)
        self._named = frozenset(e for e in self._entities if e in _NAMED) if with_names else frozenset()
        self._allow = tuple(pattern.lower() for pattern in policy.allow)
        self._pseudonyms = pseudonyms or Pseudonyms(b"")
        self._built: AnalyzerEngine | None = None
        self._names: NameFinder | None = None
        self._lock = Lock()

    @property
    def _analyzer(self) -> "AnalyzerEngine":
        with self._lock:
            if self._built is None:
                # Presidio takes two seconds to import; texts without a mark never need it.
                from ingestion.scrub.recognisers import build_analyzer

                self._built = build_analyzer([*self._short, "PHONE_NUMBER"], self._policy.regions)
            return self._built

    def _name_finder(self) -> NameFinder | None:
        with self._lock:
            if self._names is None and self._policy.names != "none" and self._named - {"PHONE_NUMBER"}:
                self._names = load_names(self._policy.names)
            return self._names

    def warm(self) -> None:
        """Load everything now. Raises `ScopeError` for a name model that is not there."""
        # Names first: nearly every question needs them, and Presidio takes longer to load.
        finder = self._name_finder()
        if finder is not None:
            finder.find_people(["Warm Person"])
        self._analyzer.analyze("warm 0", language=LANGUAGE)

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, without overlaps: the higher rank, then the longer wins."""
        return self.find_all([text])[0]

    def find_all(self, texts: Sequence[str], *, with_names: bool = True) -> list[list[Finding]]:
        """Findings in each of several texts, which costs less than one after the other."""
        views = [plain(whole(text)) for text in texts]
        found = self._find_plain([view.text for view in views], with_names)
        return [as_written(one, view) for one, view in zip(found, views, strict=True)]

    def _find_plain(self, texts: Sequence[str], with_names: bool) -> list[list[Finding]]:
        found = [self._find_patterns(text) for text in texts]
        finder = self._name_finder() if with_names else None
        waiting = list(range(len(texts))) if finder is not None else []
        for _ in range(_PASSES):
            if not waiting or finder is None:
                break
            blanked = [without_findings(MASK.sub(_blank, texts[i]), found[i], " ") for i in waiting]
            again = []
            named = finder.find_people(blanked) if self._named <= _PEOPLE else finder.find(blanked)
            for i, text, names in zip(waiting, blanked, named, strict=True):
                is_again = any(f.entity in _NAMED for f in found[i]) or _NAME_MASK.search(texts[i])
                least = _MIN_SCORE_AGAIN if is_again else self._policy.min_name_score
                taken = [
                    f for f in map(self._finding, names) if f and f.score >= least and self._is_free(f, text)
                ]
                if taken:
                    found[i] = found[i] + taken
                    again.append(i)
            waiting = again
        return [sorted(one, key=lambda finding: finding.start) for one in found]

    def _finding(self, named: NameSpan) -> Finding | None:
        label: str = _MODEL_ENTITY.get(named.label, named.label)
        score: float = named.score
        if label not in self._named:
            return None
        return Finding(label, named.start, named.end, score)

    def _is_free(self, finding: Finding, text: str) -> bool:
        value = text[finding.start : finding.end]
        if finding.entity == "PHONE_NUMBER":
            is_long = sum(c.isdigit() for c in value) >= 6
            is_long = is_long and is_telephone(text, finding.start, finding.end)
            return is_long and not follows_business_word(text, finding.start) and not self._is_allowed(value)
        if finding.entity in ("PERSON", "LOCATION", "ORGANIZATION", "NRP") and not any(
            c.isalpha() for c in value
        ):
            return False
        return not self._is_allowed(value)

    def _find_patterns(self, text: str) -> list[Finding]:
        """Findings of patterns. A text is read only around what may be one: reading all takes twenty times as long."""
        text = alike(text)
        found = self._find_private_keys(text)
        needs = needs_met(text)
        rest = without_findings(text, found, "\n")
        for finder in FINDERS:
            if finder.need in needs and finder.entity in self._patterns:
                more = self._find_by_form(finder, rest)
                found += more
                rest = without_findings(rest, more, "\n")
        if "sign" in needs:
            seen: list[Finding] = []
            for window in windows(rest):
                part = self._find_within(rest[window.start : window.end])
                placed = (replace(f, start=f.start + window.start, end=f.end + window.start) for f in part)
                seen += [f for f in placed if window.first <= f.start < window.last]
            # A run of numbers may be parted in one way by a window and in another way by the next.
            found += merged(seen)
        return found + self._find_by_form(DOMAINS, without_findings(text, found, "\n"))

    def _find_private_keys(self, text: str) -> list[Finding]:
        """Private keys as a whole: nothing else is sought in their lines."""
        if "PRIVATE KEY" not in text:
            return []
        blocks = Finder("SECRET_KEY", lambda t: (m.span() for m in PRIVATE_KEY.finditer(t)), 1.0)
        return self._find_by_form(blocks, text)

    def _find_by_form(self, finder: Finder, text: str) -> list[Finding]:
        """What a function finds, and what it finds in the rest when that is gone."""
        found: list[Finding] = []
        for _ in range(_PASSES if finder.entity in self._patterns else 0):
            more = [Finding(finder.entity, start, end, finder.score) for start, end in finder.find(text)]
            more = [one for one in apart(more) if not self._is_allowed(text[one.start : one.end])]
            if not more:
                break
            found += more
            text = without_findings(text, more, "\n")
        return found

    def _find_within(self, text: str) -> list[Finding]:
        """Telephone numbers are sought last, in what is left: they cost the most to find, and much looks like one."""
        taken: list[Finding] = []
        if may_hold_identifiers(text):
            self._find_again(text, self._short, taken)
        if "PHONE_NUMBER" in self._patterns and may_hold_telephone(without_findings(text, taken, "\n")):
            self._find_again(text, ["PHONE_NUMBER"], taken)
        return taken

    def _find_again(self, text: str, entities: Sequence[str], taken: list[Finding]) -> None:
        """Adds what is found to `taken`, and looks at the rest until nothing more is."""
        for _ in range(_PASSES):
            rest = without_findings(text, taken, "\n")
            found = self._pass(View(rest), entities)
            numbers = [e for e in entities if e in _CONTEXT or e == "US_SSN"]
            if numbers and _WIDE_GAP.search(rest):
                found = apart([*found, *self._pass(_narrow(rest), numbers)])
            taken += found
            if not found:
                break

    def _pass(self, view: View, entities: Sequence[str]) -> list[Finding]:
        """Findings of one look, in offsets of the text that was written."""
        if not entities:
            return []
        results = self._analyzer.analyze(
            view.text, language=LANGUAGE, entities=list(entities), score_threshold=_MIN_SCORE_IN_CONTEXT
        )
        taken: list[Finding] = []
        for result in sorted(results, key=_priority):
            if self._is_exempt(view.text, result):
                continue
            if all(result.end <= f.start or result.start >= f.end for f in taken):
                taken.append(Finding(result.entity_type, result.start, result.end, float(result.score)))
        spans = [view.span(f.start, f.end) for f in taken]
        return [replace(f, start=start, end=end) for f, (start, end) in zip(taken, spans, strict=True)]

    def scrub(self, text: str) -> ScrubbedText:
        """Apply the policy to what `find` finds. Scrubbing a scrubbed text changes nothing."""
        return self.scrub_all([text])[0]

    def scrub_all(
        self, texts: Sequence[str], *, keep_originals: bool = False, with_names: bool = True
    ) -> list[ScrubbedText]:
        """The same for several texts."""
        found = self.find_all(texts, with_names=with_names)
        return [self._apply(text, one, keep_originals) for text, one in zip(texts, found, strict=True)]

    def _apply(self, text: str, findings: Sequence[Finding], keep_originals: bool) -> ScrubbedText:
        parts: list[str] = []
        originals: dict[str, str] = {}
        position = 0
        for finding in findings:
            value = text[finding.start : finding.end]
            stand_in = self.stand_in(finding.entity, value)
            if stand_in is None:
                continue
            if keep_originals and MASK.fullmatch(stand_in) and stand_in[-2].isdigit():
                originals[stand_in] = value
            parts += [text[position : finding.start], stand_in]
            position = finding.end
        parts.append(text[position:])
        counts = Counter(finding.entity for finding in findings)
        blocked = frozenset(e for e in counts if self._policy.action_of(e) == "block")
        return ScrubbedText("".join(parts), counts, blocked, originals)

    def stand_in(self, entity: str, value: str) -> str | None:
        """What replaces a value of a type; None when it stays."""
        action: Action = self._policy.action_of(entity)
        if action == "keep":
            return None
        return self._pseudonyms.of(entity, value) if action == "pseudonymise" else f"<{entity}>"

    def hints(self, text: str) -> str:
        """The pseudonyms' numbers that the words of a question would have as names: terms for a lexical search.

        The name model may find a name in a document and miss it in a question about it, or the reverse.
        """
        named = [e for e in sorted(self._named) if self._policy.action_of(e) == "pseudonymise"]
        return " ".join(self._pseudonyms.numbers(entity, text) for entity in named)

    def _is_exempt(self, text: str, result: "RecognizerResult") -> bool:
        value = text[result.start : result.end]
        if result.entity_type in _NUMERIC and follows_business_word(text, result.start):
            return True
        is_other = _OTHERS.get(result.entity_type)
        if is_other is not None and is_other(text, result.start, result.end):
            return True
        words = _CONTEXT_WORDS.get(result.entity_type)
        if words is not None:
            around = text[max(0, result.start - _CONTEXT_CHARS) : result.end + _CONTEXT_CHARS]
            if not words.search(around):
                return True
        elif result.score < _MIN_SCORE:
            return True
        if result.entity_type == "PHONE_NUMBER" and not SEVEN_DIGITS.search(value):
            return True  # short codes are nobody's
        return self._is_allowed(value)

    def _is_allowed(self, value: str) -> bool:
        return any(fnmatchcase(value.lower(), pattern) for pattern in self._allow)


def _narrow(text: str) -> View:
    """The text with one blank or hyphen between digits that more part."""
    parts: list[str] = []
    origin: list[int] = []
    position = 0
    for gap in _WIDE_GAP.finditer(text):
        parts += [text[position : gap.start()], "-" if "-" in gap[0] else " "]
        origin += range(position, gap.start() + 1)
        position = gap.end()
    return View("".join([*parts, text[position:]]), [*origin, *range(position, len(text))])


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _priority(result: "RecognizerResult") -> tuple[int, int, int]:
    # A number whose type is named beside it has that type, whatever other form it fits.
    rank = 4 if result.entity_type in _CONTEXT else _RANK.get(result.entity_type, 0)
    return -rank, result.start - result.end, result.start
