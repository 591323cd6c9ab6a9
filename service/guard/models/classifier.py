"""A Hugging Face classifier in place of a head, by folder or hub name (extra `models`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ingestion.errors import EmbedderError

# Names that classifiers give to the class that a guard looks for, and to its absence.
_BAD = (
    "contradict",
    "inject",
    "jailbreak",
    "malicious",
    "unsafe",
    "toxic",
    "hate",
    "attack",
    "offensive",
    "harm",
    "unsupported",
    "inconsistent",
)
_GOOD = ("entail", "supported", "consistent", "grounded", "attributable")
_BATCH = 16


class SequenceClassifier:
    """Scores texts or pairs of texts with a sequence classifier. Long texts are read in overlapping windows."""

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as exc:
            raise EmbedderError(
                f"The classifier {name!r} needs the extra `models`: pip install torch==2.13.0 sentence-transformers."
            ) from exc
        try:
            loaded = CrossEncoder(name)
            self._tokenizer: Any = loaded.tokenizer
            self._model: Any = loaded.model.eval()
        except (OSError, ValueError) as exc:
            raise EmbedderError(f"The classifier {name!r} cannot be loaded: {exc}") from exc
        labels = {int(number): str(label) for number, label in self._model.config.id2label.items()}
        self._bad = _find(labels, _BAD)
        self._good = _find(labels, _GOOD)
        if self._bad is None and self._good is None:
            if len(labels) > 2:
                raise EmbedderError(
                    f"The classifier {name!r} has labels {labels}, none of which a guard knows."
                )
            self._bad = len(labels) - 1
        most = int(getattr(self._model.config, "max_position_embeddings", 512))
        self._tokens = min(most, 512)

    def scores(self, texts: Sequence[str]) -> list[float]:
        """For each text the probability of the class that a guard looks for: the highest of its windows."""
        return [max(self._windows(text)) for text in texts]

    def support(self, claims: Sequence[str], evidence: str) -> list[float]:
        """For each claim the probability that the evidence entails it."""
        found: list[float] = []
        for begin in range(0, len(claims), _BATCH):
            some = list(claims[begin : begin + _BATCH])
            # The claim comes last, as in natural language inference; only the evidence is truncated.
            inputs = self._tokenizer(
                [evidence] * len(some),
                some,
                truncation="only_first",
                max_length=self._tokens,
                padding=True,
                return_tensors="pt",
            )
            found += self._probabilities(inputs, is_support=True)
        return found

    def _windows(self, text: str) -> list[float]:
        inputs = self._tokenizer(
            [text], truncation=True, max_length=self._tokens, stride=min(64, self._tokens // 4), return_overflowing_tokens=True,
            padding=True, return_tensors="pt",
        )  # fmt: skip
        inputs.pop("overflow_to_sample_mapping", None)
        return self._probabilities(inputs, is_support=False)

    def _probabilities(self, inputs: Any, *, is_support: bool) -> list[float]:
        logits = self._model(**inputs).logits.detach().numpy().astype(float)
        if logits.shape[-1] == 1:
            one: list[float] = (1 / (1 + np.exp(-logits[:, 0]))).tolist()
            return one
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = raised / raised.sum(axis=1, keepdims=True)
        wanted, other = (self._good, self._bad) if is_support else (self._bad, self._good)
        values = shares[:, wanted] if wanted is not None else 1 - shares[:, other]
        found: list[float] = values.tolist()
        return found


def _find(labels: dict[int, str], words: Sequence[str]) -> int | None:
    """The label that contains one of the words and does not negate it: `INJECTION`, but neither `not_hate` nor `SAFE`."""
    for number, label in labels.items():
        folded = label.lower().replace("-", "_")
        # `unsupported` contains `supported` and is its opposite.
        opposite = words is _GOOD and folded.startswith(("un", "in", "dis"))
        is_denied = opposite or any(
            folded.startswith(denial) for denial in ("not_", "no_", "non_", "not ", "non")
        )
        if not is_denied and any(word in folded for word in words):
            return number
    return None
