"""A gateway with keys and a helpdesk's webhook, for tests of feedback over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.app import create_app
from service.auth import KeyScope, create_key
from service.database import migrate, open_database
from service.settings import Settings
from service.tables import FeedbackEvent
from tests.conftest import Demo, scope_with, serving, wait_until

FEEDBACK = "/v1/feedback"
QUESTION = "How many recovery codes do I get?"
KEYS: Mapping[str, list[KeyScope]] = {
    "asker": ["answer", "feedback"],
    "other": ["answer", "feedback"],
    "boss": ["admin"],
    "analyst": ["analyst"],
}
WEBHOOK = {
    "secret_env": "HELPDESK_SECRET",
    "signature_header": "X-Signature",
    "prefix": "sha256=",
    "conversation": "ticket.external_id",
    "outcome": "ticket.status",
    "outcomes": {"solved": "resolved", "closed": "ticket_closed"},
    "id": "event",
}


@dataclass(frozen=True)
class Desk:
    client: httpx.Client
    keys: Mapping[str, str]
    engine: Engine

    def send(self, name: str | None, method: str, path: str, **request: Any) -> httpx.Response:
        headers = dict(request.pop("headers", {}))
        if name is not None:
            headers["authorization"] = f"Bearer {self.keys[name]}"
        return self.client.request(method, path, headers=headers, **request)

    def ask(self, name: str = "asker", *, user: str | None = None, **rag: Any) -> dict[str, Any]:
        body = {"model": "support", "messages": [{"role": "user", "content": QUESTION}], "rag": rag}
        reply = self.send(
            name, "POST", "/v1/chat/completions", json={**body, **({"user": user} if user else {})}
        )
        found: dict[str, Any] = reply.json()["rag"]
        return found

    def rate(self, name: str | None, key: str | None = None, **body: Any) -> httpx.Response:
        headers = {"idempotency-key": key} if key else {}
        return self.send(
            name, "POST", FEEDBACK, json={"kind": "thumb", "value": "up", **body}, headers=headers
        )

    def rate_by_token(self, rag: Mapping[str, Any], key: str | None = None, **body: Any) -> httpx.Response:
        named = {"answer_id": rag["answer_id"], "token": rag["feedback_token"]}
        return self.rate(None, key, **{**named, **body})

    def events(self, **columns: Any) -> list[FeedbackEvent]:
        with Session(self.engine, expire_on_commit=False) as session:
            wanted = select(FeedbackEvent).filter_by(**columns).order_by(FeedbackEvent.event_id)
            return list(session.scalars(wanted))

    def event(self, reply: httpx.Response) -> FeedbackEvent:
        assert reply.status_code in (200, 201), reply.text
        (found,) = self.events(event_id=reply.json()["event_id"])
        return found


@contextmanager
def desk_over(demo: Demo, folder: Path, **sections: Any) -> Iterator[Desk]:
    path = scope_with(folder)
    scope = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**scope, "webhooks": {"desk": WEBHOOK}, **sections}))
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=path,
        data_dir=demo.data_dir,
        database_url=f"sqlite:///{folder / 'db'}",  # type: ignore[arg-type]
        embed_threads=1,
    )
    engine = open_database(settings.database())
    migrate(engine)
    keys = {name: create_key(engine, name, scopes) for name, scopes in KEYS.items()}
    with serving(create_app(settings)) as url, httpx.Client(base_url=url, timeout=120) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield Desk(client, keys, engine)
    engine.dispose()
