"""Fit the probability that passages answer: `python -m evals calibrate --data FOLDER` prints the weights.

Logistic regression (iteratively reweighted least squares) on the demo's cases, half of CLAPNQ's and XQuAD's English
ones, which all have an answer. Both classes of a set weigh the same. Run it again when retrieval or the scores
of sentences change, and copy the weights into `service/answer/abstain.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evals.corpora import built_release, clapnq, xquad
from evals.harness import Answered, answer_all
from evals.metrics import Figure
from evals.suites.context import Context
from ingestion.detect.heads import is_held_out
from service.answer.abstain import FEATURES, Relevance

Floats = npt.NDArray[np.float64]
_RIDGE = 1e-2
# The demo is what customers ask; the others keep the judge from knowing nothing else.
_SHARES = {"demo": 250.0, "clapnq": 150.0, "xquad": 50.0}
_EVERY = 4
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """Whether a question can be answered, the set it is from, and what was seen of its passages."""

    source: str
    answerable: bool
    relevance: Relevance


def calibrate(context: Context) -> dict[str, Figure]:
    """Weights, and how well they part what can be answered from what can't (area under the ROC curve)."""
    samples = _samples(context)
    rows = [[getattr(s.relevance, name) for name in FEATURES] for s in samples]
    features = np.array(rows, float)
    labels = np.array([s.answerable for s in samples], float)
    sources = np.array([s.source for s in samples])
    weights = np.zeros(len(samples))
    for source in np.unique(sources):
        for label in (0, 1):
            chosen = (sources == source) & (labels == label)
            if chosen.any():
                weights[chosen] = _SHARES[source] / chosen.sum()
    fitted = logistic(features, labels, weights)
    scores = features @ fitted[:-1] + fitted[-1]
    figures = {
        f"calibrate.{name}": Figure(round(float(w), 2)) for name, w in zip(FEATURES, fitted, strict=False)
    }
    figures["calibrate.bias"] = Figure(round(float(fitted[-1]), 2))
    for source in np.unique(sources):
        own = sources == source
        pairs = scores[own & (labels == 1)][:, None] > scores[own & (labels == 0)]
        if not pairs.size:
            continue
        figures[f"calibrate.{source}.auroc"] = Figure(float(pairs.mean()), n=int(own.sum()))
    return figures


def logistic(features: Floats, labels: Floats, weights: Floats) -> Floats:
    """Weights of the features, shape `(samples, features)`, and at last the bias."""
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
