"""What counts of the feedback: of each answer, actor, kind and target the latest event, unless it is a retraction.

Latest is by `observed_at`: what happened last counts, in whatever order it arrived, so that yesterday's file of a helpdesk
does not undo this morning's word. Of two with the same time the one that arrived last counts (`event_id` rises).
"""

from sqlalchemy import Select, exists, select, tuple_
from sqlalchemy.orm import aliased

from service.tables import FeedbackEvent


def current_feedback() -> Select[FeedbackEvent]:
    """A query for the events that count; add conditions to it as to any other. Suspect ones are among them."""
    later = aliased(FeedbackEvent)
    # As the index `feedback_slot` has them, so that thousands of events on one answer cost no more than others.
    is_replaced = exists().where(
        later.answer_id == FeedbackEvent.answer_id,
        later.actor == FeedbackEvent.actor,
        later.kind == FeedbackEvent.kind,
        later.target == FeedbackEvent.target,
        tuple_(later.observed_at, later.event_id) > tuple_(FeedbackEvent.observed_at, FeedbackEvent.event_id),
    )
    return select(FeedbackEvent).where(FeedbackEvent.state == "set", ~is_replaced)
