"""Why a process can't start, in one line: a person can mend it, and needs no traceback for that."""

import logging
import sys

from ingestion.errors import IngestionError
from service.database import AWAY
from service.errors import TouchstoneError
from service.middleware import App, Message, Receive, Scope, Send

_ECHO = "Application startup failed. Exiting."


def reason_of(error: BaseException) -> str | None:
    """What is wrong and how to mend it; None for a fault of ours, which has nothing to say to a person."""
    if isinstance(error, (IngestionError, TouchstoneError)):
        return " ".join(str(error).split())
    if isinstance(error, AWAY):
        return f"The database can't be used: {error.args[0]}. Check its disk's space and rights."
    if isinstance(error, OSError):
        about = f": {error.filename!r}" if error.filename else ""
        return f"{error.strerror or error}{about}. Check space and rights."
    return None


def say(reason: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"error: {reason}\n")


def leave_out_echo() -> None:
    """Keep the server from adding to a failed start that it failed."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_echo)


def _is_no_echo(record: logging.LogRecord) -> bool:
    return record.getMessage() != _ECHO


class SayWhy:
    """Says in one line why the application can't start. A fault of ours keeps its traceback, for the log."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: Message | None = None

        async def held_back(message: Message) -> None:
            nonlocal failed
            if message["type"] == "lifespan.startup.failed":
                failed = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, held_back)
        except Exception as exc:
            reason = reason_of(exc)
            if failed is not None and reason is not None:
                say(reason)
                failed["message"] = ""
            raise
        finally:
            if failed is not None:
                await send(failed)
