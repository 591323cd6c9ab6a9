"""OpenAI's responses, in their simplest form: text in, text or JSON out, by the same way as a chat."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.deps import AnswerCall
from service.errors import InvalidRequestError
from service.openapi import errors
from service.protocol import ResponseRequest
from service.routes.ask import ask_of, last_of
from service.routes.disconnect import ClosingStream, while_connected
from service.routes.options import RESPONSES, refuse_unsupported
from service.routes.response_events import Shell, response_events
from service.routes.sse import STREAM_HEADERS, Piece, with_refusals
from service.schemas import Json

router = APIRouter(prefix="/v1", responses=errors(400, 401))
# What a response calls the parameters of a chat.
_NAMES = {"messages": "input", "response_format": "text.format"}


@router.post("/responses", response_model=None, responses=errors(404, 413, 502, 503))
async def respond(ask: ResponseRequest, request: Request, call: AnswerCall) -> Response | Json:
    """Answer a question, streamed or not, in the shape of OpenAI's responses."""
    refuse_unsupported(ask.model_extra or {}, RESPONSES)
    pipeline = call.state.pipeline
    with _own_names():
        turn = await while_connected(request, pipeline.begin(ask_of(ask.as_chat(), call)))
    pieces: AsyncGenerator[Piece, None] = pipeline.stream(turn)
    shell = Shell(ask, turn.id)
    if not ask.stream:
        return shell.ended(await while_connected(request, last_of(pieces)))
    if ask.wants_json:
        pieces = with_refusals(pieces)
    # The first piece is awaited here, so that what fails at once gets its proper status.
    first = await while_connected(request, anext(pieces))
    events = response_events(first, pieces, shell, request_id=call.request_id)
    return ClosingStream(events, media_type="text/event-stream", headers=STREAM_HEADERS)


@contextmanager
def _own_names() -> Iterator[None]:
    """An error names the parameter that was sent, not that of the chat it became."""
    try:
        yield
    except InvalidRequestError as exc:
        exc.param = _NAMES.get(exc.param or "", exc.param)
        raise
