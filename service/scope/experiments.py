"""Experiments of the scope file: who is asked, which variants are compared, by which figure, and until when."""

import hashlib
import json
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.scope.strict import Strict

Unit = Literal["subject", "tenant", "conversation"]
# The way of a treatment to everybody: beside the control, unseen; for a few; for its share; for all.
Stage = Literal["shadow", "canary", "ab"]
STAGES: tuple[Stage, ...] = ("shadow", "canary", "ab")
Method = Literal["hybrid", "fixed", "sequence"]
_PERCENT = 100
_ARMS = 10


class Arm(Strict):
    """A variant in an experiment, and its share of the units."""

    variant: str = Field(description="Variant that answers.")
    weight: Annotated[float, Field(gt=0, le=_PERCENT)] = Field(
        description="Percent of the units; the weights of all arms add up to 100."
    )


class Guardrail(Strict):
    """A figure that may not get worse."""

    margin: Annotated[float, Field(ge=0)] = Field(
        description="How much worse the treatment may be, in the metric's own unit."
    )


class Plan(Strict):
    """What is looked for, how surely, and until when. It can't be changed once somebody met an arm."""

    effect: Annotated[float, Field(gt=0)] = Field(
        description="Smallest difference of the primary metric that matters, in its own unit."
    )
    power: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.8, description="Chance to find a difference of that size."
    )
    alpha: Annotated[float, Field(gt=0, le=0.2)] = Field(
        0.05, description="Chance to find a difference where there is none."
    )
    ends: date = Field(description="Planned end, at which the fixed test is made; the day in UTC.")
    method: Method = Field(
        "hybrid",
        description="`hybrid`: a sequence that may be looked at any time, and a fixed test at the end; `fixed`: only the"
        " test at the end; `sequence`: only the sequence.",
    )


class Shadow(Strict):
    """How much is asked of the treatments while nobody sees their answers."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="Share of the questions.")
    answers_a_day: Annotated[int, Field(ge=1)] = Field(
        500, description="Most answers of a day, in each process that serves."
    )


class Canary(Strict):
    """The few that meet the treatments first."""

    coverage: Annotated[float, Field(gt=0, le=_PERCENT)] = Field(
        10, description="Percent of the units that take part; of these, the arms have their weights."
    )


class Cohort(Strict):
    """Who may take part, where it isn't everybody; it is enough to be in one of the two lists."""

    subjects: list[str] = Field([], description="Subjects (`user` of a request) that take part.")
    groups: list[str] = Field([], description="Groups of keys whose requests take part.")


class LayerSlice(Strict):
    """A part of a layer. Experiments with separate parts of one layer never share a unit."""

    name: Annotated[str, Field(min_length=1, max_length=60)] = Field(description="The layer.")
    start: Annotated[float, Field(ge=0, lt=_PERCENT)] = Field(
        0, description="Where the part begins, in percent."
    )
    end: Annotated[float, Field(gt=0, le=_PERCENT)] = Field(
        _PERCENT, description="Where it ends, in percent."
    )

    @model_validator(mode="after")
    def _is_no_empty_slice(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"the part from {self.start:g} to {self.end:g} percent is empty")
        return self

    def overlaps(self, other: "LayerSlice") -> bool:
        """Whether the two share units."""
        return self.name == other.name and self.start < other.end and other.start < self.end


class Experiment(Strict):
    """Variants compared on the people who ask."""

    hypothesis: Annotated[str, Field(min_length=1, max_length=1_000)] = Field(
        description="What you expect, and why, in a sentence."
    )
    assistant: str = Field(description="Assistant whose questions it is about.")
    unit: Unit = Field(
        "subject",
        description="Who keeps an arm: the `subject` (the request's `user`; without one, the conversation), the `tenant`"
        " (the API key), or the `conversation`.",
    )
    arms: Annotated[dict[str, Arm], Field(min_length=2, max_length=_ARMS)] = Field(
        description="Arms by name; the first is the control."
    )
    coverage: Annotated[float, Field(ge=0, le=_PERCENT)] = Field(
        _PERCENT, description="Percent of the units that take part in the stage `ab`."
    )
    layer: LayerSlice | None = Field(
        None, description="Part of a layer, for experiments that exclude each other."
    )
    cohort: Cohort | None = Field(None, description="Who may take part, for a pilot; everybody without it.")
    primary: str = Field(description="The one metric that decides.")
    secondary: list[str] = Field([], description="Metrics that are shown beside it and decide nothing.")
    guardrails: dict[str, Guardrail] = Field(
        {}, description="Metrics that may not get worse by more than a margin."
    )
    plan: Plan = Field(description="What is looked for, how surely, and until when.")
    stages: Annotated[list[Stage], Field(min_length=1)] = Field(
        ["canary", "ab"], description="Stages it goes through, in the order `shadow`, `canary`, `ab`."
    )
    shadow: Shadow = Field(Shadow.model_validate({}), description="How much the stage `shadow` asks.")
    canary: Canary = Field(Canary.model_validate({}), description="How many the stage `canary` covers.")

    @property
    def control(self) -> str:
        """The name of the arm that the others are compared with."""
        return next(iter(self.arms))

    @property
    def treatments(self) -> list[str]:
        """The names of the other arms."""
        return list(self.arms)[1:]

    @property
    def metrics(self) -> list[str]:
        """Every metric that it names, the primary first."""
        return list(dict.fromkeys([self.primary, *self.guardrails, *self.secondary]))

    @property
    def digest(self) -> str:
        """Of everything that is declared, the order of the arms too; 16 hexadecimal digits."""
        content = json.dumps([list(self.arms), self.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def coverage_of(self, stage: Stage) -> float:
        """Percent of the units that take part in a stage."""
        return self.canary.coverage if stage == "canary" else self.coverage

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = sum(arm.weight for arm in self.arms.values())
        if abs(total - _PERCENT) > 1e-6:
            raise ValueError(f"the arms' weights add up to {total:g} percent instead of 100")
        wrong = [name for name in self.arms if not 0 < len(name) <= 60]
        if wrong:
            raise ValueError(f"the arm's name {wrong[0]!r} has no letters or more than 60")
        if sorted(self.stages, key=STAGES.index) != self.stages or len(set(self.stages)) < len(self.stages):
            raise ValueError(f"stages: {self.stages} are not in the order {list(STAGES)}")
        return self


def check_experiments(experiments: dict[str, Experiment]) -> None:
    """Raise `ValueError` for two experiments of a layer that share units."""
    named = [(name, one.layer) for name, one in experiments.items() if one.layer]
    for index, (name, layer) in enumerate(named):
        for other, second in named[index + 1 :]:
            if layer.overlaps(second):
                raise ValueError(f"experiments {name!r} and {other!r} overlap in the layer {layer.name!r}")
