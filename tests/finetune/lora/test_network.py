"""What is shared changes nothing: losses and gradients are those of the rows one by one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finetune.lora.batches import groups_of, layout_of
from finetune.lora.template import Encoded, Template
from tests.finetune.lora import tiny

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
network_of = pytest.importorskip("finetune.lora.network")
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture
def network(base: Path):
    made = network_of.load_network(tiny.recipe(base), base, "float32")
    # A fresh adapter does nothing; this one does.
    torch.manual_seed(5)
    for weight in made.weights:
        torch.nn.init.normal_(weight, std=0.2)
    return made


def encoded(base: Path) -> list[Encoded]:
    template = Template(base)
    return [template.encode(row) for row in tiny.rows(2, 4)]


def learned(network, rows: list[Encoded], *, is_shared: bool):
    """Losses by row, and the gradients of their sum weighted by row."""
    losses = {}
    for weight in network.weights:
        weight.grad = None
    groups = groups_of(rows, max_tokens=10_000, max_rows=16, is_shared=is_shared)
    for group in groups:
        found = network.losses(layout_of(group, rows))
        weights = torch.tensor([1.0 + number for number in group.rows])
        (found * weights).sum().backward()
        losses |= dict(zip(group.rows, found.tolist(), strict=True))
    return groups, losses, [weight.grad.clone() for weight in network.weights]


def test_shared_prefixes_give_the_losses_and_gradients_of_the_rows_one_by_one(network, base: Path) -> None:
    rows = encoded(base)
    groups, shared, gradients = learned(network, rows, is_shared=True)
    assert sorted(len(group.rows) for group in groups) == [4, 4]
    alone_groups, alone, wanted = learned(network, rows, is_shared=False)
    assert len(alone_groups) == 8
    assert shared == pytest.approx(alone, abs=1e-5)
    assert max(loss for loss in alone.values()) > 1
    for one, other in zip(gradients, wanted, strict=True):
        assert float((one - other).abs().max()) <= 1e-5 * max(1.0, float(other.abs().max()))
        assert float(other.abs().max()) > 1e-3


def test_losses_are_those_of_transformers_own_forward(network, base: Path) -> None:
    row = encoded(base)[0]
    ids = torch.tensor([[*row.prompt, *row.completion]])
    labels = ids.clone()
    labels[0, : len(row.prompt)] = -100
    with network.evaluating():
        wanted = float(network.model(input_ids=ids, labels=labels).loss)
        (group,) = groups_of([row], max_tokens=500, max_rows=1)
        assert float(network.losses(layout_of(group, [row]))[0]) == pytest.approx(wanted, abs=1e-5)


def test_a_continuation_never_sees_another(network, base: Path) -> None:
    rows = encoded(base)[:4]
    (group,) = groups_of(rows, max_tokens=10_000, max_rows=16)
    layout = layout_of(group, rows)
    victim = rows[group.rows[0]]
    others = np.array([at for at, place in enumerate(layout.owner) if place != 0])
    with network.evaluating():
        before = network.logits(layout)
        ids = layout.ids.copy()
        start = group.prefix
        ids[start : start + len(victim) - 1 - group.prefix] = 11
        changed = replace(layout, ids=ids)
        after = network.logits(changed)
    assert torch.equal(before[others], after[others])
    own = np.array([at for at, place in enumerate(layout.owner) if place == 0])
    assert float((before[own] - after[own]).abs().max()) > 1e-2


def test_a_frugal_network_learns_the_same(base: Path) -> None:
    rows = encoded(base)
    found = []
    for is_frugal in (False, True):
        made = network_of.load_network(tiny.recipe(base), base, "float32", is_frugal=is_frugal)
        found.append(learned(made, rows, is_shared=True))
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-6)
    for one, other in zip(found[0][2], found[1][2], strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_heads_and_embeddings_stay_as_they_are(network) -> None:
    learnt = {name for name, weight in network.model.named_parameters() if weight.requires_grad}
    assert not [name for name in learnt if "lm_head" in name or "embed_tokens" in name]
    assert len(learnt) == 2 * 7 * 2
    assert {weight.dtype for weight in network.weights} == {torch.float32}


def test_an_adapter_that_was_taken_is_the_one_that_was_given(network, base: Path) -> None:
    kept = network.adapter()
    other = network_of.load_network(tiny.recipe(base), base, "float32")
    other.take(kept)
    assert all(torch.equal(one, kept[name]) for name, one in other.adapter().items())
