"""Packing: what fits goes whole; what doesn't loses old messages and the last passages, never rules or question."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answer.generate import Task
from service.answer.generate.pack import TokenEstimate, pack, shortened
from service.answer.prompts import Message
from service.guard.texts import MaskedText
from service.scope import Sampling
from tests.service.answer.generate.test_chunks import task
from tests.service.conftest import hits


def full(passages: int, messages: int, *, words: int = 100) -> Task:
    found = hits(*(f"Passage {n}: " + "word " * words for n in range(1, passages + 1)))
    history = tuple(
        Message(("user", "assistant")[n % 2], MaskedText(f"message {n} " + "said " * words))
        for n in range(messages)
    )
    plain = task()
    return replace(plain, evidence=replace(plain.evidence, hits=tuple(found)), history=history)


def test_what_fits_goes_whole() -> None:
    one = full(5, 4)
    for context in (None, 32_000):
        packed = pack(one, TokenEstimate(), context)
        assert (packed.passages, len(packed.messages), packed.max_tokens) == (5, 6, one.sampling.max_tokens)


@given(st.integers(256, 8_000), st.integers(1, 8), st.integers(0, 12))
def test_rules_question_and_the_best_passage_always_go(context: int, passages: int, messages: int) -> None:
    one = full(passages, messages)
    packed = pack(one, TokenEstimate(), context)
    assert packed.messages[0]["content"].startswith(one.prompt.rules)
    assert packed.messages[-1]["content"].endswith(f"Question: {one.question}")
    assert "Passage 1:" in packed.messages[-1]["content"]
    assert 1 <= packed.passages <= passages
    assert 32 <= packed.max_tokens <= one.sampling.max_tokens
    kept = [n for n in range(messages) if f"message {n} " in str(packed.messages)]
    assert kept == list(range(messages - len(kept), messages))
    if packed.passages < passages:
        assert len(kept) <= 2, "old messages go before passages"


def test_passages_go_by_rank() -> None:
    packed = pack(full(8, 0), TokenEstimate(), 1_600)
    assert 1 < packed.passages < 8
    text = packed.messages[-1]["content"]
    assert [f"Passage {n}:" in text for n in range(1, 9)] == [n <= packed.passages for n in range(1, 9)]


def test_the_estimate_learns_from_what_the_server_counted() -> None:
    estimate, chars = TokenEstimate(), 5_000
    before = estimate.of(chars, 1)
    for _ in range(30):
        estimate.learn(chars, 1_000)
    assert before > 1_500
    assert estimate.of(chars, 1) == pytest.approx(1_000, rel=0.05)
    estimate.overflowed()
    assert estimate.of(chars, 1) > 1_250


def test_an_answer_of_any_length_is_clamped_to_the_context() -> None:
    one = replace(full(1, 0), sampling=Sampling(max_tokens=8_000))
    assert 2_000 < pack(one, TokenEstimate(), 4_096).max_tokens < 4_096


def test_a_refused_prompt_loses_half_its_passages_and_the_conversation() -> None:
    one = full(5, 3)
    packed = pack(one, TokenEstimate(), None)
    smaller = shortened(one, packed)
    assert smaller is not None
    assert (len(smaller.evidence.hits), smaller.history) == (2, ())
    least = full(1, 0)
    assert shortened(least, pack(least, TokenEstimate(), None)) is None
