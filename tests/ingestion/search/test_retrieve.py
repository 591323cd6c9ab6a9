"""From a question to passages: stages, copies, neighbours, turns, other languages, rerankers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ingestion.embed import Embedder
from ingestion.releases.release import Release
from ingestion.search.rerank import late_scores
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from ingestion.view import EVERYTHING
from tests.ingestion.corpora import Page, release_of

WARRANTY = (
    "The warranty of every lamp is three years from the day of purchase.",
    "Keep the receipt, because we ask for it when you make a claim.",
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Release:
    pages = [
        Page("warranty", WARRANTY),
        Page("returns", ("You may return a lamp within thirty days.", "Returns are free of charge.")),
        Page("copy", ("The warranty of every lamp is three years from the day of purchase!",)),
        Page("other", ("The warranty of every lamp is two years from the day of purchase.",)),
        Page("old", ("The warranty of every lamp was one year long ago.",), superseded=True),
        Page(
            "cables",
            tuple(f"Cable number {n} fits lamp number {n}." for n in range(6)),
            heading=tuple("abcdef"),
        ),
    ]
    return release_of(tmp_path_factory.mktemp("retrieve"), pages, embedder=embedder)


def found(release: Release, embedder: Embedder, text: str, **settings: object) -> list:  # type: ignore[type-arg]
    question = embedder.encode_questions([text])[0]
    request = SearchRequest(text, question, settings=RetrievalSettings(**settings))  # type: ignore[arg-type]
    return retrieve(release, request, Tools(embedder.languages, embedder.late))


def test_scores_of_every_stage_are_there_and_best_comes_first(release: Release, embedder: Embedder) -> None:
    hits = found(release, embedder, "How long is the warranty of a lamp?")
    assert hits[0].chunk.document_id in ("warranty", "copy")
    assert set(hits[0].scores) == {"dense", "lexical", "fused", "rerank"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 for hit in hits)


def test_passages_that_say_the_same_are_shown_once_but_not_those_with_other_numbers(
    release: Release, embedder: Embedder
) -> None:
    question = "How long is the warranty of a lamp?"
    names = {hit.chunk.document_id for hit in found(release, embedder, question, top_k=6, join=False)}
    assert len(names & {"warranty", "copy"}) == 1
    assert "other" in names
    every = {
        hit.chunk.document_id
        for hit in found(release, embedder, question, top_k=9, collapse=False, join=False)
    }
    assert {"warranty", "copy", "other"} <= every


def test_neighbours_become_one_passage_that_stands_in_the_document(
    release: Release, embedder: Embedder
) -> None:
    hits = found(release, embedder, "warranty of a lamp, receipt for a claim", collapse=False)
    joined = next(hit for hit in hits if hit.chunk.document_id == "warranty")
    assert joined.chunk.text == "\n".join(WARRANTY)
    assert len(joined.joined) == 1
    document = release.documents.document("warranty")
    assert document is not None
    assert document.text[joined.chunk.start : joined.chunk.end] == joined.chunk.text
    ids = [hit.chunk.id for hit in hits] + [name for hit in hits for name in hit.joined]
    assert len(ids) == len(set(ids))


def test_sections_are_not_joined_and_a_document_waits_for_the_others(
    release: Release, embedder: Embedder
) -> None:
    question = "Which cable fits which lamp number?"
    hits = found(release, embedder, question, top_k=5, per_document=2)
    names = [hit.chunk.document_id for hit in hits]
    assert names.count("cables") == 2
    assert not any(hit.joined for hit in hits if hit.chunk.document_id == "cables")
    every = [hit.chunk.document_id for hit in found(release, embedder, question, top_k=5, per_document=0)]
    assert every == ["cables"] * 5


def test_older_versions_are_found_only_when_asked_for(release: Release, embedder: Embedder) -> None:
    question = "How long was the warranty one year ago?"
    assert "old" not in {h.chunk.document_id for h in found(release, embedder, question, top_k=20)}
    everything = found(release, embedder, question, top_k=20, include_superseded=True)
    assert "old" in {h.chunk.document_id for h in everything}


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_question_without_words_finds_nothing_by_words(
    release: Release, embedder: Embedder, mode: str
) -> None:
    hits = found(release, embedder, "???", mode=mode)
    assert bool(hits) == (mode != "lexical")


def test_late_interaction_tells_the_passage_that_has_all_words(release: Release, embedder: Embedder) -> None:
    question = embedder.encode_questions(["returns free of charge"])[0]
    positions = release.index.positions(EVERYTHING)
    scores = late_scores(embedder.late, release.index, question, positions)
    assert scores is not None
    best = release.chunks(positions[[int(np.argmax(scores))]])[0]
    assert best.text == "Returns are free of charge."


def test_scores_of_tokens_are_those_of_their_definition(embedder: Embedder) -> None:
    head = embedder.late
    assert head is not None
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(7, 384)).astype(np.float32)
    codes = head.encode(hidden)
    tokens = head.project(hidden[:3])
    weights = np.array([0.5, 0.3, 0.2], np.float32)
    got = head.score(tokens, weights, codes, np.array([0, 4]))
    decoded = np.stack([head.decode(codes)[i] for i in range(7)])
    similar = tokens @ decoded.T
    expected = [weights @ similar[:, :4].max(axis=1), weights @ similar[:, 4:].max(axis=1)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert np.mean((decoded * head.project(hidden)).sum(axis=1)) > 0.6


def test_a_language_the_embedder_does_not_know_leans_on_words(tmp_path: Path, embedder: Embedder) -> None:
    pages = [
        Page("a", ("Die Garantie gilt drei Jahre.",), language="de"),
        Page("b", ("The lamp is made of oak.",)),
    ]
    release = release_of(tmp_path, pages, embedder=embedder, languages=("de", "en"))
    hits = found(release, embedder, "Wie viele Jahre gilt die Garantie?")
    assert hits[0].chunk.document_id == "a"
    assert "rerank" not in hits[0].scores
    fused, dense, words = (hits[0].scores[name] for name in ("fused", "dense", "lexical"))
    assert fused > 0.69
    assert dense < 1 < words or words > 0
    assert "rerank" in found(release, embedder, "What is the lamp made of?")[0].scores


class Backwards:
    """A reranker that likes the shortest passage best."""

    name = "backwards"

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([-len(text) for text in texts], np.float32)


def test_any_reranker_can_take_the_second_look(release: Release, embedder: Embedder) -> None:
    settings = RetrievalSettings(rerank="backwards", rerank_weight=10, join=False, per_document=0)
    tools = Tools(embedder.languages, None, {"backwards": Backwards()})
    request = SearchRequest("lamp", embedder.encode_questions(["lamp"])[0], settings=settings)
    lengths = [len(hit.chunk.text) for hit in retrieve(release, request, tools)]
    assert lengths[0] == min(lengths)


@pytest.mark.models
def test_a_cross_encoder_from_a_folder_reranks(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="extra `models`")
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    from ingestion.search.rerank import load_reranker

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "lamp", "warranty", "free"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=1,
    )  # fmt: skip
    model = tmp_path / "model"
    BertForSequenceClassification(config).save_pretrained(model)
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(model)
    reranker = load_reranker(str(model))
    texts = ["lamp free", "warranty"]
    expected = CrossEncoder(str(model)).predict([("lamp", text) for text in texts])
    np.testing.assert_allclose(reranker.score("lamp", texts), expected, rtol=1e-4)
