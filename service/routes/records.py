"""Answers and the feedback on them, for analysts."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from ingestion.view import may_see
from service.database import WAIT_S
from service.deps import AnalystCall, Call
from service.errors import NotFoundError
from service.feedback.curated.answer import CURATED
from service.feedback.event import Kind
from service.feedback.read import FeedbackQuery, find_answer, find_feedback
from service.feedback.requests import AnswerRecord, FeedbackList, StoredFeedback
from service.openapi import errors
from service.tables import Answer
from service.threads import within

router = APIRouter(prefix="/v1", responses=errors(400, 401, 503))
T = TypeVar("T")
Id = Annotated[str | None, Query(max_length=64, pattern="^[^\\x00]*$")]


@router.get("/feedback")
async def list_feedback(
    call: AnalystCall,
    answer_id: Id = None,
    conversation_id: Id = None,
    kind: Kind | None = None,
    since: AwareDatetime | None = None,
    current: bool = False,
    cursor: Id = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> FeedbackList:
    """Events in the order of their arrival, a page at a time; `current` leaves out what was replaced or taken back."""
    query = FeedbackQuery(answer_id, conversation_id, kind, since, cursor, current, limit)
    found = await _aside(call, partial(find_feedback, call.state.engine, query))
    page = [StoredFeedback.model_validate(event) for event in found[:limit]]
    return FeedbackList(events=page, cursor=page[-1].event_id if len(found) > limit else None)


@router.get("/answers/{answer_id}", responses=errors(404))
async def get_answer(
    answer_id: Annotated[str, Path(max_length=64, pattern="^[^\\x00]*$")], call: AnalystCall
) -> AnswerRecord:
    """The record of an answer, with the feedback that counts. What rests on documents that the key may not see is withheld."""
    found = await _aside(call, partial(find_answer, call.state.engine, answer_id))
    if found is None:
        raise NotFoundError(f"There is no answer {answer_id!r}.", param="answer_id")
    answer, events = found
    shown, withheld = await _aside(call, partial(_shown, call, answer))
    feedback = [StoredFeedback.model_validate(event) for event in events]
    return AnswerRecord(answer=shown, withheld=withheld, feedback=feedback)


def _shown(call: Call, answer: Answer) -> tuple[dict[str, Any], bool]:
    """The columns as the caller may read them, and whether the text is left out."""
    row = {column.name: getattr(answer, column.name) for column in Answer.__table__.columns}
    if not _may_read(call, answer):
        return {**row, "answer": "", "citations": []}, True
    if answer.collection not in call.state.passages:
        return row, False
    read = call.reader(answer.collection, ())
    citations = [{**one, "quote": read(str(one["quote"]))} for one in answer.citations]
    return {**row, "answer": read(answer.answer), "citations": citations}, False


def _may_read(call: Call, answer: Answer) -> bool:
    """Whether an answer says nothing of documents, was the caller's own, or rests only on what the caller may see.

    Of curated answers and results of tools nothing is known here, so they are for keys that see everything.
    """
    groups = call.view().groups
    if groups is None or answer.outcome != "answered" or answer.caller == call.caller.id:
        return True
    if answer.collection not in call.state.scope.collections or not answer.citations:
        return False
    if answer.reason == CURATED:
        cited = [call.state.curated.find(str(one["document_id"])) for one in answer.citations]
        return all(one is not None and may_see(groups, one.text.groups) for one in cited)
    texts = call.state.live.current(answer.collection).documents
    cited = [one["chunk_id"] for one in answer.citations]
    chunks = [texts.chunk(str(chunk_id)) if chunk_id else None for chunk_id in cited]
    documents = [texts.document(chunk.document_id) if chunk else None for chunk in chunks]
    return all(document is not None and may_see(groups, document.groups) for document in documents)


async def _aside(call: Call, work: Callable[[], T]) -> T:
    return await within(WAIT_S, call.state.database_threads, work, "The database")
