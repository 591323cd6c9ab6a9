"""Fit the probability that passages answer: `touchstone evals calibrate --data FOLDER` writes it for the scope's embedder.

Logistic regression (iteratively reweighted least squares) on the demo's cases, half of CLAPNQ's and XQuAD's English
ones, which all have an answer. Both classes of a set weigh the same. Run it again when retrieval or the scores
of sentences change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evals.case import load_cases
from evals.corpora import built_release, clapnq, xquad
from evals.harness import Answered, answer_all
from evals.metrics import Figure
from evals.suites.context import Context
from ingestion.detect.heads import is_held_out
from ingestion.releases.release import Release
from service.answer.abstain import FEATURES, FIRST_FEATURES, Relevance
from service.answer.calibrations import (
    AbstentionWeights,
    Calibration,
    Calibrations,
    FirstLook,
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
# Where the first look is sure. Of the answerable questions of the demo, CLAPNQ and XQuAD .71 to .74 are above; with the
# second look for the rest alone, CLAPNQ's held-out half has AUROC .853 (read in full: .873 of 293), and the same questions
# of the demo abstain.
_LEAST, _MOST = 0.05, 0.7


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
        Calibration(sentences, weights, fit_first_look(samples)),
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
    return AbstentionWeights(**_fitted(samples, FEATURES))


def fit_first_look(samples: Sequence[Sample]) -> FirstLook:
    """The weights of the guess without the cross-encoder."""
    return FirstLook(**_fitted(samples, FIRST_FEATURES), least=_LEAST, most=_MOST)


def _fitted(samples: Sequence[Sample], features: Sequence[str]) -> dict[str, float]:
    labels = np.array([s.answerable for s in samples], float)
    sources = np.array([s.source for s in samples])
    shares = np.zeros(len(samples))
    for source in np.unique(sources):
        for label in (0, 1):
            chosen = (sources == source) & (labels == label)
            if chosen.any():
                shares[chosen] = _SHARES[source] / chosen.sum()
    fitted = logistic(_rows(samples, features), labels, shares)
    named = dict(zip((*features, "bias"), fitted, strict=True))
    return {name: round(float(value), 2) for name, value in named.items()}


def auroc(samples: Sequence[Sample], weights: AbstentionWeights) -> dict[str, Figure]:
    """The area under the ROC curve for each set that has both classes."""
    labels = np.array([s.answerable for s in samples], float)
    sources = np.array([s.source for s in samples])
    scores = _rows(samples, FEATURES) @ [getattr(weights, name) for name in FEATURES]
    figures = {}
    for source in np.unique(sources):
        own = sources == source
        pairs = scores[own & (labels == 1)][:, None] > scores[own & (labels == 0)]
        if pairs.size:
            figures[f"{source}.auroc"] = Figure(float(pairs.mean()), n=int(own.sum()))
    return figures


def _rows(samples: Sequence[Sample], features: Sequence[str]) -> Floats:
    """A feature that was not read, because nothing was found, is 0 as the others are."""
    return np.array([[getattr(s.relevance, name) or 0.0 for name in features] for s in samples], float)


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
    cases = load_cases()
    demo = _relevances(context, context.demo, [case.question for case in cases])
    found = [Sample("demo", case.answerable, one) for case, one in zip(cases, demo, strict=True)]
    if context.data is not None:
        documents, every = clapnq(context.data)
        questions = [(question, can) for question, can in every if not is_held_out(question)]
        release = built_release("clapnq", documents, context.embedder, context.data_dir)
        judged = _relevances(context, release, [question for question, _ in questions])
        found += [Sample("clapnq", can, one) for (_, can), one in zip(questions, judged, strict=True)]
        documents, xquad_questions = xquad(context.data)
        release = built_release("xquad", documents, context.embedder, context.data_dir)
        some = list(xquad_questions.questions.values())[::_EVERY]
        found += [Sample("xquad", True, one) for one in _relevances(context, release, some)]
    return found


def _relevances(context: Context, release: Release, questions: Sequence[str]) -> list[Relevance]:
    """The features of each question's passages, all of them read by the cross-encoder."""
    nothing = AbstentionWeights(0, 0, 0, 0, 0, 0)
    sentences = load_calibrations().of(context.embedder).sentences
    reading = Calibrations({context.embedder.weights_digest: Calibration(sentences, nothing)})
    answered: Sequence[Answered] = answer_all(
        context.scope, context.assistant, release, context.embedder, questions, calibrations=reading
    )
    return [one.relevance for one in answered]
