"""Groups of rows: each row once, what is common read once, nothing seen of another."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.lora.batches import Group, groups_of, layout_of, plan, sample, steps_of
from finetune.lora.template import Encoded

RULES = tuple(range(100, 140))


def row(prompt: tuple[int, ...], completion: tuple[int, ...] = (7, 8, 2)) -> Encoded:
    return Encoded(prompt, completion)


ENCODED = st.builds(
    Encoded,
    st.lists(st.integers(3, 5), min_size=0, max_size=12).map(tuple),
    st.lists(st.integers(3, 5), min_size=1, max_size=4).map(tuple),
)


@given(st.lists(ENCODED, min_size=1, max_size=20), st.integers(1, 60), st.integers(1, 6), st.booleans())
def test_every_row_is_in_one_group_whose_prefix_is_common(
    rows: list[Encoded], max_tokens: int, max_rows: int, is_shared: bool
) -> None:
    groups = groups_of(rows, max_tokens=max_tokens, max_rows=max_rows, is_shared=is_shared)
    assert sorted(number for group in groups for number in group.rows) == list(range(len(rows)))
    for group in groups:
        members = [rows[number] for number in group.rows]
        assert len({member.prompt[: group.prefix] for member in members}) == 1
        assert group.tokens == len(layout_of(group, rows).ids)
        assert len(members) == 1 or (is_shared and len(members) <= max_rows and group.tokens <= max_tokens)


@given(st.lists(ENCODED, min_size=1, max_size=12))
def test_a_token_sees_what_it_would_see_in_its_row_alone(rows: list[Encoded]) -> None:
    for group in groups_of(rows, max_tokens=200, max_rows=8):
        layout = layout_of(group, rows)
        mask = np.tri(len(layout.ids), dtype=bool) if layout.mask is None else layout.mask
        for place, target, owner in zip(layout.learned, layout.targets, layout.owner, strict=True):
            whole = rows[group.rows[owner]]
            told = (*whole.prompt, *whole.completion)
            seen = mask[place].nonzero()[0]
            assert tuple(layout.ids[seen]) == told[: len(seen)]
            assert list(layout.positions[seen]) == list(range(len(seen)))
            assert told[len(seen)] == target


@given(st.lists(ENCODED, min_size=1, max_size=12))
def test_the_completion_and_nothing_else_is_learned(rows: list[Encoded]) -> None:
    for group in groups_of(rows, max_tokens=200, max_rows=8):
        layout = layout_of(group, rows)
        for place, number in enumerate(group.rows):
            learned = tuple(layout.targets[layout.owner == place])
            # Without a prompt, nothing stands before the first token that could be asked for it.
            assert learned == rows[number].completion[0 if rows[number].prompt else 1 :]


@given(st.lists(ENCODED, min_size=1, max_size=12), st.floats(0, 1))
def test_the_first_tokens_of_an_answer_have_their_part_of_its_loss(
    rows: list[Encoded], choice: float
) -> None:
    for group in groups_of(rows, max_tokens=200, max_rows=8):
        layout = layout_of(group, rows, choice)
        for place in range(len(group.rows)):
            shares = layout.shares[layout.owner == place]
            if not len(shares):  # a token alone, which nothing is asked for
                continue
            assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
            first = min(4, len(shares))
            wanted = choice + (1 - choice) * first / len(shares)
            assert float(shares[:first].sum()) == pytest.approx(wanted, abs=1e-5)


def test_rows_of_a_set_of_passages_cost_their_questions_alone() -> None:
    rows = [row((*RULES, 1, number)) for number in range(6)] + [
        row((*RULES[:5], 2, 3, 4, number)) for number in range(2)
    ]
    groups = groups_of(rows, max_tokens=200, max_rows=16)
    assert [len(group.rows) for group in groups] == [2, 6]
    assert groups[1].prefix == 41
    assert groups[1].tokens == 41 + 6 * 3


def test_rows_that_begin_alike_for_a_moment_stay_apart() -> None:
    one, other = [1, 2, 3, *range(50, 90)], [1, 2, 3, *range(60, 99)]
    rows = [row((*one, 1)), row((*other, 1)), row((*other, 2)), row((*other, 3))]
    assert [len(group.rows) for group in groups_of(rows, max_tokens=500, max_rows=16)] == [1, 3]


def test_the_order_covers_each_row_once_an_epoch() -> None:
    groups = [Group(tuple(range(start, start + 3)), 5, 50) for start in range(0, 30, 3)]
    steps = plan(groups, rows_a_step=7, epochs=2, seed=3)
    seen = Counter(number for step in steps for group in step for number in group.rows)
    assert seen == Counter({number: 2 for number in range(30)})
    assert all(sum(len(group.rows) for group in step) <= 7 for step in steps)


def test_an_epoch_has_an_order_of_its_own_that_the_seed_decides() -> None:
    groups = [Group((number,), 0, 9) for number in range(40)]
    first, again = (steps_of(groups, rows_a_step=4, seed=3, epoch=0) for _ in range(2))
    assert first == again
    assert first != steps_of(groups, rows_a_step=4, seed=3, epoch=1)
    assert first != steps_of(groups, rows_a_step=4, seed=4, epoch=0)


@pytest.mark.parametrize(("epochs", "steps"), [(1.0, 10), (0.5, 5), (1.5, 15), (0.01, 1)])
def test_an_epoch_may_be_a_part_of_one(epochs: float, steps: int) -> None:
    groups = [Group((number,), 0, 9) for number in range(40)]
    assert len(plan(groups, rows_a_step=4, epochs=epochs, seed=3)) == steps


def test_a_group_that_is_larger_than_a_step_is_a_step() -> None:
    groups = [Group(tuple(range(9)), 5, 50), Group((9,), 0, 9)]
    assert sorted(len(step) for step in steps_of(groups, rows_a_step=4, seed=0, epoch=0)) == [1, 1]


def test_a_sample_has_whole_groups() -> None:
    groups = [Group(tuple(range(start, start + 3)), 5, 50) for start in range(0, 30, 3)]
    assert len(sample(groups, 7, seed=1)) == 3
    assert sample(groups, 7, seed=1) == sample(groups, 7, seed=1)
    assert len(sample(groups, 100, seed=1)) == 10
