"""A wall clock that is set back an hour, then forward a day: nothing that was acknowledged is lost, comes back or hangs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import text

from service.answer.erasure import delete_older
from service.app import create_app
from service.database import open_database
from service.settings import Settings
from tests.conftest import Demo, Gateway, scope_with, serving, wait_until
from tests.service.routes.test_documents import CLEARANCE, HELP

HOUR_S, DAY_S = 3600.0, 86_400.0
# None of the requests takes longer, whatever the clock does.
SECONDS = 30


class _TakesAll(type):
    """Every moment is one of these, whoever made it."""

    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, datetime)


class WallClock:
    """What all modules take for the time of day: `ahead_s` before the real one."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        real_s, real_ns = time.time, time.time_ns
        patched.setattr(time, "time", lambda: real_s() + self.ahead_s)
        patched.setattr(time, "time_ns", lambda: real_ns() + int(self.ahead_s * 1e9))

        class Moved(datetime, metaclass=_TakesAll):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.fromtimestamp(time.time(), tz)

        for name, module in list(sys.modules.items()):
            if (
                name.split(".")[0] in ("service", "ingestion")
                and getattr(module, "datetime", None) is datetime
            ):
                patched.setattr(module, "datetime", Moved)


@pytest.fixture
def clock() -> Iterator[WallClock]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("service.ids._last", 0)
        yield WallClock(patched)


@pytest.fixture
def gateway(demo: Demo, tmp_path: Path) -> Iterator[Gateway]:
    scope_file = scope_with(tmp_path)
    raw = yaml.safe_load(scope_file.read_text())
    raw["collections"]["help"]["clearance"] = CLEARANCE
    scope_file.write_text(yaml.safe_dump(raw))
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=scope_file,
        data_dir=tmp_path / "data",
        database_url=f"sqlite:///{tmp_path / 'gateway.db'}",  # type: ignore[arg-type]
        embed_threads=1,
        release_poll_s=0.05,
    )
    app = create_app(settings)
    with serving(app) as url:
        yield Gateway(url, settings, app)


class Client:
    """One who uploads, asks and rates, and remembers what was acknowledged."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.answers: list[dict[str, str]] = []
        self.events: list[str] = []

    def put(self, name: str, key: str, words: str = "The quagga eats zinnias.") -> httpx.Response:
        headers = {"idempotency-key": key}
        return self._http.put(
            f"/v1/documents/{name}", params=HELP, json={"text": f"# {name}\n\n{words}"}, headers=headers
        )

    def remove(self, name: str) -> int:
        return self._http.delete(f"/v1/documents/{name}", params=HELP).status_code

    def found(self, query: str) -> list[str]:
        reply = self._http.post("/v1/search", json={"query": query, "collection": "help", "top_k": 10})
        return [one["document_id"] for one in reply.json()["results"]]

    def run(self, run_id: str) -> dict[str, float]:
        reply = self._http.get(f"/v1/ingestions/{run_id}")
        assert reply.status_code == 200
        return dict(reply.json())

    def ask(self) -> None:
        question = {
            "model": "support",
            "messages": [{"role": "user", "content": "What does the quagga eat?"}],
        }
        reply = self._http.post("/v1/chat/completions", json=question)
        assert reply.status_code == 200
        self.answers.append(reply.json()["rag"])

    def rate_all(self) -> None:
        """Rate every answer that there ever was: no token is refused."""
        for rag in self.answers:
            thumb = {
                "answer_id": rag["answer_id"],
                "token": rag["feedback_token"],
                "kind": "thumb",
                "value": "up",
            }
            reply = self._http.post("/v1/feedback", json=thumb)
            assert reply.status_code == 201, reply.text
            self.events.append(reply.json()["event_id"])


@contextmanager
def client_of(gateway: Gateway) -> Iterator[Client]:
    with httpx.Client(base_url=gateway.url, timeout=SECONDS) as http:
        yield Client(http)


def ids_of(gateway: Gateway, query: str) -> list[str]:
    engine = open_database(gateway.settings.database())
    with engine.connect() as connection:
        found = list(connection.execute(text(query)).scalars())
    engine.dispose()
    return found


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_comes_back_when_the_clock_jumps(
    gateway: Gateway, clock: WallClock
) -> None:
    with client_of(gateway) as client:
        first = client.put("first", "key-1")
        assert first.status_code == 201
        client.put("gone", "key-2", "The wombat digs.")
        client.ask()
        assert client.remove("gone") == 200
        for ahead_s in (-HOUR_S, DAY_S - HOUR_S):
            clock.ahead_s = ahead_s
            again = client.put("first", "key-1")
            assert (again.status_code, again.json()) == (first.status_code, first.json())
            later = client.put(
                f"later/{ahead_s:.0f}", f"key-{ahead_s}", f"The quagga sleeps {ahead_s:.0f} s."
            )
            assert later.status_code == 201
            assert client.run(later.json()["run_id"])["took_s"] >= 0
            client.ask()
            client.rate_all()
            assert f"later/{ahead_s:.0f}" in client.found("how long does the quagga sleep")
            assert "first" in client.found("quagga zinnias")
            assert "gone" not in client.found("wombat digs")
        answers = [rag["answer_id"] for rag in client.answers]
        assert answers == sorted(set(answers))
        assert client.events == sorted(set(client.events))
        wait_until(lambda: set(answers) <= set(ids_of(gateway, "select id from answers")), 10)
        assert set(ids_of(gateway, "select event_id from feedback")) == set(client.events)
        ahead = "select id from answers where created_at > datetime('now', '+1 hour')"
        engine = open_database(gateway.settings.database())
        delete_older(engine, datetime.now().astimezone() - timedelta(days=30))
        engine.dispose()
        assert set(ids_of(gateway, "select id from answers")) == set(answers)
        assert ids_of(gateway, ahead) == answers[-1:], "the clock was really moved"
        # Set right again: the keys of the day that never was hold, too.
        clock.ahead_s = 0.0
        assert client.put("first", "key-1").json() == first.json()
        assert (
            client.put(
                f"later/{DAY_S - HOUR_S:.0f}",
                f"key-{DAY_S - HOUR_S}",
                f"The quagga sleeps {DAY_S - HOUR_S:.0f} s.",
            ).json()
            == later.json()
        )
        assert client.remove("first") == 200
        assert "first" not in client.found("quagga zinnias")
