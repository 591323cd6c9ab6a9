"""Metrics of experiments: what is counted of answers and of what people said of them. Knows no database.

A metric is one total divided by another, over all answers of a unit. The scope's `metrics` are laid over those here.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field

from service.scope.strict import Strict

# Totals of a unit: of its answers as they were recorded, of its conversations, and of the feedback on both.
Total = Literal[
    "units",
    "answers",
    "answered",
    "abstained",
    "refused",
    "escalated_answers",
    "degraded",
    "interrupted",
    "failed",
    "sentences",
    "unsupported",
    "timed",
    "first_token_s",
    "total_s",
    "prompt_tokens",
    "completion_tokens",
    "tokens",
    "cost",
    "thumbs",
    "thumbs_up",
    "ratings",
    "rating",
    "corrections",
    "conversations",
    "observed",
    "resolved",
    "escalated",
    "reopened",
]
TOTALS: tuple[Total, ...] = get_args(Total)
# Totals that wait for what people do later.
LATE: frozenset[Total] = frozenset(
    {
        "thumbs",
        "thumbs_up",
        "ratings",
        "rating",
        "corrections",
        "observed",
        "resolved",
        "escalated",
        "reopened",
    }
)


class Metric(Strict):
    """A figure of an arm: one total of its units divided by another."""

    numerator: Total = Field(description="What is counted or added up.")
    denominator: Total = Field(description="What it is divided by.")
    better: Literal["higher", "lower"] = Field(description="Which way is better.")
    window_days: Annotated[float, Field(ge=0, le=365)] = Field(
        0.0,
        description="How long people have, from the answer or the start of the conversation. Younger ones are left out of"
        " every arm; what is said later doesn't count.",
    )
    description: str = Field("", description="What it says, in a sentence.")

    @property
    def unit(self) -> Literal["share", "s", "cost", "number"]:
        """What its figures are in: a share of 1, seconds, money, or a number of things."""
        if self.numerator in ("first_token_s", "total_s"):
            return "s"
        if self.numerator == "cost":
            return "cost"
        is_number = (
            self.numerator.endswith("tokens") or self.numerator == "rating" or self.denominator == "units"
        )
        return "number" if is_number else "share"

    @property
    def is_late(self) -> bool:
        """Whether it waits for what people do after the answer."""
        return self.numerator in LATE or self.denominator in LATE


def _metric(
    numerator: Total,
    denominator: Total,
    better: Literal["higher", "lower"],
    description: str,
    days: float = 0.0,
) -> Metric:
    return Metric(
        numerator=numerator, denominator=denominator, better=better, window_days=days, description=description
    )


METRICS: dict[str, Metric] = {
    "resolved_rate": _metric(
        "resolved",
        "conversations",
        "higher",
        "Conversations that end resolved, of all conversations; one of which nobody says so is not resolved.",
        7,
    ),
    "escalation_rate": _metric(
        "escalated", "conversations", "lower", "Conversations handed to a person, of all conversations.", 7
    ),
    "reopened_rate": _metric("reopened", "conversations", "lower", "Conversations that came back.", 7),
    "observed_rate": _metric(
        "observed", "conversations", "higher", "Conversations whose outcome somebody reported.", 7
    ),
    "thumbs_up_rate": _metric(
        "thumbs_up", "thumbs", "higher", "Thumbs up, of all thumbs; read it beside `response_rate`.", 1
    ),
    "response_rate": _metric("thumbs", "answers", "higher", "Answers with a thumb, of all answers.", 1),
    "mean_rating": _metric("rating", "ratings", "higher", "Mean of the ratings from 1 to 5.", 1),
    "answered_rate": _metric("answered", "answers", "higher", "Answers from the documents, of all replies."),
    "abstained_rate": _metric("abstained", "answers", "lower", "Replies that the documents don't say."),
    "blocked_rate": _metric("refused", "answers", "lower", "Replies in which a guard refused."),
    "degraded_rate": _metric(
        "degraded", "answers", "lower", "Answers that another than the variant's generator wrote."
    ),
    "failed_rate": _metric(
        "failed",
        "answers",
        "lower",
        "Answers for which a generator failed: broken off, or written by another one.",
    ),
    "interrupted_rate": _metric(
        "interrupted", "answers", "lower", "Answers that broke off by a failure of ours."
    ),
    "unsupported_rate": _metric(
        "unsupported", "sentences", "lower", "Sentences that no passage supports, of all sentences."
    ),
    "first_token_s": _metric("first_token_s", "timed", "lower", "Mean seconds to the first token."),
    "total_s": _metric("total_s", "timed", "lower", "Mean seconds to the end of the answer."),
    "tokens_per_answer": _metric("tokens", "answers", "lower", "Tokens of prompt and answer."),
    "cost_per_answer": _metric("cost", "answers", "lower", "Cost of an answer, by the generator's `price`."),
    "cost_per_resolved": _metric(
        "cost", "resolved", "lower", "Cost of all answers, divided by the conversations that end resolved.", 7
    ),
    "answers_per_unit": _metric("answers", "units", "lower", "Questions that one unit asks."),
}
