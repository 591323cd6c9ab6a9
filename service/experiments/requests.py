"""What operators and analysts send about experiments."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.scope import Experiment
from service.scope.experiments import Stage


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DeclareRequest(_Request):
    """An experiment that isn't in the scope file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    experiment: Experiment


class ChangeRequest(_Request):
    """Why an experiment is started, paused, resumed or stopped."""

    reason: Annotated[str, Field(min_length=1, max_length=1_000)]


class RampRequest(ChangeRequest):
    """Another stage, coverage or split; without any of them, the next stage."""

    stage: Stage | None = None
    coverage: Annotated[float, Field(gt=0, le=100)] | None = None
    weights: dict[str, Annotated[float, Field(ge=0, le=100)]] | None = None


class PromoteRequest(ChangeRequest):
    """The arm that everybody gets."""

    arm: Annotated[str, Field(min_length=1, max_length=60)]


Format = Literal["json", "csv", "parquet", "html"]
