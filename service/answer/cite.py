"""Citations: which passage each sentence rests on, with a quote that the passage really holds."""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from ingestion.audience import plain_id
from ingestion.corpus import Hit
from ingestion.text.sentences import sentence_spans
from service.answer.tools import ToolResult
from service.feedback.curated.answer import CURATED, Curated
from service.guard.chain import Verdict
from service.guard.checks.attribution import Attributed, By
from service.guard.checks.citations import MARKER

CitationKind = Literal["passage", "curated", "tool"]
_WORD = re.compile(r"\w+")
# Share of a sentence's words that a passage must hold to be named as its source without a marker.
_SUPPORT = 0.6


@dataclass(frozen=True, slots=True)
class Citation:
    """`id` is the number in the text; `start:end` are characters of the document, where `quote` lies.

    A curated answer is cited by its own name as a document and has no passage; `sources` are those that its author named,
    each with `title`, and with `document_id`, `chunk_id` or `url`. The result of a tool (`title`) is no document: its
    `tool_call_id` names it, and `start:end` are characters of the result.
    """

    id: int
    chunk_id: str | None
    document_id: str
    title: str
    source: str
    page: int | None
    heading: str
    quote: str
    start: int
    end: int
    score: float
    kind: CitationKind = "passage"
    sources: tuple[Mapping[str, str | None], ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """`start:end` of the answer's text, the citations it rests on, whether they support it, and who named them: the
    generator (`model`) or what compared the sentence with the passages (`service`)."""

    start: int
    end: int
    citations: tuple[int, ...]
    supported: bool
    cited_by: By | None = None


# Where a sentence stands in the answer, and what supports it.
Placed = tuple[int, int, Attributed]


def cite(
    answer: str,
    hits: Sequence[Hit],
    language: str,
    attributed: Sequence[Placed] | None = None,
    *,
    marked_by: By = "model",
    results: Sequence[ToolResult] = (),
) -> tuple[list[Citation], list[CitedSentence]]:
    """The citations of an answer and its sentences.

    A sentence's markers name its passages. Where sentences were attributed before they left, the markers are those that
    hold. Otherwise one without markers gets the passage that holds most of its words, if it holds enough, and
    `supported` says that the passages hold enough of the words. `marked_by` says who
    wrote the markers then. The quote of a passage reaches from the first to the
    last of its sentences that the answer rests on. `results` of tools are passages too, numbered behind the hits.
    """
    sentences: list[CitedSentence] = []
    quotes: dict[int, tuple[int, int]] = {}
    texts = [
        *((hit.chunk.text, hit.chunk.language) for hit in hits),
        *((one.text, language) for one in results),
    ]
    passages = [_words(text) for text, _ in texts]
    for start, end, text, marked in _sentences(answer, language):
        words = _words(text)
        numbers = [number for number in marked if 1 <= number <= len(texts)]
        by: By | None = marked_by if numbers else None
        if attributed is not None:
            by = _named_by(attributed, start, end) if numbers else None
        elif not numbers and words:
            best = max(range(len(texts)), key=lambda i: _share(words, passages[i]), default=None)
            if best is not None and _share(words, passages[best]) >= _SUPPORT:
                numbers, by = [best + 1], "service"
        pooled = frozenset().union(*(passages[number - 1] for number in numbers))
        supported = bool(numbers) and (attributed is not None or _share(words, pooled) >= _SUPPORT)
        sentences.append(CitedSentence(start, end, tuple(numbers), supported, by))
        for number in numbers:
            start_at, end_at = _quote(words, *texts[number - 1])
            first, last = quotes.get(number, (start_at, end_at))
            quotes[number] = (min(first, start_at), max(last, end_at))
    citations = [
        _citation(number, hits[number - 1], quotes[number])
        if number <= len(hits)
        else _result_citation(number, results[number - len(hits) - 1], quotes[number])
        for number in sorted(quotes)
    ]
    return citations, sentences


def _named_by(attributed: Sequence[Placed], start: int, end: int) -> By | None:
    """Who named the passages of the sentence at `start:end`; sentences may have been cut elsewhere then."""
    found = [
        one.cited_by for begin, stop, one in attributed if begin < end and stop > start and one.citations
    ]
    return "service" if "service" in found else next(iter(found), None)


def _sentences(answer: str, language: str) -> list[tuple[int, int, str, list[int]]]:
    """Start and end in the answer, text without markers, and the numbers of the markers."""
    markers = list(MARKER.finditer(answer))
    bare: list[str] = []
    origin: list[int] = []  # origin[i]: where character i of the bare text stands in the answer
    position = 0
    for marker in markers:
        bare.append(answer[position : marker.start()])
        origin.extend(range(position, marker.start()))
        position = marker.end()
    bare.append(answer[position:])
    origin.extend(range(position, len(answer)))
    text = "".join(bare)
    found = []
    spans = list(sentence_spans(text, language))
    first = 0
    for index, (start, end) in enumerate(spans):
        following = origin[spans[index + 1][0]] if index + 1 < len(spans) else len(answer)
        last_marker = bisect_right(markers, following, lo=first, key=lambda marker: marker.end())
        own = [m for m in markers[first:last_marker] if origin[start] < m.end()]
        first = last_marker
        numbers = list(dict.fromkeys(int(n) for m in own for n in m[1].split(",")))
        last = max([origin[end - 1] + 1, *(m.end() for m in own)])
        found.append((origin[start], last, text[start:end], numbers))
    return found


def _quote(words: frozenset[str], text: str, language: str) -> tuple[int, int]:
    """The sentence of the passage that shares most with the answer's sentence."""
    spans = _spans(text, language) or ((0, len(text)),)
    return max(spans, key=lambda span: _overlap(words, _words(text[span[0] : span[1]])))


@lru_cache(maxsize=4_000)
def _spans(text: str, language: str) -> tuple[tuple[int, int], ...]:
    return tuple(sentence_spans(text, language))


def _citation(number: int, hit: Hit, span: tuple[int, int]) -> Citation:
    chunk = hit.chunk
    return Citation(
        id=number,
        chunk_id=chunk.id,
        document_id=plain_id(chunk.document_id),
        title=chunk.title,
        source=chunk.source,
        page=chunk.page,
        heading=chunk.heading,
        quote=chunk.text[span[0] : span[1]],
        start=chunk.start + span[0],
        end=chunk.start + span[1],
        score=round(hit.score, 4),
    )


def _result_citation(number: int, result: ToolResult, span: tuple[int, int]) -> Citation:
    start, end = span
    return Citation(
        id=number,
        chunk_id=None,
        document_id="",
        title=result.tool,
        source="",
        page=None,
        heading="",
        quote=result.text[start:end],
        start=start,
        end=end,
        score=0.0,
        kind="tool",
        tool_call_id=result.call_id,
    )


def as_curated(citations: Sequence[Citation], curated: Curated) -> list[Citation]:
    """The citations of a curated answer: no passage that could be opened, and what its author named as its sources."""
    sources = tuple(
        {
            "title": one.title,
            "document_id": plain_id(one.document_id) if one.document_id else None,
            "chunk_id": one.chunk_id,
            "url": one.url,
        }
        for one in curated.text.sources
    )
    return [replace(one, kind=CURATED, chunk_id=None, sources=sources) for one in citations]


def readable(
    citations: Sequence[Citation], read: Callable[[str], tuple[str, tuple[Verdict, ...]]]
) -> tuple[list[Citation], list[Verdict]]:
    """Citations as a caller may read them, and what was masked; a mask's place is that in its quote, and not told."""
    verdicts: list[Verdict] = []

    def shown(text: str) -> str:
        safe, found = read(text)
        verdicts.extend(replace(verdict, start=None, end=None) for verdict in found)
        return safe

    masked = [
        replace(one, title=shown(one.title), heading=shown(one.heading), quote=shown(one.quote))
        for one in citations
    ]
    return masked, verdicts


@lru_cache(maxsize=20_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))


def _share(words: frozenset[str], passage: frozenset[str]) -> float:
    return len(words & passage) / len(words) if words else 0.0


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard: shared words over all words."""
    return len(one & other) / len(one | other) if one | other else 0.0
