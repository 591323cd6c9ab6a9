"""An experiment as it runs: what was declared, and the epochs that it has gone through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.scope import Experiment

EpochStage = Literal["shadow", "canary", "ab", "paused", "stopped", "promoted"]
# Stages in which the people who ask meet the arms.
LIVE: frozenset[str] = frozenset({"canary", "ab", "promoted"})
ENDED: frozenset[str] = frozenset({"stopped", "promoted"})


@dataclass(frozen=True, slots=True)
class Epoch:
    """A stretch of time with one stage and one split. `coverage` is in percent, `weights` by arm too."""

    number: int
    stage: EpochStage
    coverage: float
    weights: Mapping[str, float]
    begins_at: datetime
    created_at: datetime
    created_by: str
    reason: str

    @property
    def is_live(self) -> bool:
        """Whether people meet arms in it."""
        return self.stage in LIVE

    @property
    def shares(self) -> dict[str, float]:
        """The chance of each arm for a unit that takes part."""
        total = sum(self.weights.values())
        return {arm: weight / total for arm, weight in self.weights.items()} if total else {}


@dataclass(frozen=True, slots=True)
class RunningExperiment:
    """What was declared at the first start, with the digests of its variants then, and its epochs in their order."""

    name: str
    declared: Experiment
    digest: str
    variants: Mapping[str, str]
    epochs: tuple[Epoch, ...]

    def epoch_at(self, moment: datetime) -> Epoch | None:
        """The epoch that rules at a moment: the last that has begun."""
        begun = [one for one in self.epochs if one.begins_at <= moment]
        return max(begun, key=lambda one: one.number) if begun else None

    def state_at(self, moment: datetime) -> str:
        """Its stage in a word; `starting` before the first epoch begins."""
        epoch = self.epoch_at(moment)
        return epoch.stage if epoch else "starting"


def last_stage(epochs: Sequence[Epoch]) -> str | None:
    """The stage of the newest epoch, which may not have begun yet."""
    return epochs[-1].stage if epochs else None
