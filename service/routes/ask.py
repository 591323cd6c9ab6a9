"""From what a client of OpenAI's API sends to a question, and from the pieces of an answer to its reply."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from service.answer.request import AnswerRequest, Options, RawMessage, Reply
from service.deps import Call
from service.errors import InternalError, InvalidRequestError
from service.guard.texts import RawText
from service.protocol import ChatRequest
from service.routes.sse import Piece


def ask_of(ask: ChatRequest, call: Call) -> AnswerRequest:
    """The question with all that is asked of its answer. Raises `InvalidRequestError`."""
    if ask.response_format and ask.stop_words:
        raise InvalidRequestError("A stop word would break the JSON. Leave `stop` out.", param="stop")
    return AnswerRequest(
        assistant=ask.model,
        messages=tuple(RawMessage(m.role, RawText(m.text)) for m in ask.messages),
        caller=call.caller.id,
        request_id=call.request_id,
        subject=call.state.pseudonyms.of(ask.user),
        conversation_id=ask.rag.conversation_id,
        variant=ask.rag.variant,
        top_k=ask.rag.top_k,
        view=call.view(ask.rag.filter),
        temperature=ask.temperature,
        max_tokens=ask.max_completion_tokens or ask.max_tokens,
        options=Options(ask.stop_words, ask.seed, ask.top_p, ask.response_format),
        dry_run=ask.rag.dry_run,
        is_streamed=ask.stream,
        groups=call.view().groups,
    )


async def last_of(pieces: AsyncGenerator[Piece, None]) -> Reply:
    """The reply that ends an answer."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Reply):
                return piece
    raise InternalError("The answer ended without a reply.")
