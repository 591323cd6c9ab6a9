"""What handlers ask for: the state of the application, and the caller with the right scope."""

from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Engine

from ingestion.errors import FilterError
from ingestion.filter import parse_filter
from ingestion.view import View, view_groups
from service.answer.evidence import EvidenceFinder
from service.answer.generate import Generator
from service.answer.pipeline import AnswerPipeline
from service.auth import Caller, KeyRing, KeyScope
from service.corpus.documents import Library
from service.corpus.live import LiveReleases
from service.errors import InvalidRequestError
from service.experiments.book import ExperimentBook
from service.experiments.reports import Reports
from service.feedback.curated.book import CuratedBook
from service.feedback.desk import FeedbackDesk
from service.feedback.gaps.finder import GapFinder
from service.feedback.tokens import Pseudonyms
from service.guard.build import AssistantGuards
from service.guard.checks.pii import QueryScrubber
from service.guard.passages import PassageMasks
from service.guard.selftest import SelfTest
from service.metrics import GUARD_VERDICTS
from service.patience import Stopping
from service.scope import Scope
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """All that the application is made of; built once, at start."""

    settings: Settings
    scope: Scope
    engine: Engine
    keys: KeyRing
    live: LiveReleases
    finder: EvidenceFinder
    pipeline: AnswerPipeline
    generators: Mapping[str, Generator]
    experiments: ExperimentBook
    reports: Reports
    curated: CuratedBook
    gaps: GapFinder
    feedback: FeedbackDesk
    pseudonyms: Pseudonyms
    database_threads: Executor
    reading_threads: Executor
    library: Library
    query_scrubbers: Mapping[str, QueryScrubber]
    guards: Mapping[str, AssistantGuards]
    passages: Mapping[str, PassageMasks]
    self_test: SelfTest
    stopping: Stopping


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in: the state, the caller, and the request's id."""

    state: State
    caller: Caller
    request_id: str

    def view(self, raw_filter: object = None, *, include_superseded: bool = False) -> View:
        """What the caller may see, and of that what a filter leaves. Raises `InvalidRequestError`."""
        try:
            chosen = parse_filter(raw_filter) if raw_filter else None
        except FilterError as exc:
            raise InvalidRequestError(str(exc), param="filter") from exc
        return View(view_groups(self.caller.groups), chosen, include_superseded)

    def reader(self, collection: str, scrubbed_under: Collection[str]) -> Callable[[str], str]:
        """Texts of a collection's passages as the caller may read them; see `PassageMasks.read`."""
        masks, groups = self.state.passages[collection], view_groups(self.caller.groups)

        def read(text: str) -> str:
            shown, verdicts = masks.read(text, groups, scrubbed_under)
            for verdict in verdicts:
                GUARD_VERDICTS.labels(verdict.guard, verdict.zone, verdict.verdict).inc()
            return shown

        return read


def call_with(scope: KeyScope) -> Callable[[Request], Coroutine[Any, Any, Call]]:
    """A dependency that identifies the caller and checks one scope."""

    # A coroutine, because FastAPI runs plain functions in a thread.
    async def admit(request: Request) -> Call:
        state: State = request.state.touchstone
        caller = state.keys.identify(request.headers.get("authorization"))
        caller.need(scope)
        return Call(state, caller, request.scope["state"]["request_id"])

    return admit


async def _state(request: Request) -> State:
    state: State = request.state.touchstone
    return state


AppState = Annotated[State, Depends(_state)]
AnswerCall = Annotated[Call, Depends(call_with("answer"))]
AnalystCall = Annotated[Call, Depends(call_with("analyst"))]
AdminCall = Annotated[Call, Depends(call_with("admin"))]
FeedbackCall = Annotated[Call, Depends(call_with("feedback"))]
IngestCall = Annotated[Call, Depends(call_with("ingest"))]
SearchCall = Annotated[Call, Depends(call_with("search"))]
