"""OpenAI's responses, in their simplest form: text in, text out, by the same way as a chat."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.deps import AnswerCall
from service.openapi import errors
from service.protocol import ResponseRequest
from service.routes.ask import ask_of, last_of
from service.routes.disconnect import ClosingStream, while_connected
from service.routes.options import RESPONSES, refuse_unsupported
from service.routes.response_events import Shell, response_events
from service.routes.sse import STREAM_HEADERS, Piece
from service.schemas import Json

router = APIRouter(prefix="/v1", responses=errors(400, 401))


@router.post("/responses", response_model=None, responses=errors(404, 413, 502, 503))
async def respond(ask: ResponseRequest, request: Request, call: AnswerCall) -> Response | Json:
    """Answer a question, streamed or not, in the shape of OpenAI's responses."""
    refuse_unsupported(ask.model_extra or {}, RESPONSES)
    pipeline = call.state.pipeline
    turn = await while_connected(request, pipeline.begin(ask_of(ask.as_chat(), call)))
    pieces: AsyncGenerator[Piece, None] = pipeline.stream(turn)
    shell = Shell(ask, turn.id)
    if not ask.stream:
        return shell.ended(await while_connected(request, last_of(pieces)))
    # The first piece is awaited here, so that what fails at once gets its proper status.
    first = await while_connected(request, anext(pieces))
    events = response_events(first, pieces, shell, request_id=call.request_id)
    return ClosingStream(events, media_type="text/event-stream", headers=STREAM_HEADERS)
