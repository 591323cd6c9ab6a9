"""A question and the conversation before it, as they may be used. Knows no models and no evidence."""

from dataclasses import dataclass

from service.answer.answering import AnswerRequest
from service.answer.prompts import Message
from service.errors import InvalidRequestError
from service.guard.chain import Verdict
from service.guard.input import InputGuards, unblocked


@dataclass(frozen=True, slots=True)
class Conversation:
    """The question and the turns before it, masked, and what was found in them."""

    question: str
    history: tuple[Message, ...]
    verdicts: list[Verdict]


def question_of(ask: AnswerRequest, most_chars: int) -> str:
    """The last message. Raises `InvalidRequestError` when it is none, empty or longer than `most_chars`."""
    if not ask.messages or ask.messages[-1]["role"] != "user":
        raise InvalidRequestError(
            "The last message must have the role 'user': it is the question.", param="messages"
        )
    question = ask.messages[-1]["content"].replace("\0", "").strip()
    if not question:
        raise InvalidRequestError("The question is empty. Write one.", param="messages")
    if len(question) > most_chars:
        raise InvalidRequestError(
            f"The question has {len(question)} characters; at most {most_chars} are allowed. Shorten it.",
            param="messages",
        )
    return question


def screen(
    guards: InputGuards | None, ask: AnswerRequest, question: str, originals: dict[str, set[str]]
) -> Conversation:
    """By rules: an attack in an earlier turn blocks nothing now, but the turn itself is left out."""
    spoken = [message for message in ask.messages[:-1] if message["role"] in ("user", "assistant")]
    if guards is None:
        return Conversation(question, tuple(spoken), [])
    screened = guards.screen(question, originals)
    verdicts = list(screened.verdicts)
    history: list[Message] = []
    for message in spoken:
        one = guards.screen(message["content"], originals)
        if one.is_blocked:
            verdicts += unblocked(one.verdicts)
        else:
            history.append({"role": message["role"], "content": one.text})
    return Conversation(screened.text, tuple(history), verdicts)
