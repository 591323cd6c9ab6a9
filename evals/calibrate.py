"""Fit the probability that passages answer: `python -m evals calibrate --data FOLDER` writes it for the scope's embedder.

Logistic regression (iteratively reweighted least squares) on the demo's cases, half of CLAPNQ's and XQuAD's English
ones, which all have an answer. Both classes of a set weigh the same. Run it again when retrieval or the scores
of sentences change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evals.corpora import built_release, clapnq, xquad
from evals.harness import Answered, answer_all
from evals.metrics import Figure
from evals.suites.context import Context
from ingestion.detect.heads import is_held_out
from service.answer.abstain import FEATURES, Relevance
from service.answer.calibrations import (
    AbstentionWeights,
    Calibration,
    folder_of,
    load_calibrations,
    write_calibration,
)

Floats = npt.NDArray[np.float64]
_RIDGE = 1e-2
# The demo has customers' questions; the other sets keep the judge from fitting them alone.
_SHARES = {"demo": 250.0, "clapnq": 150.0, "xquad": 50.0}
_EVERY = 4
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """Whether a question is answerable, its set, and the features of its passages."""

    source: str
    answerable: bool
    relevance: Relevance


def calibrate(context: Context, out: Path | None = None) -> dict[str, Figure]:
    """Fit and write the calibration of the context's embedder; its weights, and their AUROC by set.

    `out` is the artefact's folder; without it, the one that the service reads.
    """
    samples = _samples(context)
    weights = fit(samples)
    figures = auroc(samples, weights)
    sentences = load_calibrations().of(context.embedder).sentences
    write_calibration(
        out or folder_of(context.embedder),
        Calibration(sentences, weights),
        embedder=context.embedder,
        facts={
            "n": len(samples),
            "figures": {name: round(figure.value, 4) for name, figure in figures.items()},
            "fusion": _fusion(context),
        },
    )
    fitted = {f"calibrate.{name}": Figure(getattr(weights, name)) for name in (*FEATURES, "bias")}
    return fitted | {f"calibrate.{name}": figure for name, figure in figures.items()}


def fit(samples: Sequence[Sample]) -> AbstentionWeights:
    """The weights, to two digits; each set has its share, and both classes of a set weigh the same."""
    labels = np.array([s.answerable for s in samples], float)
    sources = np.array([s.source for s in samples])
    shares = np.zeros(len(samples))
    for source in np.unique(sources):
        for label in (0, 1):
            chosen = (sources == source) & (labels == label)
            if chosen.any():
                shares[chosen] = _SHARES[source] / chosen.sum()
    fitted = logistic(_rows(samples), labels, shares)
    named = dict(zip((*FEATURES, "bias"), fitted, strict=True))
    return AbstentionWeights(**{name: round(float(value), 2) for name, value in named.items()})


def auroc(samples: Sequence[Sample], weights: AbstentionWeights) -> dict[str, Figure]:
    """The area under the ROC curve for each set that has both classes."""
    labels = np.array([s.answerable for s in samples], float)
    sources = np.array([s.source for s in samples])
    scores = _rows(samples) @ [getattr(weights, name) for name in FEATURES]
    figures = {}
    for source in np.unique(sources):
        own = sources == source
        pairs = scores[own & (labels == 1)][:, None] > scores[own & (labels == 0)]
        if pairs.size:
            figures[f"{source}.auroc"] = Figure(float(pairs.mean()), n=int(own.sum()))
    return figures


def _rows(samples: Sequence[Sample]) -> Floats:
    return np.array([[getattr(s.relevance, name) for name in FEATURES] for s in samples], float)


def _fusion(context: Context) -> dict[str, float]:
    """The weights of the fusion that the samples were found with, for information: the scope sets them."""
    retrieval = context.scope.variants[context.scope.assistants[context.assistant].variant].retrieval
    return {
        "dense_weight": retrieval.dense_weight,
        "foreign_dense_weight": retrieval.foreign_dense_weight,
    }


def logistic(features: Floats, labels: Floats, weights: Floats) -> Floats:
    """The weights of the features, whose shape is `(samples, features)`, then the bias."""
    rows = np.hstack([features, np.ones((len(features), 1))])
    fitted = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-rows @ fitted))
        slope = rows.T @ (weights * (expected - labels)) + _RIDGE * fitted
        curve = (rows * (weights * expected * (1 - expected))[:, None]).T @ rows
        fitted -= np.linalg.solve(curve + _RIDGE * np.eye(len(fitted)), slope)
    return fitted


def _samples(context: Context) -> list[Sample]:
    found = [Sample("demo", case.answerable, answered.relevance) for case, answered in context.demo_answers]
    if context.data is not None:
        documents, every = clapnq(context.data)
        questions = [(question, can) for question, can in every if not is_held_out(question)]
        release = built_release("clapnq", documents, context.embedder, context.data_dir)
        answered_all: Sequence[Answered] = answer_all(
            context.scope, context.assistant, release, context.embedder, [q for q, _ in questions]
        )
        found += [
            Sample("clapnq", can, one.relevance)
            for (_, can), one in zip(questions, answered_all, strict=True)
        ]
        documents, judged = xquad(context.data)
        release = built_release("xquad", documents, context.embedder, context.data_dir)
        questions_of = list(judged.questions.values())[::_EVERY]
        answered_all = answer_all(context.scope, context.assistant, release, context.embedder, questions_of)
        found += [Sample("xquad", True, one.relevance) for one in answered_all]
    return found
