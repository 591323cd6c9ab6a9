"""What a helpdesk posts is taken only with its signature, lately sent, and means what the scope file says."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from ingestion.errors import ScopeError
from service.errors import InvalidRequestError, SignatureError
from service.feedback.webhooks import OpenWebhook, Report, open_webhooks
from service.scope.webhooks import Webhook

SECRET = b"shared secret"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEAST: dict[str, Any] = {
    "secret_env": "HELPDESK_SECRET",
    "signature_header": "X-Signature",
    "conversation": "ticket.external_id",
    "outcome": "ticket.status",
    "outcomes": {"solved": "resolved", "closed": "ticket_closed", "5": "escalated"},
}


def a_hook(**changes: Any) -> OpenWebhook:
    return OpenWebhook("desk", Webhook.model_validate({**LEAST, **changes}), SECRET)


def a_body(**ticket: Any) -> bytes:
    return json.dumps({"ticket": {"external_id": "c-1", "status": "solved", **ticket}}).encode()


def mac(*parts: bytes) -> bytes:
    return hmac.digest(SECRET, b"".join(parts), hashlib.sha256)


# As GitHub signs (`sha256=` and the body in hex), Zendesk (time and body in Base64), Slack (`v0:time:body`).
def github(body: bytes, _: str) -> dict[str, str]:
    return {"x-signature": "sha256=" + mac(body).hex()}


def zendesk(body: bytes, time: str) -> dict[str, str]:
    return {"x-signature": base64.b64encode(mac(time.encode(), body)).decode(), "x-time": time}


def slack(body: bytes, time: str) -> dict[str, str]:
    return {"x-signature": "v0=" + mac(b"v0:", time.encode(), b":", body).hex(), "x-time": time}


WAYS = {
    "github": (github, {"prefix": "sha256="}),
    "zendesk": (zendesk, {"signature": "base64", "timestamp_header": "X-Time"}),
    "slack": (slack, {"prefix": "v0=", "timestamp_header": "X-Time", "signed": "v0:{timestamp}:{body}"}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("time", ["2026-03-01T12:00:00Z", "1772366400"])
def test_a_body_passes_with_its_signature_and_no_other_does(way: str, time: str) -> None:
    sign, changes = WAYS[way]
    hook, body = a_hook(**changes), a_body()
    headers = sign(body, time)
    hook.check(headers, body, now=NOW)
    wrong = [
        (headers, a_body(status="closed")),
        ({**headers, "x-signature": headers["x-signature"][:-1]}, body),
        ({**headers, "x-signature": ""}, body),
        ({**headers, "x-signature": "\ud800é"}, body),
        ({}, body),
    ]
    if "x-time" in headers:
        wrong.append(({**headers, "x-time": "2026-03-01T12:00:01Z"}, body))
    for sent, text in wrong:
        with pytest.raises(SignatureError):
            hook.check(sent, text, now=NOW)


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24])
def test_what_was_signed_long_ago_is_refused(minutes: int) -> None:
    sign, changes = WAYS["zendesk"]
    hook, body = a_hook(**changes), a_body()
    headers = sign(body, (NOW + timedelta(minutes=minutes)).isoformat())
    with pytest.raises(SignatureError, match="not of the last five minutes"):
        hook.check(headers, body, now=NOW)


@pytest.mark.parametrize("time", ["", "soon", "nan", "inf", "-1", "9" * 400])
def test_a_signed_time_that_is_none_is_refused(time: str) -> None:
    sign, changes = WAYS["zendesk"]
    with pytest.raises(SignatureError):
        a_hook(**changes).check(sign(a_body(), time), a_body(), now=NOW)


def test_a_placeholder_in_a_body_is_the_body_s_own() -> None:
    sign, changes = WAYS["slack"]
    body = b'{"a": "{timestamp}{body}"}'
    a_hook(**changes).check(sign(body, "1772366400"), body, now=NOW)


def test_statuses_are_mapped_and_others_ignored() -> None:
    hook = a_hook(id="ticket.event", observed_at="ticket.at")
    report = hook.read(a_body(event=17, at="2026-03-01T11:00:00+01:00"), now=NOW)
    assert report == Report("c-1", "resolved", datetime(2026, 3, 1, 10, tzinfo=UTC), "17")
    assert hook.read(a_body(status=5, event=1, at=1772362800), now=NOW) == Report(
        "c-1", "escalated", datetime(2026, 3, 1, 11, tzinfo=UTC), "1"
    )
    assert hook.read(a_body(status="open"), now=NOW) == "unmapped_outcome"
    assert hook.read(a_body(status=None), now=NOW) == "unmapped_outcome"
    assert hook.read(b'{"ticket": []}', now=NOW) == "unmapped_outcome"
    assert hook.read(a_body(external_id=None), now=NOW) == "no_conversation"
    assert hook.read(a_body(external_id="c" * 65), now=NOW) == "no_conversation"
    no_time = "0001-01-01T00:00:00+01:00"
    for wrong in (None, "soon", "2026-03-02T00:00:00Z", "1999-01-01", no_time, "9999-12-31T23:59:59-01:00"):
        assert hook.read(a_body(at=wrong), now=NOW) == "unreadable_time"


def test_without_an_id_the_body_is_its_own() -> None:
    hook = a_hook()
    first, again, other = (hook.read(body) for body in (a_body(), a_body(), a_body(note="new")))
    assert isinstance(first, Report)
    assert isinstance(other, Report)
    assert first == again
    assert first.id != other.id


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        a_hook().read(body)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signed": "{timestamp}"}, "doesn't hold {body} once"),
        ({"signed": "{body}{body}"}, "doesn't hold {body} once"),
        ({"timestamp_header": "X-Time", "signed": "{body}"}, "proves nothing"),
        ({"signed": "{timestamp}{body}"}, "proves nothing"),
        ({"outcomes": {"open": "opened"}}, "outcomes.open"),
        ({"outcomes": {}}, "outcomes"),
        ({"conversation": "a..b"}, "conversation"),
    ],
)
def test_a_webhook_that_could_prove_nothing_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Webhook.model_validate({**LEAST, **changes})


def test_a_secret_that_is_not_set_is_said_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELPDESK_SECRET", raising=False)
    with pytest.raises(ScopeError, match="HELPDESK_SECRET holds no secret"):
        open_webhooks({"desk": Webhook.model_validate(LEAST)})
    monkeypatch.setenv("HELPDESK_SECRET", "s")
    assert open_webhooks({"desk": Webhook.model_validate(LEAST)})["desk"].secret == b"s"
