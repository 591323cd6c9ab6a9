"""From a statement to an event: who speaks, on which answer, with which texts. Knows no HTTP and writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from service.errors import ForbiddenError
from service.feedback.event import Event, Speaker
from service.feedback.requests import FeedbackRequest, Statement
from service.feedback.rights import RatedAnswer
from service.feedback.tokens import FeedbackSigner, Pseudonyms

# A text as it may be stored; the second argument is the answer's assistant, None where that is not known yet.
Mask = Callable[[str, str | None], str]


@dataclass(frozen=True, slots=True)
class Identities:
    """What tells who speaks."""

    signer: FeedbackSigner
    pseudonyms: Pseudonyms

    def of_token(self, request: FeedbackRequest) -> Speaker:
        """Whoever the token was made for. Raises `ForbiddenError` for a wrong token, and for what only a key may say."""
        answer_id = str(request.answer_id)
        actor = self.signer.check(answer_id, request.token or "")
        is_refused = {
            "observed_at": request.observed_at is not None,
            "actor_kind": request.actor_kind not in (None, "end_user"),
            "user": request.user is not None and actor != self.pseudonyms.of(request.user),
        }
        for name, is_so in is_refused.items():
            if is_so:
                raise ForbiddenError(f"Only a key may say {name!r}. Leave it out with a token.", param=name)
        return Speaker("token", actor or self.pseudonyms.stand_in("answer", answer_id), "end_user", "widget")

    def of_key(self, statement: Statement, caller: str, *, is_batch: bool = False) -> Speaker:
        """The user that a key names, else the key itself."""
        actor = self.pseudonyms.of(statement.user) or self.pseudonyms.stand_in("key", caller)
        kind = statement.actor_kind or ("system" if statement.kind == "outcome" else "end_user")
        return Speaker(caller, actor, kind, "batch" if is_batch else "api")


def event_of(
    statement: Statement,
    speaker: Speaker,
    answer_id: str,
    answer: RatedAnswer | None,
    mask: Mask,
    *,
    key: str | None,
) -> Event:
    """The event, with masked texts, which takes time for long ones. `answer` is None while it isn't recorded yet."""
    event = Event(
        answer_id=answer_id,
        speaker=speaker,
        kind=statement.kind,
        value=statement.stored_value,
        state=statement.state,
        conversation_id=answer.conversation_id if answer else None,
        reasons=tuple(dict.fromkeys(statement.reasons)),
        target=statement.aim,
        consent=statement.consent,
        observed_at=statement.observed_at,
        idempotency_key=key,
    )
    if not statement.has_text:
        return event
    assistant = answer.assistant if answer else None
    return replace(
        event,
        comment=None if statement.remark is None else mask(statement.remark, assistant),
        correction=None if statement.correction is None else mask(statement.correction, assistant),
    )
