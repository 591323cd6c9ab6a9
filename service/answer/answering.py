"""An answer in the making, and what becomes of it: the reply, the counts, the record."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ingestion.releases.release import Release
from ingestion.view import EVERYTHING, View
from service import metrics
from service.answer.cite import Citation, CitedSentence
from service.answer.evidence import Evidence
from service.answer.prompts import DIGEST, Message
from service.guard.chain import Verdict
from service.guard.output import Notice
from service.scope import Assistant, Variant


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question as the API understood it."""

    assistant: str
    messages: tuple[Message, ...]
    caller: str
    request_id: str
    subject: str | None = None
    conversation_id: str | None = None
    variant: str | None = None
    top_k: int | None = None
    view: View = EVERYTHING
    temperature: float | None = None
    max_tokens: int | None = None
    dry_run: bool = False
    is_streamed: bool = False
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer ended: its text, why it ended, and the `rag` object of the API."""

    text: str
    finish_reason: str
    rag: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class SearchText:
    """What is searched for, and words for the lexical index alone. Names are in clear here and nowhere else:
    they are neither recorded nor logged nor generated from."""

    text: str
    hints: str = ""


@dataclass(slots=True)
class Answering:
    """An answer in the making."""

    id: str
    ask: AnswerRequest
    assistant: Assistant
    variant_name: str
    variant: Variant
    question: str
    search_text: SearchText
    history: tuple[Message, ...]
    release: Release
    started: float
    evidence: Evidence | None = None
    outcome: str = "answered"
    reason: str | None = None
    degraded: bool = False
    generator: str = ""
    finish_reason: str = "cancelled"
    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    originals: dict[str, set[str]] = field(default_factory=dict)
    is_extractive: bool = False
    timings: dict[str, float] = field(default_factory=dict)
    citations: list[Citation] = field(default_factory=list)
    sentences: list[CitedSentence] = field(default_factory=list)

    def since(self) -> float:
        """Seconds since the question came in."""
        return time.perf_counter() - self.started


def as_dict(value: Citation | CitedSentence | Verdict | Notice) -> dict[str, Any]:
    """A flat value as a mapping; `dataclasses.asdict` copies deeply, ten times slower."""
    return {name: getattr(value, name) for name in value.__slots__}


def reply_of(answer: Answering, scope_digest: str, feedback_token: str | None) -> Reply:
    """The reply with its `rag` object."""
    rag = {
        "answer_id": answer.id,
        "conversation_id": answer.ask.conversation_id or answer.id,
        "assistant": answer.ask.assistant,
        "variant": answer.variant_name,
        "experiment": None,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "degraded": answer.degraded,
        "citations": [as_dict(citation) for citation in answer.citations],
        "sentences": [as_dict(sentence) for sentence in answer.sentences],
        "guards": [_shown(verdict) for verdict in answer.verdicts],
        "notices": [as_dict(notice) for notice in answer.notices],
        "timings": {name: round(value, 6) for name, value in answer.timings.items()},
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "cost": 0.0,
        },
        "release": answer.release.manifest.id,
        "feedback_token": feedback_token,
        "scope_digest": scope_digest,
    }
    return Reply(answer.text, answer.finish_reason, rag, answer.prompt_tokens, answer.completion_tokens)


def _shown(verdict: Verdict) -> dict[str, Any]:
    """A verdict for the client: without the digest, which is for the record."""
    shown = as_dict(verdict)
    del shown["digest"]
    return shown


def count(answer: Answering) -> None:
    """Count an answer that has ended, however it ended."""
    labels = (answer.ask.assistant, answer.variant_name)
    is_cut = answer.finish_reason in ("cancelled", "interrupted")
    outcome = answer.finish_reason if is_cut else answer.outcome
    metrics.ANSWERS.labels(*labels, outcome).inc()
    if "first_token_s" in answer.timings:
        metrics.FIRST_TOKEN_SECONDS.labels(*labels).observe(answer.timings["first_token_s"])
    for name in ("guard_input_s", "retrieve_s", "generate_s"):
        if name in answer.timings:
            metrics.STAGE_SECONDS.labels(name.removesuffix("_s")).observe(answer.timings[name])
    metrics.TOKENS.labels(*labels, "prompt").inc(answer.prompt_tokens)
    metrics.TOKENS.labels(*labels, "completion").inc(answer.completion_tokens)
    if answer.outcome == "abstained":
        metrics.ABSTENTIONS.labels(answer.ask.assistant, answer.reason or "unknown").inc()
    if answer.degraded:
        metrics.DEGRADED.labels(answer.ask.assistant).inc()
    for verdict in answer.verdicts:
        metrics.GUARD_VERDICTS.labels(verdict.guard, verdict.zone, verdict.verdict).inc()


def record_of(answer: Answering, scope_digest: str) -> dict[str, Any]:
    """The row of the answer log. The question is the masked one."""
    manifest = answer.release.manifest
    return {
        "id": answer.id,
        "created_at": datetime.now(UTC),
        "request_id": answer.ask.request_id,
        "conversation_id": answer.ask.conversation_id or answer.id,
        "caller": answer.ask.caller,
        "subject": answer.ask.subject,
        "assistant": answer.ask.assistant,
        "variant": answer.variant_name,
        "experiment": None,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "finish_reason": answer.finish_reason,
        "degraded": answer.degraded,
        "question": answer.question,
        "answer": answer.text,
        "citations": [as_dict(citation) for citation in answer.citations],
        "verdicts": [as_dict(verdict) for verdict in answer.verdicts],
        "timings": answer.timings,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "collection": answer.assistant.collection,
        "release_id": manifest.id,
        "release_digest": manifest.digest,
        "prompt_digest": DIGEST,
        "generator": answer.generator,
        "adapter": answer.variant.adapter,
        "scope_digest": scope_digest,
    }
