"""Presidio's analyzer with pattern recognisers alone: no language model, the same in every language."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from presidio_analyzer import (
    AnalyzerEngine,
    EntityRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from presidio_analyzer.predefined_recognizers import (
    AuMedicareRecognizer,
    AuTfnRecognizer,
    CryptoRecognizer,
    DeTaxIdRecognizer,
    EsNieRecognizer,
    EsNifRecognizer,
    FiPersonalIdentityCodeRecognizer,
    InAadhaarRecognizer,
    InPanRecognizer,
    IpRecognizer,
    ItFiscalCodeRecognizer,
    NhsRecognizer,
    PhoneRecognizer,
    PlPeselRecognizer,
    SePersonnummerRecognizer,
    SgFinRecognizer,
    UkNinoRecognizer,
    UsItinRecognizer,
    UsLicenseRecognizer,
    UsPassportRecognizer,
    UsSsnRecognizer,
)

from ingestion.scrub.forms import cards_in, ibans_in

# The name under which recognisers are filed; patterns hold in every language.
LANGUAGE = "en"
_MAC = r"\b(?!(?:00[:-]){5}00|(?:FF[:-]){5}FF)[0-9A-F]{2}([:-])(?:[0-9A-F]{2}\1){4}[0-9A-F]{2}(?:\1[0-9A-F]{2}\1[0-9A-F]{2})?\b"
# Three groups of four digits without any letter are a part's number or a version sooner than an address.
_MAC_OF_CISCO = r"\b(?=[\d.]{0,13}[A-F])(?!FFFF\.FFFF\.FFFF)[0-9A-F]{4}(?:\.[0-9A-F]{4}){2}\b"


class NoLanguageModel(NlpEngine):  # type: ignore[misc]  # presidio ships no types
    """An NLP engine that does nothing: Presidio requires one, and pattern recognisers use none."""

    def load(self) -> None:
        """Nothing to load."""

    def is_loaded(self) -> bool:
        """Always ready."""
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Artefacts without tokens."""
        return NlpArtifacts([], [], [], [], self, language)

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **_: Any
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Artefacts without tokens for each text."""
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        """No word is known."""
        return False

    def is_punct(self, word: str, language: str) -> bool:
        """No word is known."""
        return False

    def get_supported_entities(self) -> list[str]:
        """None: entities come from the recognisers."""
        return []

    def get_supported_languages(self) -> list[str]:
        """The one language under which the recognisers are filed."""
        return [LANGUAGE]


class _Found(EntityRecognizer):  # type: ignore[misc]
    """A recogniser of our own: what a function finds, whose check digits or form leave no doubt."""

    def __init__(self, entity: str, find: Callable[[str], Iterator[tuple[int, int]]]) -> None:
        self._find = find
        super().__init__(supported_entities=[entity], supported_language=LANGUAGE, name=f"{entity} by form")

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: Sequence[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """What is found, each with the highest score."""
        entity = self.supported_entities[0]
        return [RecognizerResult(entity, start, end, 1.0) for start, end in self._find(text)]


def _patterns(entity: str, *regexes: str, score: float = 0.6) -> PatternRecognizer:
    return PatternRecognizer(entity, patterns=[Pattern(entity.lower(), regex, score) for regex in regexes])


class _Checked(PatternRecognizer):  # type: ignore[misc]
    """A pattern whose digits must satisfy a rule."""

    def __init__(self, entity: str, regex: str, rule: Callable[[str], bool]) -> None:
        super().__init__(entity, patterns=[Pattern(entity.lower(), regex, 0.5)])
        self._rule = rule

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether the rule holds."""
        return self._rule("".join(c for c in pattern_text if c.isdigit()))


def is_bsn(digits: str) -> bool:
    """The Dutch eleven test."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(digits) == 9 and sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % 11 == 0


def is_nir(digits: str) -> bool:
    """The French social security number: 97 less the first thirteen digits modulo 97."""
    return len(digits) == 15 and 97 - int(digits[:13]) % 97 == int(digits[13:])


def is_belgian(digits: str) -> bool:
    """The Belgian national number: modulo 97, with a 2 in front for those born from 2000 on."""
    if len(digits) != 11:
        return False
    body, check = digits[:9], int(digits[9:])
    return check in (97 - int(body) % 97, 97 - int("2" + body) % 97)


# The last letter by the remainder, for those born before 2000 and after, and for foreigners.
_NRIC_LETTERS = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}
_NRIC_ADDED = {"T": 4, "G": 4, "M": 3}


def is_nric(value: str) -> bool:
    """The check letter of Singapore's identity numbers."""
    value = value.upper()
    weighed = sum(w * int(d) for w, d in zip((2, 7, 6, 5, 4, 3, 2), value[1:8], strict=True))
    rest = (weighed + _NRIC_ADDED.get(value[0], 0)) % 11
    if value[0] == "M":
        return value[8] == "KLJNPQRTUWX"[10 - rest]
    return value[0] in _NRIC_LETTERS and value[8] == _NRIC_LETTERS[value[0]][rest]


class _Singapore(SgFinRecognizer):  # type: ignore[misc]
    """Presidio's pattern, whose check letter must be right: a letter and seven digits are many part numbers."""

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether the check letter is right."""
        return is_nric(pattern_text)


def _recognisers(regions: Sequence[str]) -> dict[str, EntityRecognizer]:
    return {
        "PHONE_NUMBER": PhoneRecognizer(supported_regions=list(regions)),
        "CREDIT_CARD": _Found("CREDIT_CARD", cards_in),
        "IBAN_CODE": _Found("IBAN_CODE", ibans_in),
        "IP_ADDRESS": IpRecognizer(),
        "MAC_ADDRESS": _patterns("MAC_ADDRESS", _MAC, _MAC_OF_CISCO),
        "CRYPTO": CryptoRecognizer(),
        "US_SSN": UsSsnRecognizer(),
        "US_ITIN": UsItinRecognizer(),
        "US_PASSPORT": UsPassportRecognizer(),
        "US_DRIVER_LICENSE": UsLicenseRecognizer(),
        "UK_NHS": NhsRecognizer(),
        "UK_NINO": UkNinoRecognizer(),
        "DE_TAX_ID": DeTaxIdRecognizer(supported_language=LANGUAGE),
        "ES_NIF": EsNifRecognizer(supported_language=LANGUAGE),
        "ES_NIE": EsNieRecognizer(supported_language=LANGUAGE),
        "IT_FISCAL_CODE": ItFiscalCodeRecognizer(supported_language=LANGUAGE),
        "PL_PESEL": PlPeselRecognizer(supported_language=LANGUAGE),
        "FI_PERSONAL_IDENTITY_CODE": FiPersonalIdentityCodeRecognizer(supported_language=LANGUAGE),
        "SE_PERSONNUMMER": SePersonnummerRecognizer(supported_language=LANGUAGE),
        "NL_BSN": _Checked("NL_BSN", r"\b\d{9}\b|\b\d{4}\.\d{2}\.\d{3}\b", is_bsn),
        "FR_NIR": _Checked(
            "FR_NIR", r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}\b", is_nir
        ),
        "BE_NATIONAL_NUMBER": _Checked(
            "BE_NATIONAL_NUMBER", r"\b\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}\b", is_belgian
        ),
        "IN_AADHAAR": InAadhaarRecognizer(),
        "IN_PAN": InPanRecognizer(),
        "AU_TFN": AuTfnRecognizer(),
        "AU_MEDICARE": AuMedicareRecognizer(),
        "SG_NRIC_FIN": _Singapore(),
    }


def build_analyzer(entities: Sequence[str], regions: Sequence[str]) -> AnalyzerEngine:
    """An analyzer for those of the entities that have a pattern."""
    known = _recognisers(regions)
    registry = RecognizerRegistry(
        recognizers=[known[name] for name in entities if name in known], supported_languages=[LANGUAGE]
    )
    return AnalyzerEngine(registry=registry, nlp_engine=NoLanguageModel(), supported_languages=[LANGUAGE])
