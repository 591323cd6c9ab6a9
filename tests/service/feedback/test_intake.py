"""Who speaks: with a token whoever asked, and nobody else; with a key whom it names."""

from typing import Any

import pytest

from service.errors import ForbiddenError
from service.feedback.intake import Identities
from service.feedback.requests import FeedbackRequest
from service.feedback.tokens import FeedbackSigner, Pseudonyms
from service.ids import uuid7

SECRET = b"s" * 32
IDENTITIES = Identities(FeedbackSigner(SECRET), Pseudonyms(SECRET))
MARA = Pseudonyms(SECRET).of("mara")


def by_token(actor: str | None, **said: Any) -> FeedbackRequest:
    answer_id = uuid7()
    token = IDENTITIES.signer.sign(answer_id, actor)
    return FeedbackRequest.model_validate(
        {"answer_id": answer_id, "token": token, "kind": "thumb", "value": "up", **said}
    )


@pytest.mark.parametrize("said", [{}, {"user": "mara"}, {"actor_kind": "end_user"}])
def test_a_token_is_the_voice_of_whoever_asked(said: dict[str, str]) -> None:
    speaker = IDENTITIES.of_token(by_token(MARA, **said))
    assert (speaker.actor, speaker.actor_kind, speaker.caller) == (MARA, "end_user", "token")


@pytest.mark.parametrize("actor", [MARA, None])
@pytest.mark.parametrize(
    ("name", "value"),
    [("user", "ivo"), ("user", "end_user"), ("actor_kind", "agent"), ("observed_at", "2026-01-01T00:00:00Z")],
)
def test_a_token_says_nothing_that_only_a_key_may(actor: str | None, name: str, value: str) -> None:
    with pytest.raises(ForbiddenError) as raised:
        IDENTITIES.of_token(by_token(actor, **{name: value}))
    assert raised.value.param == name


def test_readers_whom_nobody_named_are_each_their_own() -> None:
    actors = {IDENTITIES.of_token(by_token(None)).actor for _ in range(3)}
    assert len(actors) == 3
