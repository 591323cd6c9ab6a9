"""Publish an adapter: checked, loaded by its server, a variant of the scope file, and a canary experiment; and back.

The server is asked directly and only at an internal address, never through the gateway. Everything may be done again:
what is there already stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine

from finetune.lora.base import base_digest
from finetune.lora.canary import Canary, apply_canary, canary_of, roll_backs
from finetune.lora.recipe import Recipe
from finetune.lora.registry import Adapter, note, open_adapter
from finetune.lora.servable import check_servable
from finetune.lora.server import AdapterServer, ServedModel
from finetune.yaml_file import TrainingDataError
from ingestion.atomic import write_atomically
from ingestion.config import read_scope
from service.errors import ConflictError, NotFoundError
from service.experiments.lifecycle import Actor, stop
from service.experiments.store import declare, read_experiment
from service.scope import Scope
from service.settings import Settings

_CONFLICT = 400
Today = Callable[[], date]


@dataclass(frozen=True, slots=True)
class Person:
    """Who lets an adapter pass that its proof didn't, and why. It stands in the card."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an adapter is published: the scope file, the gateway's own server, and the service's database; `engine` of
    None declares nothing there."""

    scope_file: Path
    generator_url: str | None = None
    engine: Engine | None = None

    @classmethod
    def of(cls, settings: Settings, engine: Engine | None = None) -> Self:
        """Where the service with these settings is."""
        return cls(settings.scope_file, settings.generator_url, engine)


@dataclass(frozen=True, slots=True)
class Published:
    """What was done. `option` is the server's for loading it at the start; `snippet` is a file with what the scope lacked,
    None where it lacks nothing; `steps` are left to a person."""

    adapter: Adapter
    variant: str
    experiment: str
    option: str
    snippet: Path | None
    is_loaded: bool
    steps: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """For a record."""
        return {
            "adapter": self.adapter.name,
            "variant": self.variant,
            "experiment": self.experiment,
            "option": self.option,
            "snippet": str(self.snippet) if self.snippet else None,
            "loaded": self.is_loaded,
            "steps": list(self.steps),
        }


def publish(
    adapter: Adapter,
    recipe: Recipe,
    place: Place,
    *,
    server: AdapterServer | None = None,
    apply: bool = False,
    by: Person | None = None,
    today: Today = lambda: datetime.now(UTC).date(),
) -> Published:
    """Check an adapter, let the server load it as the recipe says, and write its variant and experiment down; with `apply`
    they go into the scope file and the database. `server` of None is the recipe's.

    Raises `TrainingDataError` for what can't or mustn't be served, and for a server that doesn't do it.
    """
    adapter = open_adapter(adapter.folder)  # as it is now: it may have been proved since
    check_verdict(adapter, by)
    check_servable(adapter, max_rank=recipe.publication.max_rank)
    is_loaded = False
    if recipe.publication.loading == "runtime":
        load(adapter, server or AdapterServer(recipe.publication.server))
        is_loaded = True
    raw = read_scope(place.scope_file)
    canary = canary_of(adapter, recipe, raw, generator_url=place.generator_url, today=today())
    snippet = _write_snippet(adapter, canary)
    is_applied = apply or not canary.sections
    if is_applied:
        _declare(apply_canary(place.scope_file, canary), canary, place.engine)
    done = _noted(adapter, canary, by)
    option = f"--lora-modules {adapter.name}={adapter.folder.resolve()}"
    steps = _steps(canary, snippet, option, is_applied=is_applied, is_loaded=is_loaded)
    return Published(done, canary.variant, canary.experiment, option, snippet, is_loaded, steps)


def check_verdict(adapter: Adapter, by: Person | None) -> None:
    """Raise `TrainingDataError` unless the proof passed, or a named person answers for it."""
    proof = adapter.facts.get("proof")
    verdict = proof["verdict"] if proof else None
    if verdict == "pass" or (proof and by and by.name.strip() and by.reason.strip()):
        return
    if proof is None:
        raise TrainingDataError(
            f"The adapter {adapter.name!r} isn't proved. Run `touchstone finetune prove RECIPE` first."
        )
    raise TrainingDataError(
        f"The verdict on {adapter.name!r} is {verdict!r}: {proof['sentence']} Mend it, or publish it in your own name with"
        " --by NAME --reason WHY."
    )


def load(adapter: Adapter, server: AdapterServer) -> bool:
    """Let a server load an adapter, unless it has; whether it was loaded now. It must serve the adapter's own base.

    Raises `TrainingDataError`.
    """
    served = _served(server)
    _check_base(adapter, server, served)
    if adapter.name in served:
        return False
    body = {"lora_name": adapter.name, "lora_path": str(adapter.folder.resolve())}
    reply = server.post("/load_lora_adapter", body)
    if reply.status == 404:
        raise TrainingDataError(
            f"The server {server.url!r} loads no adapters while it runs. Start it with --enable-lora and"
            " VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, or set `publication.loading` to `static`."
        )
    # Somebody else may have loaded the same meanwhile; what it lists decides.
    found = _served(server).get(adapter.name)
    if found is None:
        raise TrainingDataError(
            f"The server {server.url!r} didn't load {adapter.name!r} (status {reply.status}): {reply.text[:300]}"
        )
    return reply.status != _CONFLICT


def _served(server: AdapterServer) -> dict[str, ServedModel]:
    return {one.name: one for one in server.models()}


def _check_base(adapter: Adapter, server: AdapterServer, served: dict[str, ServedModel]) -> None:
    """By its name, and by its files where they lie on this machine."""
    name = adapter.facts["base"]["served_as"]
    base = served.get(name)
    if base is None or base.parent is not None:
        raise TrainingDataError(
            f"The server {server.url!r} doesn't serve {name!r}, the base of {adapter.name!r}; it lists {sorted(served)}."
            " Name the right server as `publication.server`; the gateway is none."
        )
    if base.root and Path(base.root).is_dir():
        adapter.check_base(base_digest(Path(base.root)))


def _write_snippet(adapter: Adapter, canary: Canary) -> Path | None:
    if not canary.sections:
        return None
    path = adapter.folder.parent.parent / "canaries" / f"{adapter.name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, canary.as_yaml())
    return path


def _declare(scope: Scope, canary: Canary, engine: Engine | None) -> None:
    """Declare the experiment to the service; one that was started stays as it is. Raises `TrainingDataError`."""
    if engine is None:
        return
    known = read_experiment(engine, canary.experiment)
    if known is not None and known.epochs:
        return
    experiment = scope.experiments[canary.experiment]
    variants = {arm: scope.variants[one.variant].digest for arm, one in experiment.arms.items()}
    try:
        declare(engine, canary.experiment, experiment, variants, actor="finetune")
    except ConflictError as exc:
        raise TrainingDataError(str(exc)) from exc


def _noted(adapter: Adapter, canary: Canary, by: Person | None) -> Adapter:
    known: dict[str, Any] = adapter.facts.get("publication") or {}
    told = {"variant": canary.variant, "before": canary.before, "experiment": canary.experiment}
    told |= {"approved_by": by.name, "reason": by.reason} if by else {}
    publication = {**known, **told}
    if adapter.status == "published" and publication == known:
        return adapter
    return note(adapter, status="published", publication=publication)


def _steps(
    canary: Canary, snippet: Path | None, option: str, *, is_applied: bool, is_loaded: bool
) -> tuple[str, ...]:
    steps = [] if is_loaded else [f"Start the server with: --enable-lora {option}"]
    if not is_applied:
        steps.append(f"Put {str(snippet)!r} into the scope file, or publish again with --apply.")
    return (
        *steps,
        "Restart the gateway, which reads the scope file when it starts.",
        f'Begin the canary: touchstone experiments start {canary.experiment} --reason "WHY"',
        f"Roll back: touchstone experiments stop {canary.experiment} --reason WHY; {canary.before!r} answers again at once.",
    )


def roll_back(adapter: Adapter, place: Place, by: Person, *, server: AdapterServer | None = None) -> Adapter:
    """Stop the adapter's experiment, so that the variant before answers everybody again; the server, where one is given,
    unloads it. Answers that are being written end with the adapter. May be done again.

    Raises `TrainingDataError` for an adapter that isn't published.
    """
    adapter = open_adapter(adapter.folder)
    publication = adapter.facts.get("publication")
    if not publication:
        raise TrainingDataError(
            f"The adapter {adapter.name!r} isn't published: there is nothing to roll back."
        )
    if place.engine is not None:
        try:
            stop(place.engine, publication["experiment"], Actor(by.name, by.reason))
        except (NotFoundError, ConflictError):
            pass  # it was never begun, or is over already
    if server is not None:
        unload(adapter, server)
    if adapter.status == "withdrawn":
        return adapter
    return note(
        adapter, status="withdrawn", publication=publication | {"roll_backs": roll_backs(adapter) + 1}
    )


def unload(adapter: Adapter, server: AdapterServer) -> bool:
    """Let a server forget an adapter; whether it had it. Requests in flight are finished by it.

    Raises `TrainingDataError` where the server keeps it, as it does with those of its start.
    """
    if adapter.name not in _served(server):
        return False
    reply = server.post("/unload_lora_adapter", {"lora_name": adapter.name})
    if adapter.name in _served(server):
        raise TrainingDataError(
            f"The server {server.url!r} keeps {adapter.name!r} (status {reply.status}): {reply.text[:300]}"
        )
    return True
