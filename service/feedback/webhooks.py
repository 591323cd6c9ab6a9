"""What a helpdesk posts: whether it is signed, and which outcome it tells. Knows no HTTP but its headers."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.errors import ScopeError
from service.errors import InvalidRequestError, SignatureError
from service.feedback.event import EARLIEST, Event, Speaker
from service.feedback.record import bound
from service.feedback.rights import RatedAnswer
from service.feedback.tokens import Pseudonyms
from service.scope.webhooks import BODY, TIMESTAMP, Webhook

# How far the time of sending may be from ours.
_FRESH = timedelta(minutes=5)
_AHEAD = timedelta(minutes=1)
# Seconds since 1970 have ten digits now, and milliseconds thirteen.
_MILLISECONDS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """An outcome of a conversation as a helpdesk tells it; `id` is of its event."""

    conversation_id: str
    outcome: str
    observed_at: datetime | None
    id: str


@dataclass(frozen=True, slots=True)
class OpenWebhook:
    """A webhook of the scope file with its secret."""

    name: str
    config: Webhook
    secret: bytes

    def check(self, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> None:
        """Raise `SignatureError` unless the body is signed, and lately where it says when."""
        config = self.config
        timestamp = headers.get(config.timestamp_header.lower(), "") if config.timestamp_header else ""
        given = headers.get(config.signature_header.lower(), "")
        mac = hmac.digest(self.secret, _signed(config.form, timestamp, body), hashlib.sha256)
        written = mac.hex() if config.signature == "hex" else base64.b64encode(mac).decode()
        expected = config.prefix + written
        if config.signature == "hex":
            expected, given = expected.lower(), given.lower()
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()):
            raise SignatureError(
                f"The header {config.signature_header!r} doesn't hold the signature of this body. Check the secret on both"
                " sides."
            )
        if config.timestamp_header:
            sent = _time_of(timestamp)
            if sent is None or abs((now or datetime.now(UTC)) - sent) > _FRESH:
                raise SignatureError(
                    f"The header {config.timestamp_header!r} is {timestamp[:40]!r}, which is not of the last five minutes."
                )

    def read(self, body: bytes, *, now: datetime | None = None) -> Report | str:
        """What it reports, or why it is ignored. Raises `InvalidRequestError` for what is no JSON object."""
        config = self.config
        content = _object(body)
        outcome = config.outcomes.get(_text(_at(content, config.outcome)))
        if outcome is None:
            return "unmapped_outcome"
        conversation = _text(_at(content, config.conversation))
        if not 0 < len(conversation) <= 64:
            return "no_conversation"
        observed_at = _time_of(_at(content, config.observed_at)) if config.observed_at else None
        if config.observed_at and not _is_past(observed_at, now or datetime.now(UTC)):
            return "unreadable_time"
        own = _text(_at(content, config.id)) if config.id else ""
        return Report(conversation, outcome, observed_at, own or hashlib.sha256(body).hexdigest())

    def event(self, report: Report, answer: RatedAnswer, pseudonyms: Pseudonyms) -> Event:
        """The event that it stores, said by the helpdesk itself."""
        return Event(
            answer_id=answer.id,
            speaker=Speaker("webhook", self.actor(pseudonyms), "system", "webhook"),
            kind="outcome",
            value=report.outcome,
            state="set",
            conversation_id=answer.conversation_id,
            target="conversation",
            consent="improve",
            observed_at=report.observed_at,
            idempotency_key=bound(f"webhook\n{self.name}", report.id),
        )

    def actor(self, pseudonyms: Pseudonyms) -> str:
        """The pseudonym of the helpdesk."""
        return pseudonyms.stand_in("webhook", self.name)


def open_webhooks(configs: Mapping[str, Webhook]) -> dict[str, OpenWebhook]:
    """All of the scope file. Raises `ScopeError` for a secret that isn't set."""
    try:
        return {name: OpenWebhook(name, config, config.secret()) for name, config in configs.items()}
    except ValueError as exc:
        raise ScopeError(f"A webhook of the scope file can't be used: {exc}.") from exc


def _signed(form: str, timestamp: str, body: bytes) -> bytes:
    """What the signature is of. The body is put in last, so that nothing in it is taken for a placeholder."""
    before, after = (part.replace(TIMESTAMP, timestamp) for part in form.split(BODY))
    return before.encode("utf-8", "surrogatepass") + body + after.encode("utf-8", "surrogatepass")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError("The body is no JSON that can be read.") from exc
    if not isinstance(found, dict):
        raise InvalidRequestError("The body is no JSON object.")
    return found


def _at(content: object, path: str) -> object:
    """The value at a path, None where there is none."""
    for part in path.split("."):
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and part.isascii() and part.isdigit() and int(part) < len(content):
            content = content[int(part)]
        else:
            return None
    return content


def _text(value: object) -> str:
    """A text or a number as it is compared; empty for all else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()


def _time_of(value: object) -> datetime | None:
    """A time in ISO 8601 (UTC where it names no zone), in seconds or in milliseconds since 1970."""
    text = _text(value) if not isinstance(value, float) else repr(value)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    try:
        if number:
            return datetime.fromtimestamp(number / 1_000 if number > _MILLISECONDS else number, UTC)
        found = datetime.fromisoformat(text)
        # Some helpdesks write the first day of the year 1, in their own zone, for no time at all.
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _is_past(value: datetime | None, now: datetime) -> bool:
    return value is not None and EARLIEST <= value <= now + _AHEAD
