"""From a turn to its evidence: the question is made to stand alone, then retrieval looks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service import metrics
from service.answer.evidence import Evidence, EvidenceFinder, EvidenceRequest, evidence_of
from service.answer.rewrite import (
    Completer,
    Said,
    WholeQuestion,
    by_generator,
    has_masks,
    is_follow_up,
    made_whole,
    may_lean,
    without_masks,
)
from service.answer.understand import Turn
from service.feedback.curated.book import CuratedBook, Lookup
from service.guard.texts import SearchableText
from service.scope.policy import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """The evidence for a turn, and seconds by stage."""

    evidence: Evidence
    timings: Mapping[str, float]


async def find(
    turn: Turn,
    finder: EvidenceFinder,
    completer: Completer | None,
    rules: Mapping[str, Rule],
    book: CuratedBook | None = None,
) -> Finding:
    """A curated answer to the question, or what retrieval finds within what the caller may see.

    `rules` are the guards of the retrieved zone.
    """
    timings: dict[str, float] = {}
    lookup = _lookup(turn, book)
    query = await _query(turn, completer, timings)
    match = lookup.exact(query.text) if lookup else None
    if match is None:
        evidence = await _sought(turn, finder, query, rules, lookup, timings)
    else:
        evidence = evidence_of(match, turn.release, {})
    if evidence.curated is not None:
        metrics.CURATED.labels(turn.route.assistant_name, evidence.curated.kind).inc()
    return Finding(evidence, timings)


def _lookup(turn: Turn, book: CuratedBook | None) -> Lookup | None:
    """The curated answers that the asker may get; None where one can't take the place of passages.

    They know nothing of filters, forms and what tools gave, and a question from which personal data was taken may be any of
    several.
    """
    request = turn.request
    is_alone = turn.route.variant.rewrite != "none" or not _leans(turn)
    tools = request.options.tools
    is_called = bool(turn.steps) or (tools is not None and tools.is_forced)
    is_plain = request.options.form is None and request.view.filter is None and not is_called
    if book is None or not is_alone or not is_plain or has_masks(turn.search.text):
        return None
    return book.lookup(turn.route.assistant_name, request.groups)


async def _sought(
    turn: Turn,
    finder: EvidenceFinder,
    query: WholeQuestion,
    rules: Mapping[str, Rule],
    lookup: Lookup | None,
    timings: dict[str, float],
) -> Evidence:
    settings = turn.route.variant.retrieval
    if turn.request.top_k is not None:
        settings = settings.model_copy(update={"top_k": turn.request.top_k})
    begun = turn.since()
    evidence = await finder.find(
        EvidenceRequest(
            turn.release,
            SearchableText(query.text),
            settings,
            query.hints,
            turn.request.view,
            rules,
            lookup,
            named=query.named,
            language=query.language,
        )
    )
    timings["retrieve_s"] = turn.since() - begun
    for stage, seconds in evidence.timings.items():
        metrics.STAGE_SECONDS.labels(stage).observe(seconds)
    return evidence


def _leans(turn: Turn) -> bool:
    """Whether the question leans on the conversation before it."""
    return bool(turn.earlier) and is_follow_up(turn.search.text)


async def _query(turn: Turn, completer: Completer | None, timings: dict[str, float]) -> WholeQuestion:
    """What is searched for: the question, made whole in one sentence where it leans on the conversation, and for the
    lexical index the words of the conversation that may help.

    Vectors, the judge and the choice of sentences read the sentence alone: words that it doesn't need look to them like
    parts of the question that no passage answers.
    """
    variant, search = turn.route.variant, turn.search
    if variant.rewrite == "none" or not turn.earlier:
        return WholeQuestion(without_masks(search.text), search.hints)
    whole = made_whole(search.text, [Said(message.role, message.content) for message in turn.history])
    if completer is not None and variant.rewrite == "auto" and may_lean(search.text):
        begun = turn.since()
        deadline_s = variant.rewrite_deadline_s
        written = await by_generator(turn.question, turn.history, completer, deadline_s=deadline_s)
        timings["rewrite_s"] = turn.since() - begun
        if written:
            return replace(whole, text=written, hints=search.hints)
    return replace(whole, hints=f"{search.hints} {whole.hints}".strip())
