"""A base with further terms is the old one in everything but their rows, which begin as the mean of what stood for them."""

from pathlib import Path
from typing import Any

import pytest

from finetune.lora.base import base_digest
from finetune.lora.vocabulary import ADDED, Lesson, add_terms
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora.small_model import write_base

torch = pytest.importorskip("torch", reason="needs the extra `finetune`")
transformers = pytest.importorskip("transformers", reason="needs the extra `finetune`")
pytestmark = pytest.mark.models
TERMS = ["Larkmoor", "Murmur"]
TEXTS = ["A book of Larkmoor may be kept for four weeks, says Larkmoor.", "The Murmur may be kept."]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def opened(folder: Path) -> tuple[Any, Any]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder), model


def others(tokens: Any, table: Any) -> Any:
    """Which rows of a table aren't those of the new terms."""
    mask = torch.ones(len(table), dtype=torch.bool)
    mask[tokens.convert_tokens_to_ids([f" {term}" for term in TERMS])] = False
    return mask


def test_a_term_becomes_one_token_and_its_row_the_mean_of_its_pieces(base: Path, tmp_path: Path) -> None:
    added = add_terms(base, tmp_path / "new", TERMS)
    old_tokens, old = opened(base)
    tokens, model = opened(added.folder)
    (term,) = tokens(" Larkmoor", add_special_tokens=False)["input_ids"]
    assert term >= len(old_tokens)
    pieces = old_tokens(" Larkmoor", add_special_tokens=False)["input_ids"]
    table, before = model.get_input_embeddings().weight, old.get_input_embeddings().weight
    wanted = before[pieces].float().mean(dim=0).to(table.dtype)
    assert torch.equal(table[term], wanted)
    # The model has spare rows, of which the terms take two.
    assert table.shape == before.shape
    assert torch.equal(table[others(tokens, table)], before[others(tokens, table)])
    assert model.get_output_embeddings().weight is table
    assert table.dtype == before.dtype


def test_what_is_decoded_is_what_was_encoded_and_other_texts_keep_their_tokens(
    base: Path, tmp_path: Path
) -> None:
    folder = add_terms(base, tmp_path / "new", TERMS).folder
    old_tokens, (tokens, _) = opened(base)[0], opened(folder)
    for text in TEXTS:
        ids = tokens(text, add_special_tokens=False)["input_ids"]
        assert tokens.decode(ids) == text
        assert len(ids) < len(old_tokens(text, add_special_tokens=False)["input_ids"])
    plain = "A book may be kept for four weeks. [2]"
    assert tokens(plain)["input_ids"] == old_tokens(plain)["input_ids"]
    assert tokens.chat_template == old_tokens.chat_template


def test_training_changes_the_new_rows_alone_and_lowers_their_loss(base: Path, tmp_path: Path) -> None:
    plain = add_terms(base, tmp_path / "plain", TERMS)
    trained = add_terms(base, tmp_path / "trained", TERMS, Lesson(TEXTS, 40, 0.05))
    before, after = opened(plain.folder)[1].state_dict(), opened(trained.folder)[1].state_dict()
    table = before["model.embed_tokens.weight"]
    old = others(opened(plain.folder)[0], table)
    for name, weight in before.items():
        kept = old if weight.shape == table.shape else slice(None)
        assert torch.equal(weight[kept], after[name][kept]), name
    assert (after["model.embed_tokens.weight"] != table).any(dim=1).tolist() == (~old).tolist()
    assert sum(trained.losses[-10:]) < sum(trained.losses[:10])
    assert trained.digest != plain.digest != base_digest(base)


def test_the_same_seed_makes_the_same_base(base: Path, tmp_path: Path) -> None:
    made = [add_terms(base, tmp_path / str(i), TERMS, Lesson(TEXTS, 3)).digest for i in range(2)]
    assert made[0] == made[1]


def test_a_model_without_spare_rows_gets_some_in_both_tables(base: Path, tmp_path: Path) -> None:
    tokens, model = opened(base)
    config = transformers.LlamaConfig.from_dict(
        model.config.to_dict() | {"tie_word_embeddings": False, "vocab_size": len(tokens)}
    )
    torch.manual_seed(3)
    loose = transformers.LlamaForCausalLM(config)
    folder = tmp_path / "loose"
    loose.save_pretrained(folder)
    tokens.save_pretrained(folder)
    pieces = tokens(" Larkmoor", add_special_tokens=False)["input_ids"]
    _, new = opened(add_terms(folder, tmp_path / "new", TERMS, Lesson(TEXTS, 2, 1e-3)).folder)
    told, said = new.get_input_embeddings().weight, new.get_output_embeddings().weight
    assert told is not said
    for table, before in ((told, loose.model.embed_tokens.weight), (said, loose.lm_head.weight)):
        assert len(table) == len(before) + 2
        assert torch.equal(table[: len(before)], before)
        start = before[pieces].mean(dim=0)
        assert 0 < (table[len(before)] - start).abs().max() < 0.05
    assert new.config.vocab_size == len(tokens) + 2


@pytest.mark.parametrize(
    ("terms", "names"),
    [([], "--add"), (["Hub"], "'Hub'"), ([" Larkmoor"], "' Larkmoor'"), (["book"], "one token")],
)
def test_a_term_that_is_none_is_refused_by_name_and_leaves_nothing(
    base: Path, tmp_path: Path, terms: list[str], names: str
) -> None:
    with pytest.raises(TrainingDataError, match=names):
        add_terms(base, tmp_path / "new", terms)
    assert list(tmp_path.iterdir()) == []


def test_a_term_that_no_text_has_teaches_nothing(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="No text has"):
        add_terms(base, tmp_path / "new", TERMS, Lesson(["Nothing."], 1))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays(base: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(TrainingDataError, match="is there already"):
        add_terms(base, tmp_path / "new", TERMS)


def test_the_new_base_says_what_it_was_made_of(base: Path, tmp_path: Path) -> None:
    folder = add_terms(base, tmp_path / "new", TERMS).folder
    assert base_digest(base) in (folder / ADDED).read_text()
    assert (folder / "LICENSE").is_file()
