"""Presidio's analyzer with pattern recognisers alone: no language model, the same in every language."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from presidio_analyzer import (
    AnalyzerEngine,
    EntityRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
)
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    IbanRecognizer,
    IpRecognizer,
    PhoneRecognizer,
    UsSsnRecognizer,
)

from ingestion.errors import ScopeError
from ingestion.scrub.scrubber import LANGUAGE


class NoLanguageModel(NlpEngine):  # type: ignore[misc]  # presidio ships no types
    """Presidio asks for an NLP engine; pattern recognisers need nothing from it."""

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


class AnyDomainEmailRecognizer(EmailRecognizer):  # type: ignore[misc]
    """E-mail addresses at any domain.

    Presidio drops addresses whose domain has no public suffix, which it looks up on the internet.
    An internal domain is no less personal, and scrubbing must not depend on a network.
    """

    def validate_result(self, pattern_text: str) -> bool | None:
        """No opinion: the pattern's own score stands."""
        return None


def _url_credentials() -> PatternRecognizer:
    # user:password@ in any URL (RFC 3986, 3.2.1)
    pattern = Pattern("url-credentials", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]+:[^\s/@]+@[^\s]+", 0.95)
    return PatternRecognizer("URL_CREDENTIALS", patterns=[pattern])


def _recognisers(regions: Sequence[str]) -> dict[str, EntityRecognizer]:
    return {
        "EMAIL_ADDRESS": AnyDomainEmailRecognizer(),
        "PHONE_NUMBER": PhoneRecognizer(supported_regions=list(regions)),
        "CREDIT_CARD": CreditCardRecognizer(),
        "IBAN_CODE": IbanRecognizer(),
        "IP_ADDRESS": IpRecognizer(),
        "US_SSN": UsSsnRecognizer(),
        "URL_CREDENTIALS": _url_credentials(),
    }


def build_analyzer(entities: Sequence[str], regions: Sequence[str]) -> AnalyzerEngine:
    """An analyzer for these entities. Raises `ScopeError` for a type without a recogniser."""
    known = _recognisers(regions)
    unknown = sorted(set(entities) - set(known))
    if unknown:
        raise ScopeError(f"No recogniser for {unknown}. Known are {sorted(known)}.")
    registry = RecognizerRegistry(
        recognizers=[known[name] for name in entities], supported_languages=[LANGUAGE]
    )
    return AnalyzerEngine(registry=registry, nlp_engine=NoLanguageModel(), supported_languages=[LANGUAGE])
