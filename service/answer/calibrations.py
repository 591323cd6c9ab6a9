"""Weights that were fitted to an embedder's scores: of sentences, and of the guess whether passages answer.

Each calibration is an artefact in `calibration/` that names the embedder it was fitted for; `touchstone evals calibrate`
writes it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ingestion.artifact import Artifact, open_artifact, written_artifact
from ingestion.cache import LruCache
from ingestion.embed import Embedder
from ingestion.embed.anchors import ANCHORS, scale_of
from ingestion.errors import EmbedderError, ScopeError
from service.scope import Scope

CALIBRATION_DIR = Path(__file__).parent / "calibration"
WEIGHTS_FILE = "weights.json"
REBUILD = "touchstone evals calibrate --data FOLDER"
_MOST_DEFAULTS = 16


@dataclass(frozen=True, slots=True)
class SentenceWeights:
    """Weights of a sentence's score.

    They weigh the cosine of question and sentence (under its heading), the share of the question's words that the sentence
    has (rare words count more), the passage's own score, and a quantity where one is asked for. The defaults were chosen on
    XQuAD English and the demo's cases with the built-in embedder, where two sentences hold the answer in .913 and .949; an
    embedder without a calibration gets them too, its cosines counted from `origin` and weighted so that they mean the same.
    """

    cosine: float = 1.0
    overlap: float = 1.0
    passage: float = 0.8
    quantity: float = 0.3
    origin: float = 0.0


@dataclass(frozen=True, slots=True)
class AbstentionWeights:
    """Logistic regression: weights of the largest cosine of a passage, of the cosine and score of the best sentence, of the
    share of the question's words in all passages, and of the log odds of the cross-encoder that the best passage answers.
    """

    dense: float
    cosine: float
    score: float
    union: float
    answers: float
    bias: float


@dataclass(frozen=True, slots=True)
class FirstLook:
    """The same guess without the cross-encoder. Below `least` and above `most` it is sure enough, and nothing more is read."""

    dense: float
    cosine: float
    score: float
    union: float
    bias: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted to an embedder; `abstention` is None where nothing was. Without a first look all is read."""

    sentences: SentenceWeights
    abstention: AbstentionWeights | None
    first_look: FirstLook | None = None


UNCALIBRATED = Calibration(SentenceWeights(), None)


def sentence_weights_of(embedder: Embedder) -> SentenceWeights:
    """The default weights, carried over to an embedder's cosines of questions and sentences."""
    questions = np.stack([one.vector for one in embedder.encode_questions(list(ANCHORS))])
    scale = scale_of(questions, embedder.embed(list(ANCHORS)))
    default = SentenceWeights()
    return replace(default, cosine=round(default.cosine * scale.slope, 1), origin=round(scale.origin, 2))


class Calibrations:
    """Calibrations by the digest of the embedder's weights."""

    def __init__(self, by_weights: Mapping[str, Calibration]) -> None:
        self._by_weights = dict(by_weights)
        self._defaults: LruCache[str, Calibration] = LruCache(_MOST_DEFAULTS)

    def of(self, embedder: Embedder) -> Calibration:
        """The calibration of an embedder, or the defaults without a guess whether passages answer."""
        weights = embedder.weights_digest
        if weights in self._by_weights:
            return self._by_weights[weights]
        return self._defaults.get(
            weights, lambda _: replace(UNCALIBRATED, sentences=sentence_weights_of(embedder))
        )

    def has_abstention(self, embedder: Embedder) -> bool:
        """Whether there is a guess whether passages answer."""
        known = self._by_weights.get(embedder.weights_digest)
        return known is not None and known.abstention is not None

    def check(self, scope: Scope, embedders: Mapping[str, Embedder]) -> None:
        """Raise `ScopeError` for a relevance floor that is set where probabilities can't be told.

        `embedders` are by collection. A floor that nobody set counts as 0 there: the service then abstains when nothing is
        found or the generator finds no answer, and not by probability.
        """
        for assistant in scope.assistants.values():
            retrieval = scope.variants[assistant.variant].retrieval
            is_set = "relevance_floor" in retrieval.model_fields_set and retrieval.relevance_floor > 0
            embedder = embedders[assistant.collection]
            if is_set and not self.has_abstention(embedder):
                raise ScopeError(
                    f"The variant {assistant.variant!r} sets `relevance_floor: {retrieval.relevance_floor}`, and the embedder"
                    f" {embedder.name!r} of the collection {assistant.collection!r} has no calibration, without which there"
                    f" is no probability to compare. Fit it: {REBUILD}. Or set `relevance_floor: 0`."
                )


def load_calibrations(folder: Path = CALIBRATION_DIR) -> Calibrations:
    """Every calibration in a folder. Raises `EmbedderError` for a damaged one."""
    return Calibrations(
        {weights: _calibration(artifact) for artifact in _artifacts(folder) if (weights := artifact.embedder)}
    )


def folder_of(embedder: Embedder, folder: Path = CALIBRATION_DIR) -> Path:
    """Where the calibration of an embedder lies, or is to be written."""
    known = [one.folder for one in _artifacts(folder) if one.embedder == embedder.weights_digest]
    name = re.sub(r"[^a-z0-9.]+", "-", Path(embedder.name).name.lower()).strip("-.")
    return known[0] if known else folder / f"{name}-{embedder.weights_digest[:8]}"


def write_calibration(
    folder: Path, calibration: Calibration, *, embedder: Embedder, facts: Mapping[str, Any]
) -> None:
    """Write a calibration; `facts` are what it was fitted on and how well it fits."""
    with written_artifact(
        folder,
        (WEIGHTS_FILE,),
        name=folder.name,
        embedder=embedder.weights_digest,
        licence="Apache-2.0",
        rebuild=REBUILD,
        facts={"embedder_name": embedder.name, **facts},
    ) as fresh:
        (fresh / WEIGHTS_FILE).write_text(json.dumps(asdict(calibration), indent=1) + "\n", "utf-8")


def _artifacts(folder: Path) -> Sequence[Artifact]:
    # A name that begins with a dot is one that is being written.
    places = sorted(one for one in folder.glob("[!.]*") if one.is_dir()) if folder.is_dir() else []
    return [open_artifact(place, rebuild=REBUILD) for place in places]


def _calibration(artifact: Artifact) -> Calibration:
    path = artifact.folder / WEIGHTS_FILE
    try:
        read = json.loads(path.read_text("utf-8"))
        fitted, first = read["abstention"], read.get("first_look")
        return Calibration(
            SentenceWeights(**read["sentences"]),
            AbstentionWeights(**fitted) if fitted else None,
            FirstLook(**first) if first else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise EmbedderError(f"{str(path)!r} has no weights: {exc}. Rebuild it: {artifact.rebuild}") from exc
