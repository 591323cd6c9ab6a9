"""Processor time of one answer by stage. `python -m evals.bench.stages FILE serve --port=PORT` is the gateway, measured.

It writes into FILE, at SIGUSR1, how many CPU milliseconds the process has used and in which stage. A stage's figure is
what the whole process used while the stage ran, whichever thread did the work: right for one client at a time.
"""

import functools
import json
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ingestion.embed.builtin import OpenVinoEmbedder
from service.__main__ import main
from service.answer import pipeline
from service.answer.evidence import EvidenceFinder
from service.answer.generate.openai import OpenAIGenerator
from service.answer.sentences import SentenceScorer
from service.answer.understand import understand
from service.guard.models.attribution import Attributor
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.output import OutputGuards

spent: defaultdict[str, float] = defaultdict(float)
# The stages that are running, the innermost last, and when the time was read last.
_running: list[str] = []
_read_at = 0.0


def _switch() -> None:
    """What was used since the last switch belongs to the innermost stage."""
    global _read_at
    now = time.process_time()
    spent[_running[-1] if _running else "http"] += now - _read_at
    _read_at = now


def _enter(stage: str) -> None:
    _switch()
    _running.append(stage)


def _leave() -> None:
    _switch()
    _running.pop()


def _measured(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def run(*args: Any, **kwargs: Any) -> Any:
        _enter(stage)
        try:
            return work(*args, **kwargs)
        finally:
            _leave()

    return run


def _measured_async(stage: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(work)
    async def run(*args: Any, **kwargs: Any) -> Any:
        _enter(stage)
        try:
            return await work(*args, **kwargs)
        finally:
            _leave()

    return run


def _measured_events(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    async def run(*args: Any, **kwargs: Any) -> Any:
        events = work(*args, **kwargs)
        try:
            while True:
                _enter(stage)
                try:
                    event = await anext(events)
                except StopAsyncIteration:
                    return
                finally:
                    _leave()
                yield event
        finally:
            await events.aclose()

    return run


def _install() -> None:
    vars(pipeline)["understand"] = _measured_async("input", understand)
    for owner, name, stage, wrap in (
        (OpenVinoEmbedder, "encode_questions", "embed", _measured),
        (EvidenceFinder, "_vetted", "search", _measured),
        (SentenceScorer, "score", "sentences", _measured),
        (CrossEncoder, "answers", "answerable", _measured),
        (Attributor, "score", "grounding", _measured),
        (pipeline.AnswerPipeline, "_finish", "finish", _measured),
        (OutputGuards, "feed", "output", _measured_async),
        (OutputGuards, "close", "output", _measured_async),
        (OpenAIGenerator, "generate", "generate", _measured_events),
    ):
        setattr(owner, name, wrap(stage, getattr(owner, name)))


def _write(path: Path, _number: int, _frame: FrameType | None) -> None:
    _switch()
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({stage: 1_000 * seconds for stage, seconds in spent.items()}))
    fresh.replace(path)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, functools.partial(_write, Path(sys.argv[1])))
    _install()
    sys.exit(main(sys.argv[2:]))
