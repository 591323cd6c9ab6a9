"""A search proposes the same trials for the same seed, goes on after a kill without repeating one, and keeps its limit."""

import itertools
import math
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune.lora.recipe import Recipe, load_recipe
from finetune.lora.search import Budget, Found, Goal, Report, Space, search
from finetune.lora.searched import write_best
from finetune.yaml_file import TrainingDataError

pytest.importorskip("optuna", reason="needs the extra `finetune`")
LOSS = Goal("loss", "minimize")
SPACE = Space(
    rank=[4, 8, 16], learning_rate=(1e-5, 1e-2), dropout=[0.0, 0.1], epochs=[1.0, 2.0], passages=[2, 5]
)


def recipe(seed: int = 7) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "support",
            "assistant": "support",
            "base": {"path": "var/model", "served_as": "model", "licence": "MIT"},
            "training": {"rank": 8, "learning_rate": 1e-4},
            "seed": seed,
        }
    )


def loss_of(one: Recipe) -> float:
    """Least at a rate of 1e-3, rank 16, no dropout, two epochs."""
    training = one.training
    return (
        (math.log10(training.learning_rate) + 3) ** 2
        + abs(training.rank - 16) / 16
        + training.dropout
        + (2 - training.epochs) / 4
        + abs(one.data.documents.passages - 5) / 10
    )


def objective(one: Recipe, report: Report) -> float:
    for step in range(1, 6):
        if not report(step, loss_of(one) + 5 / step):
            break
    return loss_of(one)


def no_pruning(one: Recipe, report: Report) -> float:
    return loss_of(one)


def found(
    storage: Path,
    work: Callable[[Recipe, Report], float] = objective,
    *,
    trials: int = 14,
    limit: float = math.inf,
    seed: int = 7,
    goal: Goal = LOSS,
) -> Found:
    return search(recipe(seed), work, storage=storage, goal=goal, budget=Budget(trials, limit), space=SPACE)


def keys(one: Found) -> list[object]:
    return [(trial.params, trial.state, trial.value) for trial in one.tried]


def test_the_same_seed_tries_the_same_and_another_one_something_else(tmp_path: Path) -> None:
    first, again, other = (found(tmp_path / str(i), seed=seed) for i, seed in enumerate((7, 7, 8)))
    assert keys(first) == keys(again)
    assert keys(first)[1:] != keys(other)[1:]


def test_the_recipe_itself_is_tried_first_and_the_best_is_no_worse(tmp_path: Path) -> None:
    result = found(tmp_path / "db")
    own = result.tried[0].params
    assert (own["rank"], own["learning_rate"], own["passages"]) == (8, 1e-4, 5)
    finished = [trial.value for trial in result.tried if trial.value is not None]
    assert result.value == min(finished) < loss_of(recipe())
    assert loss_of(result.recipe) == result.value
    assert result.why == "all 14 trials are done"


def test_what_is_to_be_large_is_maximised(tmp_path: Path) -> None:
    result = found(tmp_path / "db", lambda one, report: -loss_of(one), goal=Goal("exact", "maximize"))
    assert result.value == max(trial.value for trial in result.tried if trial.value is not None)


def test_it_prunes_what_lags_behind_the_median(tmp_path: Path) -> None:
    steps: list[int] = []

    def counting(one: Recipe, report: Report) -> float:
        count = next(
            step for step in itertools.count(1) if step == 6 or not report(step, loss_of(one) + 5 / step)
        )
        steps.append(count)
        return loss_of(one)

    result = found(tmp_path / "db", counting)
    pruned = [trial for trial in result.tried if trial.state == "pruned"]
    assert pruned
    assert all(trial.value is None and loss_of_params(trial.params) > result.value for trial in pruned)
    assert [trial.state == "pruned" for trial in result.tried] == [count < 6 for count in steps]


def loss_of_params(params: object) -> float:
    from finetune.lora.search import with_params

    return loss_of(with_params(recipe(), params))  # type: ignore[arg-type]


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.finetune.lora import test_search as t
left = int(sys.argv[2])
def killed(one, report):
    global left
    for step in range(1, 6):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        if not report(step, t.loss_of(one) + 5 / step):
            break
    return t.loss_of(one)
t.found(Path(sys.argv[1]), killed)
"""


def test_after_kills_it_goes_on_as_if_there_had_been_none(tmp_path: Path) -> None:
    whole = found(tmp_path / "whole")
    for steps in (3, 21):
        command = [sys.executable, "-c", _KILLED, str(tmp_path / "killed"), str(steps)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    asked: list[float] = []

    def counting(one: Recipe, report: Report) -> float:
        asked.append(one.training.learning_rate)
        return objective(one, report)

    resumed = found(tmp_path / "killed", counting)
    assert keys(resumed) == keys(whole)
    params = [tuple(sorted(trial.params.items())) for trial in resumed.tried]
    assert len(set(params)) == len(params) == 14
    assert 0 < len(asked) < 14


def test_a_search_that_is_done_asks_nothing_more(tmp_path: Path) -> None:
    before = found(tmp_path / "db")

    def never(one: Recipe, report: Report) -> float:
        raise AssertionError("it is done")

    assert found(tmp_path / "db", never) == before


def test_more_trials_go_on_where_it_ended(tmp_path: Path) -> None:
    assert keys(found(tmp_path / "whole", trials=9)) == [
        *keys(found(tmp_path / "parts", trials=4)),
        *keys(found(tmp_path / "parts", trials=9))[4:],
    ]


class Hours:
    """A clock that a trial moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_cost_limit_holds_within_a_trial_too_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    clock = Hours()

    def working(one: Recipe, report: Report) -> float:
        for step in range(1, 11):
            clock.now += 1
            if not report(step, 1.0):
                break
        return loss_of(one)

    def limited(limit: float) -> Found:
        budget = Budget(20, limit)
        return search(
            recipe(), working, storage=tmp_path / "db", goal=LOSS, budget=budget, space=SPACE, clock=clock
        )

    result = limited(35)
    assert clock.now <= 36
    assert len(result.tried) == 3
    assert "cost limit of 35 seconds" in result.why
    assert result.spent <= 36
    more = limited(61)
    assert keys(more)[:3] == keys(result)
    assert len(more.tried) == 5
    assert clock.now <= 62


def test_tokens_are_a_cost_and_one_trial_has_a_limit_of_its_own(tmp_path: Path) -> None:
    def reading(one: Recipe, report: Report) -> float:
        for step in range(1, 4):
            report.spend(one.training.rank * 10)
            if not report(step, 1.0):
                break
        return loss_of(one)

    budget = Budget(12, 6_000, "tokens", a_trial=300)
    result = search(recipe(), reading, storage=tmp_path / "db", goal=LOSS, budget=budget, space=SPACE)
    states = {trial.params["rank"]: trial.state for trial in result.tried}
    assert states[16] == "cost"
    assert all(states[rank] == "finished" for rank in (4, 8))
    assert result.recipe.training.rank < 16
    assert result.spent == sum(trial.spent for trial in result.tried)


def test_a_recipe_that_cant_be_trained_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    def failing(one: Recipe, report: Report) -> float:
        if one.training.rank == 16:
            raise TrainingDataError("Too little memory for rank 16.")
        return math.nan if one.training.dropout else loss_of(one)

    result = found(tmp_path / "db", failing)
    reasons = {trial.reason for trial in result.tried if trial.state == "failed"}
    assert reasons == {"Too little memory for rank 16.", "its metric is no number"}
    assert result.recipe.training.rank < 16
    assert not result.recipe.training.dropout


def test_where_nothing_was_finished_the_reason_is_told(tmp_path: Path) -> None:
    def failing(one: Recipe, report: Report) -> float:
        raise TrainingDataError("There is no base model.")

    with pytest.raises(TrainingDataError, match=r"No trial was finished .*There is no base model"):
        found(tmp_path / "db", failing, trials=2)


def test_a_small_space_is_tried_out_once(tmp_path: Path) -> None:
    space = Space(rank=[4, 8], learning_rate=(1e-4, 1e-4), dropout=[0.0], epochs=[1.0], passages=[])
    result = search(
        recipe(), no_pruning, storage=tmp_path / "db", goal=LOSS, budget=Budget(9, 1e9), space=space
    )
    assert sorted(trial.params["rank"] for trial in result.tried) == [4, 8]
    assert result.why == "every combination was tried"


def test_two_processes_dont_search_at_once(tmp_path: Path) -> None:
    def inside(one: Recipe, report: Report) -> float:
        with pytest.raises(TrainingDataError, match="Another process searches"):
            found(tmp_path / "db", trials=1)
        return 1.0

    assert found(tmp_path / "db", inside, trials=1).value == 1.0


def test_the_best_recipe_is_a_file_that_says_what_was_tried(tmp_path: Path) -> None:
    result = found(tmp_path / "db")
    write_best(tmp_path / "found" / "best.yaml", result, LOSS, Budget(14, math.inf))
    text = (tmp_path / "found" / "best.yaml").read_text()
    assert load_recipe(tmp_path / "found" / "best.yaml") == result.recipe
    assert text.count("learning_rate ") == 14
    assert "pruned" in text
