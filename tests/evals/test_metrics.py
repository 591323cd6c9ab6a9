"""Measures against reference values, and the demo's cases against the demo's documents."""

from pathlib import Path

import pytest

from evals.__main__ import _with_embedder, parser
from evals.calibrate import calibrate
from evals.case import load_cases
from evals.corpora import xquad
from evals.harness import answer_all
from evals.metrics import grouping, mean, ndcg, share
from evals.suites import abstention, answers, retrieval
from evals.suites.context import Context
from ingestion.artifact import open_artifact
from ingestion.embed import Embedder
from service.answer.calibrations import load_calibrations
from service.scope import load_scope
from tests.conftest import ROOT, SCOPE, Demo


def test_ndcg_matches_the_textbook_example() -> None:
    gains = dict(zip("abcdef", [3, 2, 3, 0, 1, 2], strict=True))
    assert ndcg(list("abcdef"), gains, k=6) == pytest.approx(0.960808, abs=1e-6)
    assert ndcg(["x"], {"a": 1}) == 0
    assert ndcg(["a"], {}) == 0


def test_wilson_interval_matches_its_reference() -> None:
    figure = share([True] * 15 + [False] * 133)
    assert (figure.low, figure.high) == (pytest.approx(0.06239, abs=1e-5), pytest.approx(0.16049, abs=1e-5))
    with pytest.raises(ValueError, match="no outcomes"):
        share([])


def test_bleu_and_chrf_match_sacrebleus_readme() -> None:
    metrics = pytest.importorskip("sacrebleu.metrics", exc_type=ImportError)
    told = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    references = [
        ["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
        ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."],
    ]
    assert metrics.BLEU().corpus_score(told, references).score == pytest.approx(48.53, abs=0.005)
    assert metrics.CHRF().corpus_score(told, references).score == pytest.approx(59.73, abs=0.005)


def test_rouge_matches_its_readme() -> None:
    rouge = pytest.importorskip("rouge_score.rouge_scorer", exc_type=ImportError)
    scorer = rouge.RougeScorer(["rouge1", "rouge2", "rougeL"])
    found = scorer.score(
        "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."
    )
    measured = [found[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")]
    assert measured == pytest.approx([0.70588, 0.26667, 0.58824], abs=1e-5)


def test_a_mean_lies_in_its_interval() -> None:
    figure = mean([0.0, 1.0] * 50)
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high


def test_the_demo_cases_are_true_of_the_demo(demo: Demo) -> None:
    cases = load_cases()
    assert len({case.id for case in cases}) == len(cases) >= 120
    assert sum(case.answerable for case in cases) >= 90
    assert sum(not case.answerable for case in cases) >= 30
    for case in cases:
        for name in case.documents:
            document = demo.release.documents.document(name)
            assert document is not None, case.id
        if case.answerable:
            gold = demo.release.documents.document(case.documents[0])
            assert gold is not None
            assert case.passage in gold.text, case.id
            assert all(answer in (case.passage or "") for answer in case.answers), case.id


class DemoContext(Context):
    """A context over the release that the tests share."""


@pytest.fixture(scope="module")
def context(demo: Demo, embedder: Embedder) -> Context:
    made = DemoContext(load_scope(SCOPE), ROOT, embedder, demo.data_dir, None)
    made.__dict__["demo"] = demo.release  # what the cached property would build
    return made


def test_the_demo_is_found_answered_and_cited(context: Context) -> None:
    figures = retrieval.measure(context) | answers.measure(context)
    assert figures["demo.retrieval.hit@5"].value >= 0.95
    assert figures["demo.answers.contains"].value >= 0.80
    assert figures["demo.citations.valid"].value == 1.0


def test_the_demo_abstains_where_it_must_and_seldom_elsewhere(context: Context) -> None:
    figures = abstention.measure(context)
    assert figures["demo.abstention.recall"].value >= 0.80
    assert figures["demo.abstention.false"].value <= 0.08


@pytest.mark.slow
def test_another_embedder_is_that_of_the_first_collection() -> None:
    scope = load_scope(SCOPE)
    assert _with_embedder(scope, None) is scope
    found = _with_embedder(scope, "multilingual")
    assert found.collections["help"].embedder == "multilingual"
    assert found.collections["help"].sources == scope.collections["help"].sources
    args = parser().parse_args(["calibrate", "--embedder", "multilingual"])
    assert args.embedder == "multilingual"


def test_a_calibration_is_written_for_the_embedder_that_was_measured(
    context: Context, embedder: Embedder, tmp_path: Path
) -> None:
    figures = calibrate(context, tmp_path / "own")
    made = load_calibrations(tmp_path).of(embedder)
    assert made.abstention is not None
    assert made.abstention.bias == figures["calibrate.bias"].value
    assert made.sentences == load_calibrations().of(embedder).sentences
    facts = open_artifact(tmp_path / "own", rebuild="").facts
    assert facts["n"] == figures["calibrate.demo.auroc"].n == len(load_cases())
    assert facts["figures"]["demo.auroc"] > 0.9


@pytest.mark.slow
def test_public_questions_are_answered_when_the_set_is_there(
    context: Context, embedder: Embedder, public_data: "object"
) -> None:
    from evals.corpora import built_release

    folder = Path(str(public_data))
    if not (folder / "xquad").is_dir():
        pytest.skip(f"XQuAD is not in {folder}: set TOUCHSTONE_DATA")
    documents, judged = xquad(folder)
    release = built_release("xquad", documents[:40], embedder, context.data_dir)
    known = {name for name, _, _ in documents[:40]}
    keys = [key for key in judged.questions if set(judged.gains[key]) <= known][:60]
    found = answer_all(context.scope, "support", release, embedder, [judged.questions[key] for key in keys])
    hits = [
        any(gold in answered.reply.text for gold in judged.answers[key])
        for key, answered in zip(keys, found, strict=True)
    ]
    assert sum(hits) / len(hits) >= 0.8


def test_clusters_are_measured_by_pairs_and_by_v() -> None:
    f1, precision, v_measure = grouping(["a", "a", "a", "b"], [0, 0, 1, 1])
    # Of two pairs in clusters one is right; of three pairs with one label one is found.
    assert (precision.value, f1.value) == (0.5, pytest.approx(0.4))
    # By hand, from the entropies of (3, 1), (2, 2) and (2, 1, 1) of four.
    assert v_measure.value == pytest.approx(0.34371, abs=1e-4)
    assert [one.value for one in grouping(["a", "b"], [1, 0])] == pytest.approx([1.0, 1.0, 1.0])
    assert [one.value for one in grouping(["a", "a", "b"], [7, 7, 3])] == pytest.approx([1.0, 1.0, 1.0])
