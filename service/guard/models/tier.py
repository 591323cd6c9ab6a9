"""The model tier: heads on the embedder's vectors, or classifiers that the scope names. Loaded once, used by all guards."""

import hashlib
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from ingestion.cache import LruCache
from ingestion.detect.decodings import decodings_of
from ingestion.detect.heads import load_head
from ingestion.detect.injection import InjectionModel, likeliest_part, load_heads
from ingestion.embed import Embedder
from ingestion.embed.cached import CachedEmbedder, uncased
from service.guard.models.attribution import ATTRIBUTION_DIR, Attributor
from service.guard.models.classifier import SequenceClassifier
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.toxicity import TOXICITY_DIR, may_attack, toxicity_rows
from service.scope.policy import GuardPolicy

_KNOWN = 4_000
_VECTORS = 200


class Scores(Protocol):
    """A judge of one text."""

    def __call__(self, text: str) -> float:
        """A probability that a text is what a guard looks for."""
        ...


class Supports(Protocol):
    """A judge of a claim."""

    def __call__(self, claim: str, passages: Sequence[str]) -> float:
        """A probability that the passages support the claim."""
        ...


class Models:
    """The built-in heads over the built-in embedder, and classifiers by name."""

    def __init__(self, embedder: Embedder, cross_encoder: CrossEncoder | None = None) -> None:
        """Raises `EmbedderError` for a head that is damaged or was trained on another embedder."""
        weights = embedder.weights_digest
        self._embedder = embedder
        # Several judges read the same question in a row; it is embedded once.
        self._vectors = CachedEmbedder(embedder, _VECTORS, key=uncased)
        self._injection = InjectionModel(self._vectors, load_heads(weights))
        self._toxicity = load_head(TOXICITY_DIR, weights)
        self._attributor = Attributor(embedder, load_head(ATTRIBUTION_DIR, weights), cross_encoder)
        self._classifiers: dict[str, SequenceClassifier] = {}
        self._lock = Lock()

    def warm(self) -> None:
        """Load and run everything once, so that the first question does not wait for it."""
        self._embedder.warm()
        self.injection()("How do I return something? It is broken.")
        self.toxicity()("How do I return something?")

    def preload(self, policy: GuardPolicy) -> None:
        """Load the classifiers that a policy names. Raises `EmbedderError`."""
        for zone in (policy.input, policy.output):
            for rule in zone.values():
                if rule.is_on and rule.model:
                    self._classifier(rule.model)

    def injection(self, model: str | None = None) -> Scores:
        """The probability that a prompt is an attack: the highest of its parts."""
        if model:
            return remembered(
                lambda text: max(
                    self._classifier(model).scores([likeliest_part(v.text) for v in decodings_of(text)])
                )
            )

        def judge(text: str) -> float:
            found = self._injection.judge_prompt(text)
            return found.score if found else 0.0

        return remembered(judge)

    def toxicity(self, model: str | None = None) -> Scores:
        """The probability that a text attacks a group of people."""
        if model:
            return remembered(lambda text: self._classifier(model).scores([likeliest_part(text)])[0])
        return remembered(self._toxicity_of)

    def _toxicity_of(self, text: str) -> float:
        if not may_attack(text):
            return 0.0
        return float(self._toxicity.scores(toxicity_rows([text], self._vectors))[0])

    def support(self, model: str | None = None) -> Supports:
        """The probability that passages support a claim."""
        if model:
            return lambda claim, passages: self._classifier(model).support([claim], "\n".join(passages))[0]
        return self._support

    def _support(self, claim: str, passages: Sequence[str]) -> float:
        folded = " ".join(claim.casefold().split()).rstrip(".!?… ")
        # A literal quotation is supported; no model is needed.
        if folded and any(folded in " ".join(passage.casefold().split()) for passage in passages):
            return 1.0
        return self._attributor.score(claim, passages)

    def _classifier(self, name: str) -> SequenceClassifier:
        with self._lock:
            if name not in self._classifiers:
                self._classifiers[name] = SequenceClassifier(name)
            return self._classifiers[name]


def remembered(judge: Callable[[str], float]) -> Scores:
    """The judge with a cache of its scores: a conversation is sent again with every question."""
    known: LruCache[bytes, float] = LruCache(_KNOWN)

    def score(text: str) -> float:
        # The cache holds digests, not what people wrote.
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return known.get(key, lambda _: judge(text))

    return score
