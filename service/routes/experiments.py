"""Experiments: what runs, and what an operator does with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine

from ingestion.config import explain
from service.database import WAIT_S
from service.deps import AdminCall, AnalystCall, Call
from service.errors import InvalidRequestError, NotFoundError
from service.experiments import lifecycle
from service.experiments.describe import declared_of, details, differences, epoch_as_json, overview
from service.experiments.lifecycle import Actor
from service.experiments.planner import forecast
from service.experiments.requests import ChangeRequest, DeclareRequest, PromoteRequest, RampRequest
from service.experiments.store import declare, read_experiment, read_experiments
from service.experiments.timeline import Epoch
from service.openapi import errors
from service.routes.once import IdempotencyKey, once
from service.scope import Experiment, Scope
from service.threads import within

router = APIRouter(prefix="/v1", responses=errors(400, 401, 404, 409, 503))
Json = dict[str, Any]
T = TypeVar("T")


@router.get("/experiments")
async def experiments(call: AnalystCall) -> Json:
    """All experiments with their state, those that run first."""
    running = await _aside(call, partial(read_experiments, call.state.engine))
    return {"object": "list", "data": overview(call.state.scope, running, datetime.now(UTC))}


class EpochReply(BaseModel):
    """The epoch that a change opened."""

    epoch: int
    stage: str
    coverage: float
    weights: dict[str, float]
    begins_at: str
    by: str
    reason: str


class DeclaredReply(BaseModel):
    """An experiment that was declared."""

    name: str
    state: str
    digest: str


@dataclass(frozen=True, slots=True)
class Steering:
    """A change by an operator, done once for each `Idempotency-Key`."""

    call: Call
    request: Request
    key: str | None

    @property
    def engine(self) -> Engine:
        """The database."""
        return self.call.state.engine

    def actor(self, body: ChangeRequest) -> Actor:
        """Who does it, and why."""
        return Actor(self.call.caller.id, body.reason)

    async def open(self, work: Callable[[], Epoch]) -> Response:
        """Open an epoch, and let this process know at once; others read it within two seconds."""

        async def change() -> tuple[int, BaseModel]:
            epoch = await _aside(self.call, work)
            await _aside(self.call, partial(self.call.state.experiments.refresh, self.engine))
            return 200, EpochReply(**epoch_as_json(epoch))

        return await self.once(change)

    async def once(self, work: Callable[[], Awaitable[tuple[int, BaseModel]]]) -> Response:
        """Do it, or reply as the first time."""
        parts = [await self.request.body()]
        return await once(self.call, work, key=self.key, request=self.request, parts=parts)


async def _steering(request: Request, call: AdminCall, idempotency_key: IdempotencyKey = None) -> Steering:
    return Steering(call, request, idempotency_key)


SteeringCall = Annotated[Steering, Depends(_steering)]


@router.post("/experiments", status_code=201, response_model=DeclaredReply)
async def declare_experiment(body: DeclareRequest, steering: SteeringCall) -> Response:
    """Declare an experiment that isn't in the scope file."""
    scope = steering.call.state.scope
    check_declared(scope, body.name, body.experiment)
    variants = variants_of(scope, body.experiment)
    actor = steering.call.caller.id
    work = partial(declare, steering.engine, body.name, body.experiment, variants, actor=actor)

    async def done() -> tuple[int, BaseModel]:
        await _aside(steering.call, work)
        return 201, DeclaredReply(name=body.name, state="declared", digest=body.experiment.digest)

    return await steering.once(done)


@router.get("/experiments/{name}")
async def experiment(name: str, call: AnalystCall) -> Json:
    """One experiment: what was declared, its epochs, its alarms."""
    scope, engine = call.state.scope, call.state.engine

    def read() -> Json:
        running = read_experiment(engine, name)
        if running is None and name not in scope.experiments:
            raise unknown_experiment(name)
        return details(scope, engine, name, running, datetime.now(UTC))

    return await _aside(call, read)


@router.get("/experiments/{name}/plan")
async def plan(name: str, call: AnalystCall) -> Json:
    """The units and days that it takes, by the traffic of the last four weeks."""
    scope, engine = call.state.scope, call.state.engine

    def read() -> Json:
        running = read_experiment(engine, name)
        if running is None and name not in scope.experiments:
            raise unknown_experiment(name)
        declared = declared_of(scope, name, running)
        metric = scope.all_metrics[declared.primary]
        return forecast(engine, declared, metric, datetime.now(UTC)).as_json()

    return await _aside(call, read)


@router.get("/variants/{one}/diff/{other}")
async def variant_diff(one: str, other: str, call: AnalystCall) -> Json:
    """How two variants differ, in words."""
    known = call.state.scope.variants
    for name in (one, other):
        if name not in known:
            raise NotFoundError(f"There is no variant {name!r}. Choose one of {sorted(known)}.")
    return {"one": one, "other": other, "differences": differences(call.state.scope, one, other)}


@router.post("/experiments/{name}:start", response_model=EpochReply)
async def start(name: str, body: ChangeRequest, steering: SteeringCall) -> Response:
    """Begin the first stage."""
    return await steering.open(
        partial(lifecycle.start, steering.engine, steering.call.state.scope, name, steering.actor(body))
    )


@router.post("/experiments/{name}:ramp", response_model=EpochReply)
async def ramp(name: str, body: RampRequest, steering: SteeringCall) -> Response:
    """Go to the next stage, or to another coverage or split."""
    work = partial(
        lifecycle.ramp,
        steering.engine,
        name,
        steering.actor(body),
        stage=body.stage,
        coverage=body.coverage,
        weights=body.weights,
    )
    return await steering.open(work)


@router.post("/experiments/{name}:pause", response_model=EpochReply)
async def pause(name: str, body: ChangeRequest, steering: SteeringCall) -> Response:
    """Give everybody the assistant's own variant until it is resumed."""
    return await steering.open(partial(lifecycle.pause, steering.engine, name, steering.actor(body)))


@router.post("/experiments/{name}:resume", response_model=EpochReply)
async def resume(name: str, body: ChangeRequest, steering: SteeringCall) -> Response:
    """Go on as before the pause."""
    return await steering.open(partial(lifecycle.resume, steering.engine, name, steering.actor(body)))


@router.post("/experiments/{name}:stop", response_model=EpochReply)
async def stop(name: str, body: ChangeRequest, steering: SteeringCall) -> Response:
    """End it for good."""
    return await steering.open(partial(lifecycle.stop, steering.engine, name, steering.actor(body)))


@router.post("/experiments/{name}:promote", response_model=EpochReply)
async def promote(name: str, body: PromoteRequest, steering: SteeringCall) -> Response:
    """Give everybody one of the arms."""
    return await steering.open(
        partial(lifecycle.promote, steering.engine, name, steering.actor(body), body.arm)
    )


async def _aside(call: Call, work: Callable[[], T]) -> T:
    return await within(WAIT_S, call.state.database_threads, work, "The database")


def check_declared(scope: Scope, name: str, experiment: Experiment) -> None:
    """Raises `InvalidRequestError` for an experiment that the scope can't run, or that its file declares."""
    if name in scope.experiments:
        raise InvalidRequestError(
            f"The scope file declares the experiment {name!r}. Change it there.", param="name"
        )
    try:
        scope.check_experiment(name, experiment)
    except ValidationError as exc:
        raise InvalidRequestError(explain(exc), param="experiment") from exc
    except ValueError as exc:
        raise InvalidRequestError(f"{str(exc).capitalize()}.", param="experiment") from exc


def variants_of(scope: Scope, experiment: Experiment) -> dict[str, str]:
    """The digest of each arm's variant."""
    return {arm: scope.variants[one.variant].digest for arm, one in experiment.arms.items()}


def unknown_experiment(name: str) -> NotFoundError:
    """That there is none of that name."""
    return NotFoundError(f"There is no experiment {name!r}. GET /v1/experiments lists them.")
