"""Webhooks of the scope file: how a helpdesk's own JSON becomes an outcome. Knows no HTTP and reads no secret by itself."""

import os
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.scope.strict import Strict

Outcome = Literal["resolved", "escalated", "reopened", "ticket_closed"]
# Keys of objects and numbers of list items, with dots between them: `ticket.custom_fields.0.value`.
Path = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
BODY, TIMESTAMP = "{body}", "{timestamp}"


class Webhook(Strict):
    """A helpdesk that posts what became of a conversation, signed with a secret that both sides know."""

    secret_env: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")] = Field(
        description="Environment variable with the shared secret; the secret itself never stands in this file."
    )
    signature_header: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="Header with the HMAC-SHA256 of what is signed."
    )
    signature: Literal["hex", "base64"] = Field("hex", description="How the signature is written.")
    prefix: Annotated[str, Field(max_length=20)] = Field(
        "", description="What stands before the signature in its header, such as `sha256=`."
    )
    timestamp_header: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None,
        description="Header with the time of sending (ISO 8601, or seconds since 1970); older than five minutes is refused.",
    )
    signed: Annotated[str, Field(max_length=100)] | None = Field(
        None,
        description="What is signed, with `{timestamp}` and `{body}`; without it the body, behind the timestamp where there is"
        " a header for one.",
    )
    conversation: Path = Field(
        description="Where the conversation's id stands in the JSON, such as `ticket.external_id`."
    )
    outcome: Path = Field(description="Where the helpdesk's status stands, such as `ticket.status`.")
    outcomes: Annotated[dict[str, Outcome], Field(min_length=1)] = Field(
        description="What the helpdesk's statuses mean; others are ignored."
    )
    observed_at: Path | None = Field(
        None, description="Where the time of the event stands; without it, when it arrives."
    )
    id: Path | None = Field(
        None, description="Where the event's own id stands; without it, the same body counts once."
    )
    caller: Annotated[str, Field(min_length=1, max_length=16)] | None = Field(
        None, description="Public id of the key whose conversations it speaks of; without it, everybody's."
    )

    @property
    def form(self) -> str:
        """What is signed."""
        return self.signed or (TIMESTAMP + BODY if self.timestamp_header else BODY)

    def secret(self) -> bytes:
        """The shared secret. Raises `ValueError` where the variable isn't set."""
        found = os.environ.get(self.secret_env)  # noqa: TID251 - the scope file says which one
        if not found:
            raise ValueError(f"the environment variable {self.secret_env} holds no secret")
        return found.encode()

    @model_validator(mode="after")
    def _signs_all(self) -> Self:
        if self.form.count(BODY) != 1:
            raise ValueError(f"signed: {self.form!r} doesn't hold {BODY} once")
        if (TIMESTAMP in self.form) != (self.timestamp_header is not None):
            raise ValueError(
                f"signed: {self.form!r} and timestamp_header must both name the time, or neither: a time that isn't signed"
                " proves nothing"
            )
        return self
