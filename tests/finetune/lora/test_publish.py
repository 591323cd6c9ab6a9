"""Publishing: what can't or mustn't be served is refused before, nothing is done twice, and the way back is a pointer."""

import json
import struct
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from finetune.lora import server as servers
from finetune.lora.canary import apply_canary, canary_of
from finetune.lora.publish import Person, Place, load, publish, roll_back, unload
from finetune.lora.registry import Adapter, note, open_adapter
from finetune.lora.servable import check_servable
from finetune.lora.server import AdapterServer, internal_address
from finetune.yaml_file import TrainingDataError
from ingestion.config import read_scope
from service.database import migrate, open_database
from service.experiments.lifecycle import Actor, start
from service.experiments.store import read_experiment
from service.scope import load_scope
from tests.conftest import SCOPE
from tests.finetune.lora.made import recipe, registered, safetensors, tensors

ADA = Person("Ada", "A pilot with our own staff.")
PASSED = {"verdict": "pass", "sentence": "Every gate is met.", "findings": []}
UNDECIDED = {"verdict": "cannot_tell", "sentence": "Too few cases.", "findings": []}


def today() -> date:
    return date(2026, 12, 1)


class FakeVllm(ThreadingHTTPServer):
    """Lists a base and loads adapters as a vLLM does; `status` is what it says instead of loading."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.base, self.root = "small", ""
        self.adapters: dict[str, str] = {}
        self.asked: list[tuple[str, Any]] = []
        self.status: int | None = None


class _Handler(BaseHTTPRequestHandler):
    server: FakeVllm

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        listed = [{"id": self.server.base, "root": self.server.root, "parent": None}]
        listed += [
            {"id": name, "root": root, "parent": self.server.base}
            for name, root in self.server.adapters.items()
        ]
        self._say(200, {"data": listed})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        if self.server.status is not None:
            self._say(self.server.status, {"error": {"message": "told to"}})
            return
        if self.path == "/tokenize":
            self._say(200, {"tokens": [len(message["content"]) for message in body["messages"]]})
            return
        if self.path == "/v1/load_lora_adapter":
            self.server.adapters[body["lora_name"]] = body["lora_path"]
        else:
            self.server.adapters.pop(body["lora_name"], None)
        self._say(200, {})

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    with FakeVllm() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    return note(registered(tmp_path / "shop"), status="proved", proof=PASSED)


@pytest.fixture
def scope_file(tmp_path: Path) -> Path:
    path = tmp_path / "touchstone.yaml"
    path.write_text(SCOPE.read_text())
    return path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def own_recipe(server: str, **publication: Any) -> Any:
    return recipe(publication={"server": server, **publication})


def test_it_is_loaded_written_down_and_declared_and_then_nothing_is_left_to_do(
    adapter: Adapter, vllm: FakeVllm, scope_file: Path, engine: Engine
) -> None:
    place, own = Place(scope_file, engine=engine), own_recipe(vllm.url)
    done = publish(adapter, own, place, apply=True, today=today)
    assert vllm.adapters == {adapter.name: str(adapter.folder.resolve())}
    scope = load_scope(scope_file)
    name = adapter.name.replace("@", "-")
    variant, before = scope.variants[name], scope.variants["baseline"]
    assert (variant.adapter, variant.prompt, variant.generator) == (adapter.name, "brief", "shop")
    assert variant.sampling.temperature == 0
    assert (variant.retrieval, variant.sampling.max_tokens) == (before.retrieval, before.sampling.max_tokens)
    experiment = scope.experiments[name]
    assert [one.variant for one in experiment.arms.values()] == ["baseline", name]
    assert (experiment.stages[0], experiment.canary.coverage) == ("canary", 10)
    running = read_experiment(engine, name)
    assert running
    assert running.digest == experiment.digest
    assert running.variants["treatment"] == variant.digest
    assert done.adapter.status == "published"
    assert done.adapter.facts["publication"]["before"] == "baseline"

    state = [path.read_bytes() for path in (scope_file, adapter.folder / "manifest.json")]
    again = publish(open_adapter(adapter.folder), own, place, apply=True, today=lambda: date(2027, 1, 1))
    assert [path.read_bytes() for path in (scope_file, adapter.folder / "manifest.json")] == state
    assert [path for path, _ in vllm.asked] == ["/v1/load_lora_adapter"]
    assert again.snippet is None
    assert read_experiment(engine, name) == running


def test_the_scope_file_keeps_its_comments_and_what_it_said(
    adapter: Adapter, vllm: FakeVllm, scope_file: Path
) -> None:
    before = scope_file.read_text()
    publish(adapter, own_recipe(vllm.url), Place(scope_file), apply=True, today=today)
    after = scope_file.read_text()
    kept = iter(after.split("\n"))
    assert all(line in kept for line in before.rstrip("\n").split("\n")), "every line, in the order"
    assert "# What is public" in after
    added = read_scope(scope_file)
    for section in ("experiments", "generators"):
        del added[section]
    del added["variants"][adapter.name.replace("@", "-")]
    old = scope_file.with_name("old.yaml")
    old.write_text(before)
    assert added == read_scope(old)


def test_without_apply_it_is_a_snippet_for_a_person(
    adapter: Adapter, vllm: FakeVllm, scope_file: Path, engine: Engine
) -> None:
    before = scope_file.read_text()
    done = publish(adapter, own_recipe(vllm.url), Place(scope_file, engine=engine), today=today)
    assert scope_file.read_text() == before
    assert read_experiment(engine, done.variant) is None
    assert done.snippet
    assert adapter.name in done.snippet.read_text()
    assert any("--apply" in step for step in done.steps)


def test_static_loading_tells_the_server_s_option(adapter: Adapter, scope_file: Path) -> None:
    done = publish(
        adapter, own_recipe("http://127.0.0.1:9/v1", loading="static"), Place(scope_file), today=today
    )
    assert done.option == f"--lora-modules {adapter.name}={adapter.folder.resolve()}"
    assert done.option in done.steps[0]
    assert not done.is_loaded


def test_a_server_of_the_scope_is_named_by_its_entry(adapter: Adapter, scope_file: Path) -> None:
    raw = read_scope(scope_file)
    url = "http://127.0.0.1:8001/v1"
    found = canary_of(adapter, own_recipe(url), raw, generator_url=f"{url}/", today=today())
    assert found.sections["variants"][found.variant]["generator"] == "openai"
    raw["generators"] = {"house": {"kind": "openai", "url": [f"{url}/"]}}
    found = canary_of(adapter, own_recipe(url), raw, generator_url=None, today=today())
    assert found.sections["variants"][found.variant]["generator"] == "house"
    assert "generators" not in found.sections
    raw["generators"] = {"shop": {"kind": "openai", "url": "http://elsewhere/v1"}}
    with pytest.raises(TrainingDataError, match="another generator 'shop'"):
        canary_of(adapter, own_recipe(url), raw, generator_url=None, today=today())


def test_a_scope_file_in_one_line_is_left_to_a_person(adapter: Adapter, scope_file: Path) -> None:
    text = scope_file.read_text() + "experiments: {}\n"
    scope_file.write_text(text)
    canary = canary_of(
        adapter,
        own_recipe("http://127.0.0.1:1/v1"),
        read_scope(scope_file),
        generator_url=None,
        today=today(),
    )
    with pytest.raises(TrainingDataError, match="in by hand"):
        apply_canary(scope_file, canary)
    assert scope_file.read_text() == text
    with pytest.raises(TrainingDataError, match="no assistant 'sales'"):
        canary_of(
            adapter, recipe(assistant="sales"), read_scope(scope_file), generator_url=None, today=today()
        )


@pytest.mark.parametrize("proof", [None, UNDECIDED, {**UNDECIDED, "verdict": "fail"}])
def test_what_is_not_proved_takes_a_person_s_name(
    tmp_path: Path, vllm: FakeVllm, scope_file: Path, proof: dict[str, Any] | None
) -> None:
    one = note(registered(tmp_path / "shop"), proof=proof)
    with pytest.raises(
        TrainingDataError, match="prove RECIPE" if proof is None else "--by NAME --reason WHY"
    ):
        publish(one, own_recipe(vllm.url), Place(scope_file))
    assert vllm.asked == []
    if proof is not None:
        done = publish(one, own_recipe(vllm.url), Place(scope_file), by=ADA, today=today)
        assert (
            "Published by Ada against the verdict: A pilot" in (done.adapter.folder / "CARD.md").read_text()
        )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"rank": 64}, "rank 64, and the server takes 32. Start it with --max-lora-rank 64"),
        ({"rank_pattern": {"q_proj": 48}}, "rank 48"),
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["embed_tokens"]}, "saved whole"),
        ({"trainable_token_indices": [5]}, "trained tokens"),
        ({"bias": "all"}, "trains biases"),
        ({"init_lora_weights": "pissa"}, "'pissa', which changes the base"),
        ({"weights": safetensors(tensors(8))}, r"has the rank 8, and its configuration says \[4\]"),
        ({"weights": safetensors(tensors(value=float("nan")))}, "no number"),
        ({"weights": safetensors({"lm_head.weight": np.ones((2, 2), np.float32)})}, "no pair of LoRA"),
        ({"weights": safetensors(tensors())[:-1]}, "cut off"),
        ({"weights": safetensors({})}, "no weights"),
        ({"weights": b"PK"}, "is broken"),
        ({"weights": struct.pack("<Q", 1 << 60) + b"{}"}, "longer than the file"),
        ({"weights": struct.pack("<Q", 2) + b"[]"}, "is broken"),
    ],
)
def test_what_a_vllm_cant_serve_is_refused_before(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    one = registered(tmp_path, **files)
    with pytest.raises(TrainingDataError, match=said):
        check_servable(one, max_rank=32)


def test_half_precision_is_read_too(tmp_path: Path) -> None:
    halves = {name: np.full(one.shape, 0x3F80, np.uint16) for name, one in tensors().items()}
    check_servable(registered(tmp_path / "one", weights=safetensors(halves)), max_rank=4)
    next(iter(halves.values()))[0, 0] = 0x7F80
    with pytest.raises(TrainingDataError, match="no number"):
        check_servable(registered(tmp_path / "two", weights=safetensors(halves)), max_rank=4)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "169.254.169.254", "0.0.0.0", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8"]
)
def test_an_external_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolved = [(2, 1, 6, "", (address, 80))]
    monkeypatch.setattr(servers.socket, "getaddrinfo", lambda *args, **kwargs: resolved)
    with pytest.raises(TrainingDataError, match="neither loopback nor private"):
        AdapterServer("http://vllm.internal:8001/v1")
    monkeypatch.setattr(
        servers.socket, "getaddrinfo", lambda *args, **kwargs: [(2, 1, 6, "", ("10.0.0.5", 80)), *resolved]
    )
    with pytest.raises(TrainingDataError, match="neither loopback nor private"):
        internal_address("vllm.internal", 8001)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "172.20.0.9", "192.168.4.4", "::1", "fd00::7"])
def test_an_internal_address_is_taken(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(servers.socket, "getaddrinfo", lambda *args, **kwargs: [(2, 1, 6, "", (address, 80))])
    assert internal_address("vllm.internal", 8001) == address


def test_a_name_that_means_something_else_later_changes_nothing(
    vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one that is connected to."""
    port = vllm.server_address[1]
    real = servers.socket.getaddrinfo

    def answers(host: str, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host == "vllm.internal" else host, *args, **kwargs)

    monkeypatch.setattr(servers.socket, "getaddrinfo", answers)
    server = AdapterServer(f"http://vllm.internal:{port}/v1")

    def elsewhere(host: str, *args: Any, **kwargs: Any) -> Any:
        assert host != "vllm.internal", "it was resolved once more"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(servers.socket, "getaddrinfo", elsewhere)
    assert [one.name for one in server.models()] == ["small"]


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/v1", "127.0.0.1:8001", "http://", "http://u:p@127.0.0.1/v1"]
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(TrainingDataError, match="no URL of a server"):
        AdapterServer(url)


def test_a_server_that_is_away_is_named() -> None:
    with pytest.raises(TrainingDataError, match="can't be reached"):
        AdapterServer("http://127.0.0.1:9/v1").models()


def test_a_server_tells_what_it_reads_or_nothing(vllm: FakeVllm) -> None:
    server = AdapterServer(vllm.url)
    assert server.prompt_tokens("small", [{"role": "user", "content": "four"}]) == (4,)
    vllm.status = 404
    assert server.prompt_tokens("small", [{"role": "user", "content": "four"}]) is None


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "loads no adapters while it runs"), (500, "status 500.*told to"), (200, "status 200")],
)
def test_a_server_that_does_not_load_is_told(
    adapter: Adapter, vllm: FakeVllm, status: int, said: str
) -> None:
    vllm.status = status
    with pytest.raises(TrainingDataError, match=said):
        load(adapter, AdapterServer(vllm.url))


def test_a_server_of_another_base_is_refused(adapter: Adapter, vllm: FakeVllm, tmp_path: Path) -> None:
    server = AdapterServer(vllm.url)
    vllm.base = "support"  # as the gateway lists its assistants
    with pytest.raises(TrainingDataError, match="doesn't serve 'small'"):
        load(adapter, server)
    vllm.base, vllm.root = "small", str(tmp_path / "base")
    (tmp_path / "base").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "base" / name).write_text("{}")
    with pytest.raises(TrainingDataError, match="trained on the base 'bbbbbbbbbbbb'"):
        load(adapter, server)
    assert vllm.asked == []


def test_loading_and_unloading_are_done_once(adapter: Adapter, vllm: FakeVllm) -> None:
    server = AdapterServer(vllm.url)
    assert [load(adapter, server), load(adapter, server)] == [True, False]
    assert [unload(adapter, server), unload(adapter, server)] == [True, False]
    load(adapter, server)
    vllm.status = 400
    with pytest.raises(TrainingDataError, match="keeps"):
        unload(adapter, server)


def test_rolling_back_stops_the_experiment_and_may_be_repeated(
    adapter: Adapter, vllm: FakeVllm, scope_file: Path, engine: Engine
) -> None:
    place, server = Place(scope_file, engine=engine), AdapterServer(vllm.url)
    with pytest.raises(TrainingDataError, match="nothing to roll back"):
        roll_back(adapter, place, ADA)
    done = publish(adapter, own_recipe(vllm.url), place, apply=True, today=today)
    start(engine, load_scope(scope_file), done.variant, Actor("Ada", "go", 0.0))
    for _ in range(2):
        gone = roll_back(open_adapter(adapter.folder), place, ADA, server=server)
        assert gone.status == "withdrawn"
    running = read_experiment(engine, done.variant)
    assert running
    stages = [epoch.stage for epoch in running.epochs]
    assert stages == ["canary", "stopped"]
    last = running.epochs[-1]
    assert (last.created_by, last.reason) == (ADA.name, ADA.reason)
    assert last.begins_at <= last.created_at, "it holds at once"
    assert vllm.adapters == {}
    assert load_scope(scope_file).assistants["support"].variant == "baseline"


def test_who_was_rolled_back_gets_another_experiment(
    adapter: Adapter, vllm: FakeVllm, scope_file: Path, engine: Engine
) -> None:
    place = Place(scope_file, engine=engine)
    first = publish(adapter, own_recipe(vllm.url), place, apply=True, today=today)
    start(engine, load_scope(scope_file), first.experiment, Actor("Ada", "go", 0.0))
    roll_back(adapter, place, ADA)
    second = publish(adapter, own_recipe(vllm.url), place, apply=True, today=today)
    assert (second.variant, second.experiment) == (first.variant, f"{first.experiment}-2")
    start(engine, load_scope(scope_file), second.experiment, Actor("Ada", "mended", 1.0))
    running, over = read_experiment(engine, second.experiment), read_experiment(engine, first.experiment)
    assert running
    assert over
    assert [running.epochs[-1].stage, over.epochs[-1].stage] == ["canary", "stopped"]
    assert (
        publish(adapter, own_recipe(vllm.url), place, apply=True, today=today).experiment == second.experiment
    )
    roll_back(adapter, place, ADA)
    assert open_adapter(adapter.folder).facts["publication"]["roll_backs"] == 2
