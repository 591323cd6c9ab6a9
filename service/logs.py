"""Structured logs: a constant event name and keys, never a question, passage or answer."""

import logging
import sys
import traceback
from typing import Any

import orjson
import structlog


def _render(_: Any, __: str, event: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def configure_logs(level: str) -> None:
    """JSON lines on standard error; libraries go the same way, without their access logs."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


class _JsonFormatter(logging.Formatter):
    """Lines of other libraries in the same shape; an exception is named, its text is not shown."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "event": "library",
            "logger": record.name,
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            event["exception"] = record.exc_info[0].__name__
        return orjson.dumps(event).decode()


def frames_of(error: BaseException) -> list[str]:
    """Where an error was raised, innermost last; its message may hold text of a person and stays out."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def get_logger() -> structlog.stdlib.BoundLogger:
    """The logger."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger
