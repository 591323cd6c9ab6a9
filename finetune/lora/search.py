"""Looks for a better recipe: Optuna over rank, rate, dropout, epochs and passages, within a declared cost.

The same seed proposes the same trials, also when a search was killed on the way: a proposal depends on the seed, on how many
trials are finished and on what they found, and on nothing that a killed process took with it. The tree-structured Parzen
estimator is Bergstra et al. 2011, pruning by the median Golovin et al. 2017. Knows nothing of training: `objective` is given.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from filelock import FileLock, Timeout
from pydantic import Field

from finetune.lora.recipe import Count, Positive, Recipe
from finetune.yaml_file import Strict, TrainingDataError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

Params = Mapping[str, Any]
Clock = Callable[[], float]
# Of trials: their cost, and why one ended before its end.
_SPENT, _ENDED, _REPEATS = "spent", "ended", "repeats"
_TRIES = 20
# Finished trials before pruning begins, and before proposals follow from what was found.
_BEFORE_PRUNING, _BEFORE_MODEL = 3, 6


class Space(Strict):
    """What is tried. A list with one value, or none for `passages`, isn't searched."""

    rank: Annotated[list[Count], Field(min_length=1)] = [8, 16, 32]
    learning_rate: tuple[Positive, Positive] = Field((5e-5, 1e-3), description="Least and most.")
    dropout: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)] = [0.0, 0.05, 0.1]
    epochs: Annotated[list[Positive], Field(min_length=1)] = [1.0, 2.0, 3.0]
    passages: list[Count] = Field([], description="Passages of a set; each needs a dataset of its own.")


@dataclass(frozen=True, slots=True)
class Goal:
    """The metric that decides, on the dataset's own development rows."""

    metric: str
    direction: Literal["minimize", "maximize"]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many trials, and what all of them and each may cost, in seconds or in tokens that are read."""

    trials: int
    limit: float
    unit: Literal["seconds", "tokens"] = "seconds"
    a_trial: float = math.inf


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial: `finished` with a value, `pruned`, over its `cost`, or `failed`, with the reason."""

    number: int
    params: Params
    state: Literal["finished", "pruned", "cost", "failed"]
    value: float | None
    spent: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The best recipe with its value, all that was tried, what it cost, and why the search ended."""

    recipe: Recipe
    value: float
    tried: tuple[Tried, ...]
    spent: float
    why: str


class SearchEndedError(Exception):
    """The cost limit was met within a trial; what it had begun is begun again when the limit is raised."""


@dataclass
class Report:
    """What an objective calls while it works: `report(step, value)` says whether to go on, `spend` counts tokens.

    Values are in the direction of the goal; they decide about pruning alone.
    """

    _trial: "Trial"
    _budget: Budget
    _before: float
    _clock: Clock
    ended: str = ""
    _tokens: int = 0
    _begun: float = field(init=False)
    _steps: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._begun = self._clock()

    @property
    def spent(self) -> float:
        """What the trial has cost so far."""
        return self._clock() - self._begun if self._budget.unit == "seconds" else float(self._tokens)

    def spend(self, tokens: int) -> None:
        """Count tokens that were read."""
        self._tokens += tokens

    def __call__(self, step: int, value: float) -> bool:
        """Tell a value. Whether to go on: where not, the objective returns what it has, and that counts for nothing."""
        self._trial.set_user_attr(_SPENT, self.spent)
        if self.ended:
            return False
        if step not in self._steps and math.isfinite(value):
            self._steps.add(step)
            self._trial.report(value, step)
            if self._trial.should_prune():
                self.ended = "pruned"
        self.check()
        return not self.ended

    def check(self) -> None:
        """End the trial where it costs too much."""
        if self._before + self.spent > self._budget.limit:
            self.ended = "limit"
        elif self.spent > self._budget.a_trial:
            self.ended = "cost"


Objective = Callable[[Recipe, Report], float]


def search(
    recipe: Recipe,
    objective: Objective,
    *,
    storage: Path,
    goal: Goal,
    budget: Budget,
    space: Space | None = None,
    made_of: str = "",
    clock: Clock = time.monotonic,
) -> Found:
    """Try recipes until the trials or the cost are used up; the best by the goal, of those within the cost.

    `storage` is an SQLite file, in which the same search goes on: the same recipe, space, goal and data (`made_of`). The first
    trial is the recipe itself, where the space has it. Raises `TrainingDataError` where no trial was finished, and where
    another process searches.
    """
    space = space or Space.model_validate({})
    with _alone(storage), _study(recipe, storage, goal, space, made_of) as study:
        why = _tried_out(study, recipe, objective, budget, space, clock)
        return _found(study, recipe, goal, budget, why)


@contextmanager
def _alone(storage: Path) -> Iterator[None]:
    storage.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{storage}.lock", timeout=0):
            yield
    except Timeout as exc:
        raise TrainingDataError(f"Another process searches in {str(storage)!r}. Wait until it ends.") from exc


@contextmanager
def _study(recipe: Recipe, storage: Path, goal: Goal, space: Space, made_of: str) -> "Iterator[Study]":
    """The study of this search. Trials that a killed process left are ended, without a trace in what is proposed."""
    try:
        import optuna
    except ImportError as exc:
        raise TrainingDataError(f"{exc.name!r} is not installed: pip install -e .[finetune]") from exc
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    told = [
        recipe.model_dump(mode="json"),
        space.model_dump(mode="json"),
        goal.metric,
        goal.direction,
        made_of,
    ]
    digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    database = optuna.storages.RDBStorage(f"sqlite:///{storage}")
    try:
        study = optuna.create_study(
            study_name=f"{recipe.name}-{digest}",
            storage=database,
            direction=goal.direction,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=1),
            load_if_exists=True,
        )
        running = optuna.trial.TrialState.RUNNING
        for trial in study.get_trials(deepcopy=False, states=[running]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield study
    finally:
        database.remove_session()
        database.engine.dispose()


def _tried_out(
    study: "Study", recipe: Recipe, objective: Objective, budget: Budget, space: Space, clock: Clock
) -> str:
    """Try until something ends it; what did."""
    while True:
        tried = _all_tried(study)
        before = _spent(study)
        if len(tried) >= budget.trials:
            return f"all {budget.trials} trials are done"
        if before >= budget.limit:
            return f"the cost limit of {budget.limit:g} {budget.unit} is met"
        trial = _proposed(study, recipe, space, len(tried))
        if trial is None:
            return "every combination was tried"
        try:
            _run(study, trial, recipe, objective, Report(trial, budget, before, clock))
        except SearchEndedError:
            return f"the cost limit of {budget.limit:g} {budget.unit} is met"


def _proposed(study: "Study", recipe: Recipe, space: Space, index: int) -> "Trial | None":
    """The trial of this number among the finished ones: of the same seed the same one. None where only repeats are found."""
    import optuna

    distributions = _distributions(space)
    seen = [dict(one.params) for one in _all_tried(study)]
    for attempt in range(_TRIES):
        mixed = sha256(f"{recipe.seed}/{index}/{attempt}".encode()).digest()[:4]
        study.sampler = optuna.samplers.TPESampler(seed=int.from_bytes(mixed), n_startup_trials=_BEFORE_MODEL)
        own = _own_params(recipe, space) if index == attempt == 0 else None
        if own is not None:
            study.enqueue_trial(own)
        trial = study.ask(distributions)
        if dict(trial.params) not in seen:
            return trial
        trial.set_user_attr(_REPEATS, True)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    lists = {name: getattr(space, name) for name in ("rank", "dropout", "epochs", "passages")}
    found: dict[str, Any] = {
        name: CategoricalDistribution(values) for name, values in lists.items() if values
    }
    low, high = space.learning_rate
    return found | {"learning_rate": FloatDistribution(low, high, log=True)}


def _own_params(recipe: Recipe, space: Space) -> dict[str, Any] | None:
    """The recipe's own values; None where the space lacks one of them."""
    training = recipe.training
    own: dict[str, Any] = {
        name: getattr(training, name) for name in ("rank", "dropout", "epochs", "learning_rate")
    }
    if space.passages:
        own["passages"] = recipe.data.documents.passages
    low, high = space.learning_rate
    inside = low <= training.learning_rate <= high
    listed = all(value in getattr(space, name) for name, value in own.items() if name != "learning_rate")
    return own if inside and listed else None


def _run(study: "Study", trial: "Trial", recipe: Recipe, objective: Objective, report: Report) -> None:
    from optuna.trial import TrialState

    try:
        value = objective(with_params(recipe, trial.params), report)
        report.check()
    except TrainingDataError as exc:
        trial.set_user_attr(_SPENT, report.spent)
        trial.set_user_attr(_ENDED, f"failed: {exc}")
        study.tell(trial, state=TrialState.FAIL)
        return
    trial.set_user_attr(_SPENT, report.spent)
    if report.ended == "limit":
        study.tell(trial, state=TrialState.FAIL)
        raise SearchEndedError
    if not report.ended and not math.isfinite(value):
        report.ended = "failed: its metric is no number"
    if not report.ended:
        study.tell(trial, value)
        return
    trial.set_user_attr(_ENDED, report.ended)
    study.tell(trial, state=TrialState.PRUNED if report.ended == "pruned" else TrialState.FAIL)


def with_params(recipe: Recipe, params: Params) -> Recipe:
    """The recipe with the values of a trial. Raises `TrainingDataError` for values that don't go together."""
    raw = recipe.model_dump()
    for name, value in params.items():
        section = raw["data"]["documents"] if name == "passages" else raw["training"]
        section[name] = value
    try:
        return Recipe.model_validate(raw)
    except ValueError as exc:
        raise TrainingDataError(f"The values {dict(params)} don't go together: {exc}") from exc


def _spent(study: "Study") -> float:
    """What all trials have cost, also those that were killed."""
    return sum(float(one.user_attrs.get(_SPENT, 0.0)) for one in study.get_trials(deepcopy=False))


def _all_tried(study: "Study") -> list[Any]:
    """Trials that came to an end, in their order: neither killed, nor repeats, nor cut by the limit of the search."""
    return [one for one in study.get_trials(deepcopy=False) if one.state.is_finished() and _has_ended(one)]


def _has_ended(trial: "FrozenTrial") -> bool:
    return trial.value is not None or bool(trial.user_attrs.get(_ENDED))


def _told(number: int, trial: "FrozenTrial") -> Tried:
    state, _, reason = str(trial.user_attrs.get(_ENDED, "finished")).partition(": ")
    return Tried(
        number=number,
        params=dict(trial.params),
        state=state,  # type: ignore[arg-type]
        value=trial.value if state == "finished" else None,
        spent=float(trial.user_attrs.get(_SPENT, 0.0)),
        reason=reason,
    )


def _found(study: "Study", recipe: Recipe, goal: Goal, budget: Budget, why: str) -> Found:
    tried = tuple(_told(number, trial) for number, trial in enumerate(_all_tried(study)))
    spent = _spent(study)
    sign = 1 if goal.direction == "minimize" else -1
    finished = [(sign * one.value, one.number) for one in tried if one.value is not None]
    if not finished:
        reasons = sorted({one.reason for one in tried if one.reason})
        raise TrainingDataError(
            f"No trial was finished within {budget.limit:g} {budget.unit} ({why}). Raise the limit, or search on fewer rows."
            + "".join(f" A trial failed: {reason}" for reason in reasons[:2])
        )
    best = tried[min(finished)[1]]
    assert best.value is not None, "it is finished"
    return Found(with_params(recipe, best.params), best.value, tried, spent, why)
