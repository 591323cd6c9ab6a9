"""Liveness, readiness and metrics. Open to probes: they say nothing about anybody."""

import asyncio
import os
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

from service.deps import AppState

router = APIRouter()


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(state: AppState) -> JSONResponse:
    """Whether questions can be answered now, and what is missing if not."""
    loop = asyncio.get_running_loop()
    database = await loop.run_in_executor(state.database_threads, _database, state.engine)
    missing = state.live.missing()
    leaks = state.self_test.leaks
    checks = {
        "database": database,
        "guards": "ok" if leaks == [] else "self-test has not ended" if leaks is None else "; ".join(leaks),
        "documents": state.library.trouble or "ok",
        "process": "stopping" if state.stopping.has_begun else "ok",
        "index": "ok" if not missing else f"no active release: {', '.join(missing)}",
    }
    # Questions are answered whether or not documents can be read.
    # The answer log waits for the database, so answers go on without it; without an index none do, and none may
    # with guards that let a canary through.
    is_ready = not missing and leaks == [] and not state.stopping.has_begun
    status = 200 if is_ready else 503
    return JSONResponse({"status": "ok" if status == 200 else "not ready", "checks": checks}, status)


def _database(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError as exc:
        return f"unreachable: {type(exc).__name__}"
    return "ok"


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
