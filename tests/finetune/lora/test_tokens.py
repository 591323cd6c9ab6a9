"""What a tokenizer makes of a domain is counted right, and what it takes apart is named."""

from pathlib import Path

import pytest

from finetune.lora.tokens import fit_of, general_texts, told
from finetune.yaml_file import TrainingDataError

transformers = pytest.importorskip("transformers", reason="needs the extra `finetune`")
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def tokenizer() -> object:
    """Whole words where it knows them, letters where it doesn't."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2_000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([" the sensor costs ten euros and lasts"] * 9, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made)


def test_words_and_their_pieces_are_counted_as_often_as_they_occur(tokenizer: object) -> None:
    fit = fit_of(tokenizer, ["the sensor costs 10 euros.", "Qux qux, and the sensor! Qux"])
    assert (fit.words, fit.different_words) == (10, 7)
    # Seven known words of one token; of `Qux` the blank, then three letters, as often as it comes.
    per_qux = len(tokenizer(" Qux")["input_ids"])  # type: ignore[operator]
    per_small = len(tokenizer(" qux")["input_ids"])  # type: ignore[operator]
    assert fit.tokens_per_word == pytest.approx((7 + 2 * per_qux + per_small) / 10)
    assert fit.split == 0.3
    assert [(one.term, one.count) for one in fit.terms] == [("Qux", 2), ("qux", 1)]
    assert "".join(fit.terms[0].pieces).strip("·") == "Qux"


def test_masks_and_parts_of_compounds_are_no_terms(tokenizer: object) -> None:
    fit = fit_of(tokenizer, ["the ten-euros sensor and <PERSON_17>, <EMAIL_ADDRESS>"])
    assert (fit.words, [one.term for one in fit.terms]) == (5, [])


def test_terms_are_as_many_as_asked_for(tokenizer: object) -> None:
    assert len(fit_of(tokenizer, ["abcq bcdq cdeq"], most_terms=2).terms) == 2


def test_texts_without_a_word_say_nothing(tokenizer: object) -> None:
    with pytest.raises(TrainingDataError, match="no word"):
        fit_of(tokenizer, ["12 + 7", ""])


def test_the_verdict_depends_on_the_difference_to_general_english(tokenizer: object) -> None:
    good, poor = fit_of(tokenizer, ["the sensor costs ten euros"]), fit_of(tokenizer, ["Qux Qux the"])
    assert "The tokenizer fits" in told(good, good)
    assert "Adding the terms" in told(poor, good)
    assert "Q|u|x" in told(poor, good)


@pytest.mark.skipif(not Path("var/smollm2").is_dir(), reason="needs `deploy/vllm/serve install`")
def test_smollm2_fits_general_english() -> None:
    fit = fit_of(transformers.AutoTokenizer.from_pretrained("var/smollm2"), general_texts())
    assert fit.tokens_per_word < 1.15
    assert fit.split < 0.02
