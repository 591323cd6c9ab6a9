"""Against a real vLLM on the CPU (`make vllm`): streaming, usage, cancellation, overflow, sudden death.

`TOUCHSTONE_VLLM_VENV` names the environment with vLLM (default `.venv-vllm`).
"""

import contextlib
import os
import re
import signal
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.__main__ import main as evaluate
from service.guard.marking import read_measured
from tests.conftest import ROOT, StartGateway, scope_with, wait_until
from tests.service.conftest import stream_of, text_of

pytestmark = pytest.mark.vllm
VENV = Path(os.environ.get("TOUCHSTONE_VLLM_VENV", ROOT / ".venv-vllm"))  # noqa: TID251
QUESTION = "What does express delivery cost?"
# Enough that a word of a random model, which may be long and is held back whole, has ended.
EVENTS = 1_000
ENDLESS: dict[str, Any] = {
    "model": "support",
    "stream": True,
    "max_tokens": 3_000,
    "temperature": 1,  # the likeliest words of a random model may be white space for ever
    "messages": [{"role": "user", "content": QUESTION}],
}


class Vllm:
    """A server that can be killed and started again."""

    def __init__(self, log: Path, model: str = "tiny", options: tuple[str, ...] = ()) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._log = log
        self._model = model
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {
            **os.environ,  # noqa: TID251
            "VLLM_PORT": str(self.port),
            "TOUCHSTONE_VLLM_VENV": str(VENV),
            "MODEL": self._model,
        }
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(ROOT / "deploy/vllm/serve"), *self._options],
                stdout=output,
                stderr=output,
                env=env,
                start_new_session=True,
            )
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=2).close()
            except OSError:
                time.sleep(0.5)
            else:
                return
        pytest.fail(f"vLLM did not start: {self._log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """At once, the engine's processes too: they share a session."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def running(self) -> float:
        """Requests that the engine works on."""
        return self._metric("num_requests_running")

    def generated(self) -> float:
        """Tokens since the start."""
        return self._metric("generation_tokens_total")

    def _metric(self, name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as reply:
            found = re.findall(rf"^vllm:{name}\S* ([\d.e+]+)", reply.read().decode(), re.MULTILINE)
        return sum(map(float, found))


class Relay(socketserver.ThreadingTCPServer):
    """Between gateway and server. It lets so many events of a connection through and holds the rest back until `cut` is
    set, which ends the connection; `hung_up` is set when the gateway ends it.

    On a busy machine a server may otherwise send its whole answer before the gateway reads a word of it.
    """

    def __init__(self, port: int, events: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.upstream = ("127.0.0.1", port)
        self.events = events
        self.cut = threading.Event()
        self.hung_up = threading.Event()


class _Connection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(self.server.upstream) as upstream:
            asking = threading.Thread(target=self._ask, args=(upstream,))
            asking.start()
            with contextlib.suppress(OSError):
                self._answer(upstream)
            for end in (self.request, upstream):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            asking.join()

    def _ask(self, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := self._received():
                upstream.sendall(data)
            self.server.hung_up.set()
            upstream.shutdown(socket.SHUT_RDWR)

    def _received(self) -> bytes:
        """What the gateway sends; empty when it has gone. Who closes with unread bytes resets the connection."""
        try:
            return bytes(self.request.recv(4096))
        except ConnectionResetError:
            return b""

    def _answer(self, upstream: socket.socket) -> None:
        seen = 0
        while data := upstream.recv(1024):
            seen += data.count(b"data: ")
            if seen > self.server.events:
                self.server.cut.wait(60)
                return
            self.request.sendall(data)


@contextlib.contextmanager
def relaying(port: int, *, events: int) -> Iterator[Relay]:
    with Relay(port, events) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield relay
        finally:
            relay.cut.set()
            relay.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    if not (VENV / "installed").is_file():
        pytest.skip(f"vLLM is not in {VENV}: run `deploy/vllm/serve install`")
    server = Vllm(tmp_path_factory.mktemp("vllm") / "vllm.log")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def scope(tmp_path: Path) -> Path:
    """Guards of what is said are off: a random model says nothing that any of them would let pass."""
    off = dict.fromkeys(("leak", "exact", "grounding", "toxicity", "repetition", "length"), "off")
    return scope_with(
        tmp_path, input={"injection": "off", "injection_model": "off", "length": "off"}, output=off
    )


def test_answers_are_generated_streamed_and_counted(
    start_gateway: StartGateway, vllm: Vllm, scope: Path
) -> None:
    with start_gateway(generator_url=vllm.url, scope_file=scope) as gateway:
        whole = gateway.ask(QUESTION, max_tokens=40, temperature=1).json()
        reply = gateway.ask(
            QUESTION, max_tokens=40, temperature=1, stream=True, stream_options={"include_usage": True}
        )
    events = stream_of(reply)
    assert whole["rag"]["degraded"] is False
    assert whole["usage"]["completion_tokens"] == 40
    assert whole["usage"]["prompt_tokens"] > 300, "the passages were in the prompt"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert len([e for e in events if e["choices"]]) > 5, "it came in pieces"
    assert text_of(events).strip()
    assert events[-1]["usage"]["completion_tokens"] == 40  # type: ignore[index]
    ids = {citation["id"] for citation in whole["rag"]["citations"]}
    assert ids <= {1, 2, 3, 4, 5}


def test_completions_and_tokens_pass_through(start_gateway: StartGateway, vllm: Vllm, scope: Path) -> None:
    with start_gateway(generator_url=vllm.url, scope_file=scope) as gateway, gateway.client() as client:
        tokens = client.post("/tokenize", json={"model": "support", "prompt": "Where is my parcel?"}).json()
        text = client.post("/v1/completions", json={"model": "support", "prompt": "Where", "max_tokens": 4})
    assert tokens["count"] == len(tokens["tokens"]) > 2
    assert text.json()["usage"]["completion_tokens"] == 4


def test_marking_is_measured_on_the_model_that_is_served(
    vllm: Vllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path))
    assert evaluate(["run", "marking", "--model", vllm.url, "--sample", "4"]) == 0
    measured = read_measured(tmp_path)
    assert measured is not None
    assert (measured.model, measured.cases) == ("tiny", 4)
    assert evaluate(["run", "marking", "--model", "http://127.0.0.1:9/v1", "--sample", "4"]) == 1


def test_a_client_that_hangs_up_frees_the_server(
    start_gateway: StartGateway, vllm: Vllm, scope: Path
) -> None:
    before = vllm.generated()
    with (
        relaying(vllm.port, events=EVENTS) as relay,
        start_gateway(generator_url=relay.url, scope_file=scope) as gateway,
        gateway.client() as client,
    ):
        with client.stream("POST", "/v1/chat/completions", json=ENDLESS) as reply:
            seen = ""
            for piece in reply.iter_text():
                seen += piece
                if re.search(r'"content":"[^"]', seen):
                    break
        assert relay.hung_up.wait(60), "the gateway went on without its client"
        wait_until(lambda: vllm.running() == 0)
    assert vllm.generated() > before


def test_a_question_beyond_the_context_is_refused_by_type(
    start_gateway: StartGateway, vllm: Vllm, scope: Path
) -> None:
    long = "What does express delivery cost? " + "x7Q# " * 3_000
    with start_gateway(generator_url=vllm.url, scope_file=scope, max_question_chars=60_000) as gateway:
        reply = gateway.ask(long, max_tokens=50)
    if reply.status_code == 200:
        assert reply.json()["rag"]["outcome"] == "abstained", "the floor may refuse it first"
    else:
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")
    history = [{"role": "user", "content": "word " * 2_000}, {"role": "assistant", "content": "ok"}]
    with start_gateway(generator_url=vllm.url, scope_file=scope) as gateway:
        shortened = gateway.ask("", max_tokens=20, messages=[*history, {"role": "user", "content": QUESTION}])
    assert shortened.json()["rag"]["degraded"] is False, "history gives way before the answer does"


def test_killed_in_the_middle_the_client_hears_of_it(
    start_gateway: StartGateway, vllm: Vllm, scope: Path
) -> None:
    with (
        relaying(vllm.port, events=EVENTS) as relay,
        start_gateway(generator_url=relay.url, scope_file=scope) as gateway,
        gateway.client() as client,
    ):
        seen = ""
        with client.stream("POST", "/v1/chat/completions", json=ENDLESS) as reply:
            for piece in reply.iter_text():
                seen += piece
                if not relay.cut.is_set() and re.search(r'"content":"[^"]', seen):
                    vllm.kill()
                    relay.cut.set()
        events = [line for line in seen.split("\n") if line.startswith("data: ")]
        after = gateway.ask(QUESTION).json()
    assert '"code":"generator_interrupted"' in events[-2]
    assert events[-1] == "data: [DONE]"
    assert after["rag"]["degraded"] is True
    assert "€9.90" in after["choices"][0]["message"]["content"]
