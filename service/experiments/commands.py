"""Commands on experiments: look at them, plan them, and steer them. They work beside a running gateway, on its database."""

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import Engine

from service.errors import InvalidRequestError, NotFoundError, NotReadyError
from service.experiments import lifecycle
from service.experiments.describe import declared_of, details, differences, epoch_as_json, overview
from service.experiments.lifecycle import Actor
from service.experiments.planner import forecast
from service.experiments.recompute import recompute
from service.experiments.report import report_of
from service.experiments.reports import Asked, as_json, question_of
from service.experiments.simulate import QUESTIONS, Simulation, read_behaviour, simulate
from service.experiments.store import read_experiment, read_experiments
from service.scope import Scope
from service.scope.experiments import STAGES

_ACTOR = "cli"


def add_parser(commands: Any) -> None:
    """Describe the commands to the command line."""
    experiments = commands.add_parser("experiments", help="look at experiments, plan them, steer them")
    actions = experiments.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="all experiments")
    for name, words in (
        ("show", "what was declared, its epochs and alarms"),
        ("plan", "the units and days that it takes, by the traffic of the last four weeks"),
        ("report", "what may be concluded, as JSON"),
    ):
        one = actions.add_parser(name, help=words)
        one.add_argument("name")
        if name == "report":
            one.add_argument("--as-of", help="moment up to which data count, e.g. 2026-12-24T00:00:00+00:00")
            one.add_argument("--stage", choices=STAGES)
    again = actions.add_parser("recompute", help="the report again, from exported files and nothing else")
    again.add_argument("folder", type=Path, help="what `export all --out FOLDER` wrote")
    again.add_argument("--experiment", required=True, metavar="NAME")
    again.add_argument(
        "--as-of", required=True, help="the moment of the report, e.g. 2026-12-24T00:00:00+00:00"
    )
    again.add_argument("--stage", choices=STAGES)
    diff = actions.add_parser("diff", help="how two variants differ, in words")
    diff.add_argument("one")
    diff.add_argument("other")
    told = actions.add_parser(
        "simulate", help="let synthetic subjects of known behaviour ask a running service"
    )
    told.add_argument("name")
    told.add_argument("--resolved", required=True, metavar="ARM=CHANCE,…")
    told.add_argument("--subjects", type=int, default=200)
    told.add_argument("--url", default="http://127.0.0.1:8000", help="the service, without /v1")
    told.add_argument("--key", help="an API key with the scopes answer and feedback")
    told.add_argument("--seed", type=int, default=1)
    for name in _STEERING:
        one = actions.add_parser(name, help=f"{name} an experiment")
        one.add_argument("name")
        one.add_argument("--reason", required=True, help="why; it stands in the history")
    actions.choices["promote"].add_argument("arm")
    ramp = actions.choices["ramp"]
    ramp.add_argument("--stage", choices=STAGES)
    ramp.add_argument("--coverage", type=float, metavar="PERCENT")
    ramp.add_argument("--weights", metavar="ARM=PERCENT,…")


def run(args: argparse.Namespace, scope: Scope, engine: Engine) -> str:
    """Do it; what is to be printed. Raises what the lifecycle does."""
    if args.action in _STEERING:
        epoch = _STEERING[args.action](engine, scope, args, Actor(_ACTOR, args.reason))
        return json.dumps(epoch_as_json(epoch), indent=1)
    return _LOOKING[args.action](engine, scope, args)


def _list(engine: Engine, scope: Scope, _: argparse.Namespace) -> str:
    found = overview(scope, read_experiments(engine), datetime.now(UTC))
    lines = [
        f"{one['name']:30} {one['state']:10} until {one['ends']}  {one['primary']}: {one['hypothesis']}"
        for one in found
    ]
    return "\n".join(lines) or "No experiment is declared. Declare one under `experiments` in the scope file."


def _show(engine: Engine, scope: Scope, args: argparse.Namespace) -> str:
    running = read_experiment(engine, args.name)
    _check(scope, args.name, running)
    return json.dumps(details(scope, engine, args.name, running, datetime.now(UTC)), indent=1)


def _plan(engine: Engine, scope: Scope, args: argparse.Namespace) -> str:
    running = read_experiment(engine, args.name)
    _check(scope, args.name, running)
    declared = declared_of(scope, args.name, running)
    return forecast(engine, declared, scope.all_metrics[declared.primary], datetime.now(UTC)).sentence


def _report(engine: Engine, scope: Scope, args: argparse.Namespace) -> str:
    asked = Asked(args.name, args.stage, moment(args.as_of) if args.as_of else None)
    return as_json(report_of(engine, question_of(engine, scope, asked, datetime.now(UTC))))


def run_recompute(args: argparse.Namespace) -> str:
    """The report as JSON, from the files of an export."""
    return recompute(args.folder, args.experiment, moment(args.as_of), args.stage)


def moment(text: str) -> datetime:
    """A moment with its zone; UTC where none is given. Raises `InvalidRequestError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidRequestError(
            f"{text!r} is no moment. Write it like 2026-12-24T00:00:00+00:00.", param="as_of"
        ) from exc
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _simulate(engine: Engine, scope: Scope, args: argparse.Namespace) -> str:
    running = read_experiment(engine, args.name)
    _check(scope, args.name, running)
    assistant = declared_of(scope, args.name, running).assistant
    examples = scope.assistants[assistant].examples
    plan = Simulation(
        args.url.removesuffix("/v1"),
        assistant,
        read_behaviour(args.resolved),
        args.subjects,
        key=args.key,
        seed=args.seed,
        questions=examples or QUESTIONS,
    )
    try:
        return json.dumps(asyncio.run(simulate(plan)).as_json())
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise NotReadyError(
            f"The service at {args.url!r} can't be reached. Start it, or name another --url."
        ) from exc


def _diff(_: Engine, scope: Scope, args: argparse.Namespace) -> str:
    for name in (args.one, args.other):
        if name not in scope.variants:
            raise NotFoundError(f"There is no variant {name!r}. Choose one of {sorted(scope.variants)}.")
    return "\n".join(differences(scope, args.one, args.other)) or "They do the same."


def _check(scope: Scope, name: str, running: object) -> None:
    if running is None and name not in scope.experiments:
        raise NotFoundError(f"There is no experiment {name!r}. `experiments list` shows them.")


def _start(engine: Engine, scope: Scope, args: argparse.Namespace, actor: Actor) -> Any:
    return lifecycle.start(engine, scope, args.name, actor)


def _ramp(engine: Engine, _: Scope, args: argparse.Namespace, actor: Actor) -> Any:
    weights = _weights(args.weights) if args.weights else None
    return lifecycle.ramp(engine, args.name, actor, stage=args.stage, coverage=args.coverage, weights=weights)


def _weights(text: str) -> Mapping[str, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {arm.strip(): float(weight) for arm, weight in pairs}
    except ValueError as exc:
        raise InvalidRequestError(
            f"{text!r} are no weights. Write them like control=50,treatment=50.", param="weights"
        ) from exc


_Steer = Callable[[Engine, Scope, argparse.Namespace, Actor], Any]
_STEERING: Mapping[str, _Steer] = {
    "start": _start,
    "ramp": _ramp,
    "pause": lambda engine, _, args, actor: lifecycle.pause(engine, args.name, actor),
    "resume": lambda engine, _, args, actor: lifecycle.resume(engine, args.name, actor),
    "stop": lambda engine, _, args, actor: lifecycle.stop(engine, args.name, actor),
    "promote": lambda engine, _, args, actor: lifecycle.promote(engine, args.name, actor, args.arm),
}
_LOOKING: Mapping[str, Callable[[Engine, Scope, argparse.Namespace], str]] = {
    "list": _list,
    "show": _show,
    "plan": _plan,
    "report": _report,
    "diff": _diff,
    "simulate": _simulate,
}
