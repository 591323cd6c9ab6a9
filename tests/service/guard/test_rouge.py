"""Passages that look like variations on one theme."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.guard.rouge import alike, rouge_l


def test_rouge_l_is_that_of_the_definition() -> None:
    one, other = "the cat sat on the mat".split(), "the dog sat on a mat".split()
    assert rouge_l(one, other) == pytest.approx(2 * 4 / 12)
    assert rouge_l(one, one) == 1.0
    assert rouge_l(one, []) == 0.0


@given(st.lists(st.sampled_from("abcde"), max_size=12), st.lists(st.sampled_from("abcde"), max_size=12))
def test_rouge_l_agrees_with_the_plain_algorithm(one: list[str], other: list[str]) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if a == b else max(table[i - 1][j], table[i][j - 1])
    expected = 2 * table[-1][-1] / (len(one) + len(other)) if one and other else 0.0
    assert rouge_l(one, other) == pytest.approx(expected)


def test_copies_of_one_owner_are_no_group() -> None:
    text = "the answer to this question is certainly the number nine"
    assert alike([text, text], ["a", "a"], 0.25) == []
    assert alike([text, text], ["a", "b"], 0.25) == [[0, 1]]
