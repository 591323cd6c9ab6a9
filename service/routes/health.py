"""Liveness, readiness and metrics. Open to probes: they say nothing about anybody."""

import asyncio
import os
from functools import partial
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from service.answer.generate.openai import OpenAIGenerator
from service.database import ReplacedError
from service.deps import AppState, State
from service.errors import NotReadyError
from service.openapi import errors
from service.threads import within

# A probe gives up after some seconds itself.
_PROBE_S = 2.0
router = APIRouter(responses=errors())


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "What is missing."}})
async def readyz(state: AppState) -> JSONResponse:
    """Whether questions can be answered now, and what is missing if not."""
    database, is_lost = await _database(state)
    missing = state.live.missing()
    leaks = state.self_test.leaks
    checks = {
        "database": database,
        "guards": "ok" if leaks == [] else "self-test has not ended" if leaks is None else "; ".join(leaks),
        "documents": state.library.trouble or "ok",
        "process": "stopping" if state.stopping.has_begun else "ok",
        "generators": _generators(state),
        "index": _index(missing, state.live.damaged()),
    }
    # Questions are answered whether or not documents can be read and generators answer.
    # The answer log waits for the database, so answers go on without it; without an index none do, and none may
    # with guards that let a canary through. A database whose file was replaced does not come back by itself.
    is_ready = not missing and leaks == [] and not is_lost and not state.stopping.has_begun
    status = 200 if is_ready else 503
    return JSONResponse({"status": "ok" if status == 200 else "not ready", "checks": checks}, status)


def _generators(state: State) -> str:
    """Which servers rest after failures, by the order of their addresses in the scope file."""
    servers = [one for one in state.generators.values() if isinstance(one, OpenAIGenerator)]
    ill = [replica for server in servers for replica in server.replicas if not replica.is_well]
    return "; ".join(f"{one.generator}: server {one.number} fails" for one in ill) or "ok"


def _index(missing: list[str], damaged: list[str]) -> str:
    return f"no active release: {', '.join(missing)}" if missing else "; ".join(damaged) or "ok"


async def _database(state: State) -> tuple[str, bool]:
    """What the database says, and whether it is lost for good."""
    try:
        await within(_PROBE_S, state.database_threads, partial(_select, state.engine), "The database")
    except ReplacedError as exc:
        return f"lost: {exc.orig}", True
    except (SQLAlchemyError, NotReadyError) as exc:
        return f"unreachable: {type(exc).__name__}", False
    return "ok", False


def _select(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("select 1"))


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus metrics, of all worker processes."""
    registry = REGISTRY
    if values.ValueClass.__name__ == "MmapedValue":  # several workers share a folder
        registry = CollectorRegistry()
        collector = MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        await asyncio.to_thread(_forget_dead_workers, Path(collector._path))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _forget_dead_workers(folder: Path) -> None:
    """Delete the gauges of processes that are gone: what they had in flight no longer is."""
    for path in folder.glob("gauge_live*_*.db"):
        if not _lives(int(path.stem.rpartition("_")[2])):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True
