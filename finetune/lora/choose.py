"""Which model? Candidates weighed by what the team said that it wants, before they were measured.

Every criterion is scaled between a worst and a best value that the file states, weighted and added up. A limit that isn't met
disqualifies; what can't be measured is shown with its reason and never dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from finetune.lora.licences import LicenceVerdict
from finetune.lora.recipe import Licences
from finetune.yaml_file import Strict, TrainingDataError, read

Criterion = Literal["quality", "first_token_s", "total_s", "cost", "context_tokens", "licence", "memory_gib"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
ABOUT: Mapping[Criterion, str] = {
    "quality": "mean of four shares: own texts that hold the gold answer, citations of the right passage (times the share of"
    " answers that the documents didn't give in its stead), unanswerable questions that abstained, answerable ones that didn't",
    "first_token_s": "seconds to the first token, median of the probe's requests",
    "total_s": "seconds to the last token, median of the probe's requests",
    "cost": "of 1,000 answers like the probe's, from the file's prices",
    "context_tokens": "longest prompt with its answer, as the server or the file says",
    "licence": "1 where the list allows it, 0.5 where a person approved it",
    "memory_gib": "GiB of memory that it takes, as the file says",
}
_LICENCE_VALUE = {"allowed": 1.0, "approved": 0.5, "refused": 0.0}
# What `touchstone evals` says of a generator, by the end of its name.
SHARES = tuple(
    f".generated.{name}" for name in ("bare.contains", "cited_right", "abstention.recall", "abstention.false")
)
# Two whose scores differ by less are told as equals.
_EQUAL = 0.01


class Rate(Strict):
    """What a candidate costs: by tokens, by the hour of its machine, or both."""

    prompt: Annotated[float, Field(ge=0)] = Field(0.0, description="A million tokens of prompts.")
    completion: Annotated[float, Field(ge=0)] = Field(0.0, description="A million tokens of answers.")
    hour: Annotated[float, Field(ge=0)] = Field(
        0.0, description="An hour of its machine, which answers one question at a time."
    )


class Candidate(Strict):
    """A model behind an endpoint that speaks OpenAI's protocol."""

    name: str = Field(min_length=1)
    endpoint: str = Field(
        min_length=1, description="Base URL, or a generator of the scope file, which has its key."
    )
    licence: str | None = Field(None, description="Licence of the weights or terms of the service.")
    price: Rate | None = None
    context_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Where the server doesn't tell."
    )
    memory_gib: Annotated[float, Field(gt=0)] | None = None


class Scale(Strict):
    """The values that get 0 and 1; what is beyond them gets no more."""

    worst: float
    best: float

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.worst == self.best:
            raise ValueError("`worst` and `best` are the same: nothing can be told apart")
        return self

    def of(self, value: float) -> float:
        """A value on the scale, from 0 to 1."""
        return min(max((value - self.worst) / (self.best - self.worst), 0.0), 1.0)


class Limit(Strict):
    """What a candidate must have at least or at most."""

    least: float | None = None
    most: float | None = None

    def fault(self, value: float | None) -> str | None:
        """Why a value doesn't do; None where it does."""
        if value is None:
            return "is not known"
        if self.least is not None and value < self.least:
            return f"is {value:.4g}, and {self.least:.4g} is the least"
        if self.most is not None and value > self.most:
            return f"is {value:.4g}, and {self.most:.4g} is the most"
        return None


class Choice(Strict):
    """What is to be decided: by whom, among which, by what."""

    question: str = Field(min_length=1, description="What the model is for.")
    who: str = Field(min_length=1, description="Who decides.")
    weights: dict[Criterion, Annotated[float, Field(gt=0)]] = Field(min_length=1)
    scales: dict[Criterion, Scale] = {}
    limits: dict[Criterion, Limit] = {}
    licences: Licences = Licences.model_validate({})
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    candidates: list[Candidate] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_decidable(self) -> Self:
        missing = sorted(self.weights.keys() - self.scale_of.keys())
        if missing:
            raise ValueError(
                f"scales: say what is worst and best of {missing}, e.g. `total_s: {{worst: 10, best: 1}}`"
            )
        names = [one.name for one in self.candidates]
        if len(set(names)) < len(names):
            raise ValueError(f"candidates: every name is needed once, and these are {names}")
        return self

    @property
    def scale_of(self) -> dict[Criterion, Scale]:
        """The scales, with those of shares."""
        whole = Scale(worst=0.0, best=1.0)
        return {"quality": whole, "licence": whole, **self.scales}


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a candidate. `problem` says why it couldn't be measured; `figures` are those of `evals`."""

    candidate: Candidate
    licence: LicenceVerdict
    model: str = ""
    values: Mapping[Criterion, float] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with its score of 0 to 1, None where it is out for `faults`; `parts` are those of the criteria, each scaled
    from 0 to 1, None for an unknown value, which counts as the worst."""

    measured: Measured
    score: float | None
    parts: Mapping[Criterion, float | None]
    faults: tuple[str, ...]


def load_choice(path: Path) -> Choice:
    """The file of a choice. Raises `TrainingDataError`."""
    try:
        return read(path, Choice)
    except OSError as exc:
        raise TrainingDataError(f"The file {str(path)!r} can't be read: {exc.strerror}.") from exc


def weigh(choice: Choice, measured: Sequence[Measured]) -> list[Weighed]:
    """The candidates, the best first and those that are out last."""
    weighed = [_weighed(choice, one) for one in measured]
    return sorted(
        weighed, key=lambda one: (one.score is None, -(one.score or 0.0), one.measured.candidate.name)
    )


def _weighed(choice: Choice, one: Measured) -> Weighed:
    values: dict[Criterion, float] = {**one.values, "licence": _LICENCE_VALUE[one.licence.outcome]}
    if one.licence.outcome == "refused":
        return Weighed(one, None, {}, (one.licence.reason,))
    if one.problem is not None:
        return Weighed(one, None, {}, (one.problem,))
    faults = [
        f"{criterion} {fault}"
        for criterion, limit in choice.limits.items()
        if (fault := limit.fault(values.get(criterion))) is not None
    ]
    parts = {
        criterion: choice.scale_of[criterion].of(values[criterion]) if criterion in values else None
        for criterion in choice.weights
    }
    score = sum(choice.weights[criterion] * (part or 0.0) for criterion, part in parts.items())
    return Weighed(one, None if faults else score / sum(choice.weights.values()), parts, tuple(faults))


def verdict(weighed: Sequence[Weighed]) -> str:
    """What follows, in a sentence or two; a lead that is no lead is told as one."""
    able = [one for one in weighed if one.score is not None]
    if not able:
        return "None of the candidates does: every one of them is out, for the reasons below."
    first = able[0]
    name = first.measured.candidate.name
    if len(able) == 1:
        return f"{name!r} is the only one that is not out."
    second = able[1]
    other, lead = second.measured.candidate.name, (first.score or 0.0) - (second.score or 0.0)
    if lead < _EQUAL:
        return (
            f"{name!r} and {other!r} are equals ({lead:.3f} apart): take either, or weigh something else too."
        )
    told = f"{name!r} leads {other!r} by {lead:.3f}."
    if not _differ(first.measured, second.measured):
        told += " Their quality can't be told apart on these cases: the other criteria decide."
    return told


def _differ(one: Measured, other: Measured) -> bool:
    """Whether the interval of a share of one lies wholly beside the other's."""
    for name, figure in one.figures.items():
        beside = other.figures.get(name)
        if not name.endswith(SHARES) or beside is None or "low" not in figure or "low" not in beside:
            continue
        if figure["low"] > beside["high"] or beside["low"] > figure["high"]:
            return True
    return False
