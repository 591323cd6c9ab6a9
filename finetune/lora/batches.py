"""Rows in groups that share how they begin, and steps of groups: what is common is read once and learned from by all.

Rows of one set of passages differ in the question alone, which comes last. A group is laid out as one sequence: the
common prefix, then each row's continuation. A continuation's positions go on behind the prefix, and a mask lets it see
the prefix and itself, so that losses and gradients are those of the rows one by one. Knows no torch.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.lora.template import Encoded

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
# By then it is clear which sentence an answer takes, or that there is none; the rest is copying.
_CHOICE_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Group:
    """Rows, by their numbers, whose first `prefix` tokens are the same, 0 for a row alone; `tokens` are those read."""

    rows: tuple[int, ...]
    prefix: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A group as a network reads it: one sequence of token `ids` at `positions`, of which the first `prefix` are shared.

    `mask[i, j]` says whether token i sees token j; None for a row alone, which is causal. Token `learned[k]` is asked
    for `targets[k]`, which belongs to the group's row number `owner[k]` and has `shares[k]` of that row's loss.
    """

    ids: Ints
    positions: Ints
    prefix: int
    mask: Bools | None
    learned: Ints
    targets: Ints
    owner: Ints
    shares: Floats


def groups_of(
    rows: Sequence[Encoded], *, max_tokens: int, max_rows: int, is_shared: bool = True
) -> list[Group]:
    """Every row in one group, in the order of their prompts.

    A row joins the one before it where most of its prompt is the same and that makes fewer tokens to read, within
    `max_tokens` and `max_rows`. Rules alone, which all prompts begin with, would part a row from those of its passages.
    Unless `is_shared`, each is alone.
    """
    order = sorted(range(len(rows)), key=lambda number: (rows[number].prompt, number))
    groups: list[Group] = []
    for number in order:
        alone = Group((number,), 0, _read(rows[number]))
        joined = _joined(groups[-1], number, rows) if groups and is_shared else None
        is_near = joined is not None and 2 * joined.prefix > len(rows[number].prompt)
        if joined and is_near and _is_better(joined, groups[-1], alone, max_tokens, max_rows):
            groups[-1] = joined
        else:
            groups.append(alone)
    return groups


def _read(row: Encoded) -> int:
    """Tokens that a network reads: the last one is only asked for."""
    return len(row) - 1


def _joined(group: Group, number: int, rows: Sequence[Encoded]) -> Group:
    # Prompts are sorted, so what the first and the last begin with is what all of them do.
    first, last = rows[group.rows[0]].prompt, rows[number].prompt
    prefix = _common(first, last)
    members = (*group.rows, number)
    return Group(members, prefix, prefix + sum(_read(rows[one]) - prefix for one in members))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common prefix, less than each: a continuation's first token is asked for the next one."""
    most = max(min(len(one), len(other)) - 1, 0)
    return next((place for place in range(most) if one[place] != other[place]), most)


def _is_better(joined: Group, group: Group, alone: Group, max_tokens: int, max_rows: int) -> bool:
    fits = joined.tokens <= max_tokens and len(joined.rows) <= max_rows
    return fits and joined.tokens < group.tokens + alone.tokens


def layout_of(group: Group, rows: Sequence[Encoded], choice: float = 0.0) -> Layout:
    """The group's sequence. The first tokens of an answer have `choice` of its loss and their part of the rest."""
    first = rows[group.rows[0]]
    ids: list[int] = list(first.prompt[: group.prefix])
    positions = list(range(group.prefix))
    learned: list[int] = []
    targets: list[int] = []
    owner: list[int] = []
    shares: list[float] = []
    starts: list[int] = []
    for place, number in enumerate(group.rows):
        row = rows[number]
        told = (*row.prompt, *row.completion)
        starts.append(len(ids))
        # Without a prompt, nothing is there to be asked for the first token.
        begin = max(len(row.prompt) - 1, 0)
        asked = range(begin, len(told) - 1)
        learned += [starts[-1] + at - group.prefix for at in asked]
        targets += [told[at + 1] for at in asked]
        owner += [place] * len(asked)
        shares += _shares(len(asked), choice)
        ids += told[group.prefix : -1]
        positions += range(group.prefix, len(told) - 1)
    mask = _mask(group.prefix, starts, len(ids)) if len(group.rows) > 1 else None
    return Layout(
        _array(ids),
        _array(positions),
        group.prefix,
        mask,
        _array(learned),
        _array(targets),
        _array(owner),
        np.array(shares, np.float32),
    )


def _shares(tokens: int, choice: float) -> list[float]:
    if not tokens:
        return []
    first = min(_CHOICE_TOKENS, tokens)
    each = (1 - choice) / tokens
    return [each + choice / first] * first + [each] * (tokens - first)


def _array(numbers: list[int]) -> Ints:
    return np.array(numbers, np.int64)


def _mask(prefix: int, starts: Sequence[int], length: int) -> Bools:
    part = np.full(length, -1)
    for number, start in enumerate(starts):
        part[start:] = number
    part[:prefix] = -1
    is_seen = (part[None, :] == -1) | (part[None, :] == part[:, None])
    seen: Bools = is_seen & np.tri(length, dtype=np.bool_)
    return seen


def steps_of(groups: Sequence[Group], *, rows_a_step: int, seed: int, epoch: int) -> list[list[Group]]:
    """The steps of an epoch: groups in an order that seed and epoch decide, as many a step as `rows_a_step` lets in.

    A larger group is a step of its own.
    """
    order = list(groups)
    random.Random(f"{seed}:{epoch}").shuffle(order)
    steps: list[list[Group]] = []
    room = 0
    for group in order:
        if not steps or len(group.rows) > room:
            steps.append([])
            room = rows_a_step
        steps[-1].append(group)
        room -= len(group.rows)
    return steps


def plan(groups: Sequence[Group], *, rows_a_step: int, epochs: float, seed: int) -> list[list[Group]]:
    """All steps of a training; the last epoch may be a part of one."""
    steps: list[list[Group]] = []
    for epoch in range(math.ceil(epochs)):
        one = steps_of(groups, rows_a_step=rows_a_step, seed=seed, epoch=epoch)
        steps += one[: math.ceil(len(one) * min(epochs - epoch, 1.0))]
    return steps


def sample(groups: Sequence[Group], rows: int, *, seed: int) -> list[Group]:
    """Groups with at least so many rows together, where there are, the same ones for a seed."""
    order = list(groups)
    random.Random(seed).shuffle(order)
    taken: list[Group] = []
    count = 0
    for group in order:
        if count >= rows:
            break
        taken.append(group)
        count += len(group.rows)
    return taken
