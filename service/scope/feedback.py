"""Limits of feedback in the scope file."""

from typing import Annotated

from pydantic import Field

from service.scope.strict import Strict


class FeedbackLimits(Strict):
    """How much feedback is taken; more is a 429. Each process that serves counts for itself."""

    events_an_answer: Annotated[int, Field(ge=1)] = Field(
        20, description="Most events of a day with the token of one answer."
    )
    events_an_actor_a_day: Annotated[int, Field(ge=1)] = Field(
        200, description="Most events of a day by one end user, over all answers."
    )
    events_a_caller_a_minute: Annotated[int, Field(ge=1)] = Field(
        30_000, description="Most events of a minute by one key; each row of a batch counts."
    )
