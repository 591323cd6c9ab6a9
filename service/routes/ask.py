"""From what a client of OpenAI's API sends to a question, and from the pieces of an answer to its reply."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from service.answer.request import AnswerRequest, Options, RawMessage, Reply
from service.answer.tools import ToolCall, Tools
from service.deps import Call
from service.errors import InternalError, InvalidRequestError
from service.guard.texts import RawText
from service.protocol import ChatMessage, ChatRequest, ToolChoice
from service.routes.sse import Piece


def ask_of(ask: ChatRequest, call: Call) -> AnswerRequest:
    """The question with all that is asked of its answer. Raises `InvalidRequestError`."""
    if ask.response_format and ask.stop_words:
        raise InvalidRequestError("A stop word would break the JSON. Leave `stop` out.", param="stop")
    return AnswerRequest(
        assistant=ask.model,
        messages=tuple(map(_message, ask.messages)),
        caller=call.caller.id,
        request_id=call.request_id,
        subject=call.state.pseudonyms.of(ask.user),
        conversation_id=ask.rag.conversation_id,
        variant=ask.rag.variant,
        top_k=ask.rag.top_k,
        view=call.view(ask.rag.filter),
        temperature=ask.temperature,
        max_tokens=ask.max_completion_tokens or ask.max_tokens,
        options=Options(ask.stop_words, ask.seed, ask.top_p, ask.response_format, _tools(ask)),
        dry_run=ask.rag.dry_run,
        is_streamed=ask.stream,
        groups=call.view().groups,
    )


def _message(message: ChatMessage) -> RawMessage:
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
    )
    return RawMessage(message.role, RawText(message.text), calls, message.tool_call_id)


def _tools(ask: ChatRequest) -> Tools | None:
    """What may be called; None where nothing may. Raises `InvalidRequestError`."""
    functions = tuple(one.function.model_dump(exclude_none=True) for one in ask.tools or ())
    names, choice = [str(one["name"]) for one in functions], ask.tool_choice
    chosen = choice.function.name if isinstance(choice, ToolChoice) else None
    if choice in (None, "none", "auto") and (not functions or choice == "none"):
        return None
    if not functions or (chosen is not None and chosen not in names):
        raise InvalidRequestError(
            f"`tool_choice` asks for {chosen or 'a call'!r}, and `tools` offers {names}. Offer what is to be called.",
            param="tool_choice",
        )
    if len(set(names)) < len(names):
        raise InvalidRequestError(f"Two of the tools have the same name: {names}. Rename one.", param="tools")
    return Tools(functions, choice == "required", chosen, ask.parallel_tool_calls)


async def last_of(pieces: AsyncGenerator[Piece, None]) -> Reply:
    """The reply that ends an answer."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Reply):
                return piece
    raise InternalError("The answer ended without a reply.")
