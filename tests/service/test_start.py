"""Whatever is set wrongly ends in one line that names the setting and the remedy, and never shows a secret."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import typing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from uvicorn.supervisors.multiprocess import SIGNALS

from evals.__main__ import main as evaluate
from ingestion.errors import SettingsError
from ingestion.settings import CorpusSettings, load_settings
from service.__main__ import main
from service.errors import SecretError
from service.listen import TellingSupervisor
from service.settings import Settings
from service.start import SayWhy
from tests.conftest import ROOT, SCOPE, Demo
from tests.service.processes import environment, free_port

SECRET = "correct-horse-battery\n-staple"
_NUMBERS = {int, float}


def wrong_value(name: str) -> str:
    """A value that no setting of this kind can have."""
    annotation = Settings.model_fields[name].annotation
    kinds = set(typing.get_args(annotation)) or {annotation}
    if kinds & _NUMBERS:
        return "nonsense"
    return SECRET if SecretStr in kinds else "a\nb"


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with nothing set, in a folder without a `.env` file, that has the demo's scope."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TOUCHSTONE_{name.upper()}", raising=False)
    monkeypatch.setenv("TOUCHSTONE_SCOPE_FILE", str(SCOPE))
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "var"))
    return monkeypatch


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """The one line that a command that can't start says."""
    assert main(command or ("serve",)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    return line


def sqlite_is(state: str) -> OperationalError:
    """What the database's library raises when its file can't be used."""
    error = OperationalError("insert", {}, sqlite3.OperationalError(state))
    error.args = (state,)
    return error


async def started(error: Exception) -> str:
    """Start an application that can't start; what its server is told to log."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise error
        yield

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(SayWhy)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(type(error)):
        await app({"type": "lifespan", "state": {}}, receive, send)
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    return str(failed["message"])


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_wrong_value_of_any_setting_is_named(
    name: str, clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.setenv(f"TOUCHSTONE_{name.upper()}", wrong_value(name))
    line = refused(capsys)
    assert f"TOUCHSTONE_{name.upper()}" in line
    assert "battery" not in line


@pytest.mark.parametrize(
    "name", sorted(n for n, f in Settings.model_fields.items() if f.annotation in _NUMBERS)
)
@pytest.mark.parametrize("value", ["-1", "inf", "nan"])
def test_numbers_that_cannot_be_are_named(
    name: str, value: str, clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.setenv(f"TOUCHSTONE_{name.upper()}", value)
    line = refused(capsys)
    assert f"TOUCHSTONE_{name.upper()} is {value!r}" in line


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "too short", "shorter than 16 characters"),
        ("VAULT_KEY", "no fernet key", "vault new-key"),
        ("GENERATOR_URL", "nonsense", "http://host:port/v1"),
        ("GENERATOR_URL", "http://host:abc/v1", "Port could not be cast"),
        ("DATABASE_URL", "nonsense", "postgresql://user:password@host/name"),
        ("DATABASE_URL", "postgresql://u:secret-word@127.0.0.1:1/x", "127.0.0.1:1"),
        (
            "DATABASE_URL",
            "postgresql://u:secret-word@127.0.0.1:abc/x",
            "postgresql://user:password@host/name",
        ),
        ("DATABASE_URL", "nodb://u:secret-word@127.0.0.1/x", "nodb"),
        ("DATA_DIR", "/proc/no-such-folder", "/proc/no-such-folder"),
        ("GENERATER_URL", "http://127.0.0.1:1/v1", "Did you mean TOUCHSTONE_GENERATOR_URL?"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_remedy(
    name: str, value: str, says: str, clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.setenv(f"TOUCHSTONE_{name}", value)
    line = refused(capsys)
    assert f"TOUCHSTONE_{name}" in line
    assert says in line
    assert "secret-word" not in line


@pytest.mark.parametrize("option", ["--port", "--workers"])
def test_an_option_is_named_as_it_was_given(
    option: str, clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{option} is 99999" in refused(capsys, "serve", option, "99999")


def test_a_port_in_use_is_named(clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        clean.setenv("TOUCHSTONE_PORT", str(port))
        assert str(port) in refused(capsys)


@pytest.mark.parametrize(
    "text", ["", "[1, 2", "- a\n- b", "collections: 3", "a: " + "[" * 5000, "collections: {c: {sources: 3}}"]
)
def test_a_broken_scope_file_is_named(
    text: str, clean: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    clean.setenv("TOUCHSTONE_SCOPE_FILE", str(path))
    assert str(path) in refused(capsys)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SettingsError("TOUCHSTONE_X is 1.\nName another."), "error: TOUCHSTONE_X is 1. Name another.\n"),
        (SecretError("The secret is open to others."), "error: The secret is open to others.\n"),
        (PermissionError(13, "Permission denied", "/x"), "error: Permission denied: '/x'. Check space and rights.\n"),
        (sqlite_is("disk I/O error"), "error: The database can't be used: disk I/O error. Check its disk's space and rights.\n"),
    ],
)  # fmt: skip
async def test_what_keeps_the_application_from_starting_is_said_in_one_line(
    error: Exception, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await started(error) == ""
    assert capsys.readouterr().err == says


async def test_a_fault_of_ours_at_the_start_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Traceback" in await started(KeyError("ours"))
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_is_not_there_ends_the_start_without_a_traceback(workers: int, tmp_path: Path) -> None:
    scope = tmp_path / "scope.yaml"
    scope.write_text(SCOPE.read_text().replace("embedder: builtin", "embedder: /no/such-model"))
    done = subprocess.run(
        [sys.executable, "-m", "service", "serve", f"--port={free_port()}", f"--workers={workers}"],
        env=environment(scope_file=scope, data_dir=tmp_path / "data"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    begins, *words = done.stderr.splitlines()
    assert done.returncode != 0
    assert begins == f"Touchstone starts: scope file {str(scope)!r}, data in {str(tmp_path / 'data')!r}"
    assert "serves on" not in done.stderr, "nobody can be answered"
    errors = [line for line in words if line.startswith("error: The embedder '/no/such-model' ")]
    others = [line for line in words if line not in errors]
    # Each worker says it, and at last the process that starts them.
    assert 1 <= len(errors) <= workers
    assert len(others) == (workers > 1)


@pytest.mark.parametrize(
    ("setting", "value"), [("PORT", "abc"), ("SECRET_KEY", "short"), ("SCOPE_FILE", "/no/such-file")]
)
def test_evaluation_names_its_settings_too(
    setting: str, value: str, clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.setenv(f"TOUCHSTONE_{setting}", value)
    assert evaluate(["run", "guards"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert f"TOUCHSTONE_{setting}" in line


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(["scope", "--write", str(tmp_path / "none" / "page.md")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: No such file or directory: ")


def test_a_name_that_is_like_no_setting_is_left_alone(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("TOUCHSTONE_SERVICE_HOST", "10.0.0.1")  # Kubernetes sets it for a service of that name
    clean.setenv("TOUCHSTONE_DATA", "sets")
    assert load_settings(Settings).port == 8000


def test_an_empty_value_is_the_default(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("TOUCHSTONE_PORT", "")
    assert load_settings(Settings).port == 8000


@pytest.mark.parametrize("name", sorted(CorpusSettings.model_fields))
def test_ingestion_names_its_settings_too(name: str, tmp_path: Path) -> None:
    value = wrong_value(name)
    done = subprocess.run(
        [sys.executable, "-m", "ingestion", "run"],
        env={**environment(scope_file=SCOPE, data_dir=tmp_path), f"TOUCHSTONE_{name.upper()}": value},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith(f"error: TOUCHSTONE_{name.upper()} is ")
    assert json.dumps(value) not in line


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, with nothing set."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TOUCHSTONE_{name.upper()}", raising=False)
    return folder


def places() -> tuple[Path, Path]:
    found = load_settings(CorpusSettings)
    return found.scope_file.resolve(), found.data_dir.resolve()


def test_the_current_folders_scope_file_comes_first_and_the_data_lie_beside_it(elsewhere: Path) -> None:
    (elsewhere / "touchstone.yaml").write_text(SCOPE.read_text())
    assert places() == (elsewhere / "touchstone.yaml", elsewhere / "var")
    assert not load_settings(CorpusSettings).is_elsewhere


def test_from_any_other_folder_the_programs_own_are_used_and_named(elsewhere: Path) -> None:
    assert places() == (SCOPE, ROOT / "var")
    found = load_settings(CorpusSettings)
    assert found.is_elsewhere
    assert found.used == f"scope file {str(SCOPE)!r}, data in {str(ROOT / 'var')!r}"


def test_a_named_scope_file_brings_its_data_folder_from_any_folder(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOUCHSTONE_SCOPE_FILE", str(tmp_path / "shop" / "scope.yaml"))
    assert places() == (tmp_path / "shop" / "scope.yaml", tmp_path / "shop" / "var")
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", "mine")
    assert places() == (tmp_path / "shop" / "scope.yaml", elsewhere / "mine"), (
        "a named one is where it was named"
    )


def test_a_data_folder_that_is_named_here_is_here_whatever_the_scope_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", "mine")
    assert places() == (SCOPE, elsewhere / "mine")


def test_an_env_file_of_the_current_folder_is_read_in_any_case(elsewhere: Path) -> None:
    (elsewhere / ".env").write_text("TOUCHSTONE_PORT=8123\nTOUCHSTONE_DATA_DIR=mine\n")
    assert load_settings(Settings).port == 8123
    assert places() == (SCOPE, elsewhere / "mine")


def starting(folder: Path, *options: str, **settings: object) -> list[str]:
    """What a gateway says until it serves; a client of its port is answered from that moment on."""
    port = free_port()
    command = [sys.executable, "-m", "service", "serve", f"--port={port}", *options]
    env = environment(**settings)
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        try:
            for line in process.stderr:
                said.append(line.strip())
                if "serves on" in line:
                    for _ in range(8):
                        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                            client.sendall(b"GET /livez HTTP/1.0\r\nhost: localhost\r\n\r\n")
                            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
                    break
        finally:
            process.terminate()
    return [line.replace(str(port), "PORT") for line in said if not line.startswith("{")]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_it_says_that_it_serves_once_every_worker_can_answer(
    workers: int, demo: Demo, tmp_path: Path
) -> None:
    used = {"scope_file": SCOPE, "data_dir": demo.data_dir, "database_url": f"sqlite:///{tmp_path / 'db'}"}
    said = starting(tmp_path, f"--workers={workers}", **used)
    assert said == [
        f"Touchstone starts: scope file {str(SCOPE)!r}, data in {str(demo.data_dir)!r}",
        "Touchstone serves on http://127.0.0.1:PORT",
    ]


class _Worker:
    """A process that answers whether it has started."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)

    def is_alive(self, timeout: float) -> bool:
        return True

    def is_ready(self, timeout: float) -> bool:
        return self._answers.pop(0)


def test_several_workers_are_told_once_when_the_last_is_ready() -> None:
    told: list[int] = []
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        config = uvicorn.Config("x:y", workers=2)
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        supervisor = TellingSupervisor(config, [sock], told.append)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        supervisor.processes = [_Worker(True, True, True), _Worker(False, True)]  # type: ignore[list-item]
        counts = []
        for _ in range(3):
            supervisor.keep_subprocess_alive()
            counts.append(len(told))
        assert counts == [0, 1, 1]
        assert told == [sock.getsockname()[1]]
