"""From a turn to its evidence: the question is made to stand alone, then retrieval looks for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from service import metrics
from service.answer.evidence import Evidence, EvidenceFinder, EvidenceRequest
from service.answer.rewrite import Completer, by_generator, is_follow_up, standalone, without_masks
from service.answer.understand import Turn
from service.guard.texts import SearchableText
from service.scope.policy import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """The evidence for a turn, and seconds by stage."""

    evidence: Evidence
    timings: Mapping[str, float]


async def find(
    turn: Turn, finder: EvidenceFinder, completer: Completer | None, rules: Mapping[str, Rule]
) -> Finding:
    """Retrieve within what the caller may see; `rules` are the guards of the retrieved zone."""
    timings: dict[str, float] = {}
    query = await _query(turn, completer, timings)
    settings = turn.route.variant.retrieval
    if turn.request.top_k is not None:
        settings = settings.model_copy(update={"top_k": turn.request.top_k})
    begun = turn.since()
    evidence = await finder.find(
        EvidenceRequest(turn.release, query, settings, turn.search.hints, turn.request.view, rules)
    )
    timings["retrieve_s"] = turn.since() - begun
    for stage, seconds in evidence.timings.items():
        metrics.STAGE_SECONDS.labels(stage).observe(seconds)
    return Finding(evidence, timings)


async def _query(turn: Turn, completer: Completer | None, timings: dict[str, float]) -> SearchableText:
    """What is searched for: the question, made to stand alone where it leans on the conversation."""
    variant = turn.route.variant
    text = turn.search.text
    if variant.rewrite == "none" or not turn.earlier or not is_follow_up(text):
        return SearchableText(without_masks(text))
    if completer is not None and variant.rewrite == "auto":
        begun = turn.since()
        deadline_s = variant.rewrite_deadline_s
        written = await by_generator(turn.question, turn.history, completer, deadline_s=deadline_s)
        timings["rewrite_s"] = turn.since() - begun
        if written:
            return SearchableText(written)
    return SearchableText(standalone(text, turn.earlier))
