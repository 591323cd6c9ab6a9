"""How an answer ended, in one value: the reply shows it, the record keeps it, the metrics count it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from service import metrics
from service.answer.cite import Citation, CitedSentence
from service.answer.draft import Written
from service.answer.evidence import Evidence
from service.answer.request import Reply
from service.answer.tools import ToolCall
from service.answer.understand import Turn
from service.experiments.book import UNASSIGNED
from service.guard.chain import Verdict
from service.guard.output import Notice
from service.guard.texts import MaskedText
from service.tables import Answer

# The reply's `rag` object: its keys in order, each with the field of `Outcome` that it shows.
_SHOWN = {
    "answer_id": "id",
    "conversation_id": "conversation_id",
    "assistant": "assistant",
    "variant": "variant",
    "experiment": "experiment",
    "arm": "arm",
    "outcome": "outcome",
    "reason": "reason",
    "degraded": "degraded",
    "citations": "citations",
    "sentences": "sentences",
    "guards": "verdicts",
    "notices": "notices",
    "timings": "timings",
    "release": "release_id",
    "scope_digest": "scope_digest",
}
# The record keeps every column of the answers' table; a field of the same name fills it.
RECORDED = tuple(column.name for column in Answer.__table__.columns)
_CUT = ("cancelled", "interrupted")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended, with the versions of everything that shaped it. The question is the masked one."""

    id: str
    created_at: datetime
    request_id: str
    conversation_id: str
    caller: str
    subject: str | None
    assistant: str
    variant: str
    experiment: str | None
    outcome: str
    reason: str | None
    finish_reason: str
    degraded: bool
    question: MaskedText
    answer: str
    citations: tuple[Citation, ...]
    sentences: tuple[CitedSentence, ...]
    verdicts: tuple[Verdict, ...]
    notices: tuple[Notice, ...]
    timings: Mapping[str, float]
    prompt_tokens: int
    completion_tokens: int
    collection: str
    release_id: str
    release_digest: str
    prompt_digest: str
    generator: str
    adapter: str | None
    scope_digest: str
    variant_digest: str
    arm: str | None
    epoch: int | None
    stage: str | None
    unit: str | None
    propensity: float | None
    first_token_s: float | None
    total_s: float | None
    cost: float | None
    failures: int
    calls: tuple[ToolCall, ...]

    @property
    def is_unseen(self) -> bool:
        """Whether it is a treatment's answer that nobody sees."""
        return self.stage == "unseen"

    @property
    def unsupported(self) -> int:
        """How many sentences no passage supports."""
        return sum(not one.supported for one in self.sentences)


def outcome_of(
    turn: Turn,
    written: Written,
    *,
    citations: tuple[Citation, ...] = (),
    sentences: tuple[CitedSentence, ...] = (),
    verdicts: tuple[Verdict, ...] = (),
    timings: Mapping[str, float],
    prompt_digest: str,
    scope_digest: str,
    cost: float | None = None,
) -> Outcome:
    """The outcome of a turn with what was written; `verdicts` are those of all zones, `cost` that of the generator."""
    request, route, manifest = turn.request, turn.route, turn.release.manifest
    assigned = route.assignment or UNASSIGNED
    return Outcome(
        id=turn.id,
        created_at=datetime.now(UTC),
        request_id=request.request_id,
        conversation_id=request.conversation_id or turn.id,
        caller=request.caller,
        subject=request.subject,
        assistant=route.assistant_name,
        variant=route.variant_name,
        experiment=assigned.experiment,
        outcome=written.outcome,
        reason=written.reason,
        finish_reason=written.finish_reason,
        degraded=written.degraded,
        question=turn.question,
        answer=written.text,
        citations=citations,
        sentences=sentences,
        verdicts=verdicts,
        notices=written.notices,
        timings=timings,
        prompt_tokens=written.prompt_tokens,
        completion_tokens=written.completion_tokens,
        collection=route.assistant.collection,
        release_id=manifest.id,
        release_digest=manifest.digest,
        prompt_digest=prompt_digest,
        generator=written.generator,
        adapter=route.variant.adapter,
        scope_digest=scope_digest,
        variant_digest=route.variant_digest,
        arm=assigned.arm,
        epoch=assigned.epoch,
        stage=assigned.stage,
        unit=assigned.unit,
        propensity=assigned.propensity,
        first_token_s=timings.get("first_token_s"),
        total_s=timings.get("total_s"),
        cost=cost,
        failures=written.failures,
        calls=written.calls,
    )


def as_dict(value: Citation | CitedSentence | Verdict | Notice) -> dict[str, Any]:
    """A flat value as a mapping; `dataclasses.asdict` copies deeply, ten times slower."""
    return {name: getattr(value, name) for name in value.__slots__}


def _plain(value: Any) -> Any:
    """A field as JSON has it."""
    return [as_dict(one) for one in value] if isinstance(value, tuple) else value


def record_of(outcome: Outcome) -> dict[str, Any]:
    """The row of the answer log."""
    row = {name: _plain(getattr(outcome, name)) for name in RECORDED}
    return {**row, "answer": _said_in(outcome), "sentences": len(outcome.sentences)}


def _said_in(outcome: Outcome) -> str:
    """The text, and the calls of tools as JSON on a line below."""
    calls = [{"name": call.name, "arguments": orjson.loads(call.arguments)} for call in outcome.calls]
    return "\n".join([*filter(None, [outcome.answer]), *([orjson.dumps(calls).decode()] if calls else [])])


def reply_of(outcome: Outcome, feedback_token: str | None, evidence: Evidence | None) -> Reply:
    """The reply with its `rag` object; digests of removed text are for the record alone."""
    rag = {key: _plain(getattr(outcome, name)) for key, name in _SHOWN.items()}
    for verdict in rag["guards"]:
        del verdict["digest"]
    rag["timings"] = {name: round(seconds, 6) for name, seconds in outcome.timings.items()}
    rag["usage"] = {
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "cost": outcome.cost or 0.0,
    }
    rag["feedback_token"] = feedback_token
    return Reply(
        outcome.answer,
        outcome.finish_reason,
        rag,
        outcome.prompt_tokens,
        outcome.completion_tokens,
        evidence,
        outcome.calls,
    )


def count(outcome: Outcome) -> None:
    """Count an answer that has ended, however it ended."""
    labels = (outcome.assistant, outcome.variant)
    ended = outcome.finish_reason if outcome.finish_reason in _CUT else outcome.outcome
    metrics.ANSWERS.labels(*labels, ended).inc()
    if "first_token_s" in outcome.timings:
        metrics.FIRST_TOKEN_SECONDS.labels(*labels).observe(outcome.timings["first_token_s"])
    for name in ("guard_input_s", "retrieve_s", "generate_s"):
        if name in outcome.timings:
            metrics.STAGE_SECONDS.labels(name.removesuffix("_s")).observe(outcome.timings[name])
    metrics.TOKENS.labels(*labels, "prompt").inc(outcome.prompt_tokens)
    metrics.TOKENS.labels(*labels, "completion").inc(outcome.completion_tokens)
    if outcome.outcome == "abstained":
        metrics.ABSTENTIONS.labels(outcome.assistant, outcome.reason or "unknown").inc()
    if outcome.degraded:
        metrics.DEGRADED.labels(outcome.assistant).inc()
    for verdict in outcome.verdicts:
        metrics.GUARD_VERDICTS.labels(verdict.guard, verdict.zone, verdict.verdict).inc()
