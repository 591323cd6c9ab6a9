"""Any Hugging Face classifier takes a head's place: with a tiny one made on the spot."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.models


def tiny(folder: Path, labels: dict[int, str]) -> str:
    """A BERT of a few thousand weights with a vocabulary of letters."""
    transformers = pytest.importorskip("transformers", reason="extra `models`")
    pytest.importorskip("sentence_transformers", reason="extra `models`")
    folder.mkdir()
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (folder / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_labels=len(labels), id2label=labels, label2id={v: k for k, v in labels.items()},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def test_a_classifier_scores_the_label_that_a_guard_looks_for(tmp_path: Path) -> None:
    from service.guard.models.classifier import SequenceClassifier

    one = SequenceClassifier(tiny(tmp_path / "a", {0: "SAFE", 1: "INJECTION"}))
    other = SequenceClassifier(tiny(tmp_path / "b", {0: "toxic", 1: "not_toxic"}))
    for classifier in (one, other):
        scores = classifier.scores(["hello there", "word " * 300])
        assert all(0 <= score <= 1 for score in scores)
    assert one.scores(["a b c"]) == one.scores(["a b c"])
    assert (one._bad, other._bad) == (1, 0)


def test_an_inference_model_judges_support(tmp_path: Path) -> None:
    from service.guard.models.classifier import SequenceClassifier

    nli = SequenceClassifier(tiny(tmp_path / "n", {0: "contradiction", 1: "neutral", 2: "entailment"}))
    support = nli.support(["a claim", "another claim"], "evidence " * 100)
    assert len(support) == 2
    assert all(0 <= value <= 1 for value in support)
    assert nli._good == 2


def test_labels_that_say_nothing_are_refused_by_name(tmp_path: Path) -> None:
    from ingestion.errors import EmbedderError
    from service.guard.models.classifier import SequenceClassifier

    with pytest.raises(EmbedderError, match="apple"):
        SequenceClassifier(tiny(tmp_path / "x", {0: "apple", 1: "pear", 2: "plum"}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text(json.dumps({}))
    with pytest.raises(EmbedderError, match="broken"):
        SequenceClassifier(str(tmp_path / "broken"))


def test_the_scope_names_it(tmp_path: Path, embedder: object) -> None:
    from service.guard.models.tier import Models
    from service.scope.policy import policy_of

    name = tiny(tmp_path / "m", {0: "SAFE", 1: "INJECTION"})
    models = Models(embedder)  # type: ignore[arg-type]
    models.preload(policy_of({"input": {"injection_model": {"model": name}}}))
    assert 0 <= models.injection(name)("hello") <= 1
    assert 0 <= models.toxicity(name)("hello") <= 1
