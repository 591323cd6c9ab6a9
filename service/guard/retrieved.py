"""Guards of the retrieved zone: verdicts of ingestion, near copies that outvote others, sources that crowd others out.

Poisoned passages for one question look alike (any pair with ROUGE-L above .25 appears in 297 of 300 sets of PoisonedRAG
and in 5 of 120 honest ones), and who supplied a passage can't be forged.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingestion.corpus import Hit
from ingestion.prepare.rivals import question_at
from ingestion.text.particulars import siblings
from service.guard.chain import Outcome, Verdict
from service.guard.rouge import alike
from service.scope.policy import Rule

Trust = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class VettedHits:
    """The passages that may be used, and the verdicts on all."""

    hits: tuple[Hit, ...]
    verdicts: tuple[Verdict, ...]


def vet(hits: Sequence[Hit], rules: Mapping[str, Rule], trust: Trust) -> VettedHits:
    """Judge the passages of a question. `trust` gives a document's source and trust: `high`, `normal` or `low`."""
    kept = list(hits)
    verdicts: list[Verdict] = []
    for name, judge in (("verdicts", _flagged), ("near_copies", _copies), ("per_source", _crowding)):
        rule = rules[name]
        if not rule.is_on:
            continue
        suspicious = judge(kept, rule, trust)
        outcome: Outcome = "drop" if rule.action == "drop" else "flag"
        verdicts += [Verdict(name, "retrieved", outcome, reason, 1.0) for _, reason in suspicious]
        if rule.action == "drop":
            out = {number for number, _ in suspicious}
            kept = [hit for number, hit in enumerate(kept) if number not in out]
    return VettedHits(tuple(_by_trust(kept, trust)), tuple(verdicts))


def _flagged(hits: Sequence[Hit], rule: Rule, trust: Trust) -> list[tuple[int, str]]:
    return [
        (i, "INGESTION_" + hit.chunk.verdict.upper())
        for i, hit in enumerate(hits)
        if hit.chunk.verdict != "pass"
    ]


def _copies(hits: Sequence[Hit], rule: Rule, trust: Trust) -> list[tuple[int, str]]:
    """Short passages of at least `limit` documents that say nearly the same, but for those of a trusted source.

    Two honest pages may share a sentence (one question of the demo in ten has such a pair, none has three). Two documents
    that begin with one question and answer it alike are enough, and the one passage that is merely like these stays.
    """
    groups = alike([hit.chunk.text for hit in hits], [hit.chunk.document_id for hit in hits], rule.threshold)
    groups = [_without_siblings(group, hits) for group in groups]
    crowded: list[int] = []
    for group in groups:
        rivals = _rivals(group, hits)
        others = [i for i in group if i not in rivals]
        is_alone = bool(rivals) and _documents(others, hits) == 1
        crowded += rivals
        crowded += others if _documents(group, hits) >= max(rule.limit, 2) and not is_alone else []
    return [(i, "NEAR_COPY") for i in crowded if trust(hits[i].chunk.document_id)[1] != "high"]


def _documents(group: Sequence[int], hits: Sequence[Hit]) -> int:
    return len({hits[i].chunk.document_id for i in group})


def _rivals(group: Sequence[int], hits: Sequence[Hit]) -> list[int]:
    """Of like passages those that begin their documents with the same question as another one does."""
    asking: dict[str, list[int]] = {}
    for i in group:
        chunk = hits[i].chunk
        question = question_at(chunk.text) if chunk.ordinal == 0 else None
        if question is not None:
            asking.setdefault(question, []).append(i)
    return [i for found in asking.values() if len(found) > 1 for i in found]


def _without_siblings(group: Sequence[int], hits: Sequence[Hit]) -> list[int]:
    """The passages of a group without those that name something of their own: pages of one product line."""
    apart = siblings([(hits[i].chunk.header, hits[i].chunk.text) for i in group])
    return [i for i, is_sibling in zip(group, apart, strict=True) if not is_sibling]


def _crowding(hits: Sequence[Hit], rule: Rule, trust: Trust) -> list[tuple[int, str]]:
    """Passages of one source beyond its share, where other sources have something to say too."""
    origins = [trust(hit.chunk.document_id) for hit in hits]
    if len({source_name for source_name, _ in origins}) < 2:
        return []
    counts: Counter[str] = Counter()
    found = []
    for i, (source_name, level) in enumerate(origins):
        counts[source_name] += 1
        if level != "high" and counts[source_name] > max(rule.limit, 1):
            found.append((i, "SOURCE_CROWDS"))
    return found


_WEIGHT = {"high": 1.1, "normal": 1.0, "low": 0.8}


def _by_trust(hits: Sequence[Hit], trust: Trust) -> list[Hit]:
    """Best first, with scores weighed by how far their source is trusted."""
    weights = [
        _WEIGHT[trust(hit.chunk.document_id)[1] if hit.chunk.verdict == "pass" else "low"] for hit in hits
    ]
    if len(set(weights)) < 2:
        return list(hits)
    order = sorted(range(len(hits)), key=lambda i: -hits[i].score * weights[i])
    return [hits[i] for i in order]
