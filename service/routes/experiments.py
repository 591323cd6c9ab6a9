"""Experiments: what runs, and what an operator does with it."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import ValidationError

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


@router.post("/experiments", status_code=201)
async def declare_experiment(body: DeclareRequest, call: AdminCall) -> Json:
    """Declare an experiment that isn't in the scope file."""
    check_declared(call.state.scope, body.name, body.experiment)
    variants = variants_of(call.state.scope, body.experiment)
    await _aside(
        call,
        partial(declare, call.state.engine, body.name, body.experiment, variants, actor=call.caller.id),
    )
    return await experiment(body.name, call)


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


@router.post("/experiments/{name}:start")
async def start(name: str, body: ChangeRequest, call: AdminCall) -> Json:
    """Begin the first stage."""
    return await _changed(
        call, partial(lifecycle.start, call.state.engine, call.state.scope, name, _actor(call, body))
    )


@router.post("/experiments/{name}:ramp")
async def ramp(name: str, body: RampRequest, call: AdminCall) -> Json:
    """Go to the next stage, or to another coverage or split."""
    work = partial(
        lifecycle.ramp,
        call.state.engine,
        name,
        _actor(call, body),
        stage=body.stage,
        coverage=body.coverage,
        weights=body.weights,
    )
    return await _changed(call, work)


@router.post("/experiments/{name}:pause")
async def pause(name: str, body: ChangeRequest, call: AdminCall) -> Json:
    """Give everybody the assistant's own variant until it is resumed."""
    return await _changed(call, partial(lifecycle.pause, call.state.engine, name, _actor(call, body)))


@router.post("/experiments/{name}:resume")
async def resume(name: str, body: ChangeRequest, call: AdminCall) -> Json:
    """Go on as before the pause."""
    return await _changed(call, partial(lifecycle.resume, call.state.engine, name, _actor(call, body)))


@router.post("/experiments/{name}:stop")
async def stop(name: str, body: ChangeRequest, call: AdminCall) -> Json:
    """End it for good."""
    return await _changed(call, partial(lifecycle.stop, call.state.engine, name, _actor(call, body)))


@router.post("/experiments/{name}:promote")
async def promote(name: str, body: PromoteRequest, call: AdminCall) -> Json:
    """Give everybody one of the arms."""
    work = partial(lifecycle.promote, call.state.engine, name, _actor(call, body), body.arm)
    return await _changed(call, work)


def _actor(call: Call, body: ChangeRequest) -> Actor:
    return Actor(call.caller.id, body.reason)


async def _changed(call: Call, work: Callable[[], Epoch]) -> Json:
    """Do it, and let this process know at once; others read it within two seconds."""
    epoch = await _aside(call, work)
    await _aside(call, partial(call.state.experiments.refresh, call.state.engine))
    return epoch_as_json(epoch)


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
