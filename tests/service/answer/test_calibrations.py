"""Calibrated weights are an artefact for each embedder; without one, nothing is abstained from by probability."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from ingestion.corpus import Chunk, Hit
from ingestion.embed import Embedder, Vectors, load_embedder
from ingestion.embed.fake import HashEmbedder
from ingestion.errors import EmbedderError, ScopeError
from ingestion.search.retrieve import RetrievalSettings
from service.answer.abstain import Relevance, answerability
from service.answer.calibrations import (
    CALIBRATION_DIR,
    UNCALIBRATED,
    AbstentionWeights,
    Calibration,
    Calibrations,
    FirstLook,
    SentenceWeights,
    folder_of,
    load_calibrations,
    sentence_weights_of,
    write_calibration,
)
from service.answer.evidence import EvidenceFinder, EvidenceRequest
from service.answer.sentences import Sentence, SentenceScorer, SentenceScores
from service.corpus.embedders import Embedders
from service.guard.models.cross_encoder import CrossEncoder
from service.scope import Scope, load_scope
from tests.conftest import SCOPE, Demo

FITTED = Calibration(SentenceWeights(passage=0.5), AbstentionWeights(1.0, 2.0, 3.0, 4.0, 5.0, -6.0))
# Largest cosine, cosine and score of the best sentence, share of words, cross-encoder → the probability.
KNOWN = [
    ((0.6, 0.7, 2.1, 0.9, 0.95), 0.9857455446991386),
    ((0.3, 0.35, 0.8, 0.4, 0.1), 0.00824663965417154),
    ((0.5, 0.55, 1.4, 0.7, 0.5), 0.3102394691961801),
    ((0.8, 0.2, 0.1, 0.0, 1.0), 0.9953444464170061),
]


def other(weights: str = "another", name: str = "models/Other Model") -> Any:
    """All that a calibration sees of an embedder."""
    return SimpleNamespace(name=name, weights_digest=weights)


Seen = tuple[float, float, float, float, float]


def judged(seen: Seen, fitted: Calibration, read: list[str] | None = None) -> Relevance:
    dense, cosine, score, union, answers = seen
    hit = Hit(Chunk("c", "d", 0, "Text.", 0, 5, "", "d", "en"), 1.0, {"dense": dense})
    scored = SentenceScores((Sentence(0, 0, 5, score, cosine, 0.5, score),), union)

    def reading() -> float:
        (read if read is not None else []).append("read")
        return answers

    return answerability([hit], scored, fitted, reading)


@pytest.mark.parametrize(("seen", "probability"), KNOWN)
def test_probabilities_of_the_built_in_embedder_stay(
    embedder: Embedder, seen: Seen, probability: float
) -> None:
    fitted = load_calibrations().of(embedder)
    assert judged(seen, replace(fitted, first_look=None)).probability == pytest.approx(probability, abs=1e-9)
    assert fitted.sentences == SentenceWeights(1.0, 1.0, 0.8, 0.3)


def test_without_a_calibration_what_was_found_is_below_no_floor() -> None:
    assert UNCALIBRATED.abstention is None
    assert judged(KNOWN[1][0], UNCALIBRATED).probability == 1
    assert answerability([], SentenceScores((), 0.0), UNCALIBRATED, lambda: 0.9).probability == 0


def test_the_passage_is_read_where_the_first_look_leaves_a_doubt_and_only_there() -> None:
    look = FirstLook(0.0, 10.0, 0.0, 0.0, -5.0, least=0.1, most=0.8)
    fitted = replace(FITTED, first_look=look)
    read: list[str] = []
    sure, doubtful, hopeless = (
        judged((0.5, cosine, 1.0, 0.5, 0.9), fitted, read) for cosine in (0.9, 0.5, 0.1)
    )
    assert read == ["read"]
    assert sure.probability > 0.8
    assert hopeless.probability < 0.1
    assert sure.answers is hopeless.answers is None
    assert doubtful == judged((0.5, 0.5, 1.0, 0.5, 0.9), FITTED)


def test_a_calibration_that_is_older_than_the_first_look_reads_all(tmp_path: Path) -> None:
    write_calibration(tmp_path / "one", FITTED, embedder=other(), facts={})
    assert load_calibrations(tmp_path).of(other()).first_look is None


def test_a_calibration_is_found_by_its_embedder_alone(tmp_path: Path, embedder: Embedder) -> None:
    write_calibration(tmp_path / "x", FITTED, embedder=other(), facts={"n": 3})
    found = load_calibrations(tmp_path)
    assert found.of(other()) == FITTED
    assert found.of(embedder) == UNCALIBRATED


class Alike(HashEmbedder):
    """An embedder that sees all texts alike: every vector has most of its length in one direction."""

    def __init__(self, embedder: Embedder, common: float) -> None:
        super().__init__()
        self.weights_digest = f"alike-{common}"
        self._of, self._common = embedder, common

    def embed(self, texts: list[str]) -> Vectors:
        own = self._of.embed(texts) * np.float32(np.sqrt(1 - self._common))
        same = np.full((len(texts), 1), np.sqrt(self._common), np.float32)
        return np.concatenate([own, same], axis=1)


def test_cosines_of_an_embedder_without_a_calibration_mean_what_those_of_the_built_in_one_do(
    embedder: Embedder,
) -> None:
    assert sentence_weights_of(embedder) == SentenceWeights()
    alike = Alike(embedder, 0.75)
    by = Calibrations({}).of(alike).sentences
    question, sentence = embedder.embed(["How do I return a kettle?", "Kettles can be returned."])
    theirs, others = alike.embed(["How do I return a kettle?", "Kettles can be returned."])
    assert theirs @ others > 0.8
    assert by.cosine * (theirs @ others - by.origin) == pytest.approx(question @ sentence, abs=0.03)


def test_a_new_calibration_has_a_folder_of_its_own_and_a_known_one_its_old(
    tmp_path: Path, embedder: Embedder
) -> None:
    assert folder_of(embedder) == CALIBRATION_DIR / "minilm-l6-v2-int8"
    assert folder_of(other(), tmp_path) == tmp_path / "other-model-another"
    write_calibration(tmp_path / "x", FITTED, embedder=other(), facts={})
    assert folder_of(other(), tmp_path) == tmp_path / "x"


def test_a_damaged_calibration_is_refused_with_the_command(tmp_path: Path) -> None:
    write_calibration(tmp_path / "x", FITTED, embedder=other(), facts={})
    (tmp_path / "x" / "weights.json").write_text("{}")
    with pytest.raises(EmbedderError, match=r"weights\.json.*touchstone evals calibrate"):
        load_calibrations(tmp_path)


def scope_with_floor(floor: float | None) -> Scope:
    raw = yaml.safe_load(SCOPE.read_text())
    del raw["variants"]["baseline"]["retrieval"]["relevance_floor"]
    if floor is not None:
        raw["variants"]["baseline"]["retrieval"]["relevance_floor"] = floor
    return Scope.model_validate(raw)


def test_a_floor_without_a_calibration_is_refused_by_name() -> None:
    with pytest.raises(ScopeError) as caught:
        load_calibrations().check(scope_with_floor(0.4), {"help": other()})
    for named in ("'baseline'", "0.4", "'models/Other Model'", "'help'", "touchstone evals calibrate"):
        assert named in str(caught.value)


@pytest.mark.parametrize("floor", [None, 0.0])
def test_a_floor_that_is_unset_or_0_needs_no_calibration(floor: float | None) -> None:
    load_calibrations().check(scope_with_floor(floor), {"help": other()})


def test_a_floor_with_a_calibration_passes(embedder: Embedder) -> None:
    load_calibrations().check(load_scope(SCOPE), {"help": embedder})


async def test_an_embedder_without_a_calibration_finds_evidence_and_abstains_from_none(
    demo: Demo, embedder: Embedder
) -> None:
    settings = RetrievalSettings()
    with ThreadPoolExecutor(1) as executor:
        for calibrations, is_hopeless in ((Calibrations({}), False), (load_calibrations(), True)):
            models = Embedders({"builtin": embedder}, load_embedder)
            finder = EvidenceFinder(models, SentenceScorer(calibrations), CrossEncoder(threads=1), executor)
            found = await finder.find(EvidenceRequest(demo.release, "Who wrote Middlemarch?", settings))
            assert found.hits
            assert (found.relevance.probability < settings.relevance_floor) is is_hopeless
