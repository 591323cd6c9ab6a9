"""Shared fixtures: the built-in embedder, the demo's release, a gateway over it, a scripted generator."""

import os
import pickle
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import yaml
from fastapi import FastAPI
from filelock import FileLock
from hypothesis import settings

from ingestion.config import read_collections
from ingestion.embed import Embedder, load_embedder
from ingestion.releases.release import Release, collection_folder, open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import RunReport, run
from service.app import create_app
from service.auth import KeyScope, create_key
from service.database import migrate, open_database
from service.settings import Settings
from tests.upstream import ScriptedUpstream

ROOT = Path(__file__).parent.parent
SCOPE = ROOT / "touchstone.yaml"
# The same examples in every run, so that a change's own tests judge it; `HYPOTHESIS=random` looks for new ones.
settings.register_profile("same", derandomize=True, database=None)
settings.load_profile("default" if os.environ.get("HYPOTHESIS") == "random" else "same")  # noqa: TID251
_LONG = {"deadline_s": 30}
# Guards whose models have time, however busy the machine is: tests that are about deadlines set their own.
PATIENT: dict[str, Any] = {
    "deadline_s": 30,
    "input": {"injection_model": _LONG, "toxicity": _LONG},
    "output": {"grounding": _LONG, "toxicity": _LONG},
}


@pytest.fixture(autouse=True)
def _umask_stays() -> Iterator[None]:
    """Commands that run in this process keep what they write to themselves from then on (`ingestion.atomic`)."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def scope_with(folder: Path, **guards: Any) -> Path:
    """The demo's scope with patient guards, and otherwise as told; what it names lies beside the demo's own file."""
    scope = yaml.safe_load(SCOPE.read_text())
    merged: dict[str, Any] = {zone: dict(PATIENT.get(zone, {})) for zone in ("input", "retrieved", "output")}
    for zone, rules in guards.items():
        for name, rule in rules.items():
            known = merged[zone].get(name, {})
            merged[zone][name] = {**known, **(rule if isinstance(rule, dict) else {"action": rule})}
    scope["guards"] = {"deadline_s": PATIENT["deadline_s"], **merged}
    path = folder / "scope.yaml"
    path.write_text(yaml.safe_dump(scope))
    return path


@pytest.fixture(scope="session")
def patient_scope(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scope_with(tmp_path_factory.mktemp("scope"))


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return load_embedder("builtin", threads=1)


@dataclass(frozen=True)
class Demo:
    data_dir: Path
    release: Release
    report: RunReport


@pytest.fixture(scope="session")
def demo(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo's release, which the first of several test processes makes for all; each has a copy of its own."""
    data_dir = tmp_path_factory.mktemp("demo")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # noqa: TID251
        report = _ingested(embedder, data_dir)
    else:
        shared = tmp_path_factory.getbasetemp().parent / "demo"
        with FileLock(f"{shared}.lock"):
            if not (shared / "report").is_file():
                shared.mkdir(exist_ok=True)
                made = _ingested(embedder, shared / "data")
                (shared / "report").write_bytes(pickle.dumps(made))
        report = pickle.loads((shared / "report").read_bytes())
        shutil.copytree(shared / "data", data_dir, dirs_exist_ok=True)
    return Demo(data_dir, open_active(collection_folder(data_dir, "help")), report)


def _ingested(embedder: Embedder, data_dir: Path) -> RunReport:
    config = read_collections(SCOPE)["help"]
    return run(Collection("help", config, embedder, data_dir, ROOT))


@contextmanager
def serving(app: object, **options: object) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port, in a thread; its base URL."""
    config = uvicorn.Config(app, port=0, log_level="critical", access_log=False, **options)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 120
    while not server.started and time.monotonic() < deadline and thread.is_alive():
        time.sleep(0.01)
    assert server.started, "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(120)
        assert not thread.is_alive(), "the server did not stop"


@dataclass(frozen=True)
class Gateway:
    url: str
    settings: Settings
    app: FastAPI

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120, **options)  # type: ignore[arg-type]

    def ask(self, question: str, **extra: object) -> httpx.Response:
        body = {"model": "support", "messages": [{"role": "user", "content": question}], **extra}
        with self.client() as client:
            return client.post("/v1/chat/completions", json=body)


StartGateway = Callable[..., AbstractContextManager[Gateway]]


@pytest.fixture
def start_gateway(demo: Demo, patient_scope: Path, tmp_path: Path) -> StartGateway:
    """Start a gateway over the demo's release with its own database; keywords are settings."""

    @contextmanager
    def start(**changes: object) -> Iterator[Gateway]:
        values: dict[str, object] = {
            "scope_file": patient_scope,
            "data_dir": demo.data_dir,
            "database_url": f"sqlite:///{tmp_path / 'gateway.db'}",
            "embed_threads": 1,
            "release_poll_s": 0.05,
            **changes,
        }
        settings = Settings(_env_file=None, **values)  # type: ignore[arg-type,call-arg]
        app = create_app(settings)
        with serving(app) as url:
            yield Gateway(url, settings, app)

    return start


@contextmanager
def keyed(
    folder: Path, embedder: Embedder, scopes: list[KeyScope], groups: dict[str, list[str]]
) -> Iterator[tuple[dict[str, str], str]]:
    """Ingest the collection `c` of `folder/scope.yaml` and serve it with a key for each name; the keys, and the URL."""
    scope_file, data_dir = folder / "scope.yaml", folder / "data"
    config = read_collections(scope_file)["c"]
    run(Collection("c", config, embedder, data_dir, folder))
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=scope_file,
        data_dir=data_dir,
        database_url=f"sqlite:///{folder / 'db'}",  # type: ignore[arg-type]
        embed_threads=1,
    )
    engine = open_database(settings.database())
    migrate(engine)
    keys = {name: create_key(engine, name, scopes, own) for name, own in groups.items()}
    engine.dispose()
    with serving(create_app(settings)) as url:
        yield keys, url


@pytest.fixture(scope="module")
def gateway(demo: Demo, patient_scope: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the extractive generator, for tests that only ask."""
    database = tmp_path_factory.mktemp("gateway") / "gateway.db"
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=patient_scope,
        data_dir=demo.data_dir,
        database_url=f"sqlite:///{database}",  # type: ignore[arg-type]
        embed_threads=1,
    )
    app = create_app(settings)
    with serving(app) as url:
        yield Gateway(url, settings, app)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """A server that speaks OpenAI's protocol and does what a test tells it."""
    scripted = ScriptedUpstream()
    with serving(scripted, lifespan="off") as url:
        scripted.url = f"{url}/v1"
        yield scripted


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder with public sets; tests that need one it lacks are skipped."""
    return Path(os.environ.get("TOUCHSTONE_DATA", ROOT.parent / "shared" / "data"))  # noqa: TID251


def wait_until(check: Callable[[], object], seconds: float = 120.0) -> None:
    """Until the check holds; fails when it doesn't within so many seconds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
