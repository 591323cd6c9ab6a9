"""Which candidates are shown: copies once, neighbours as one passage, no document before its turn."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingestion.corpus import Chunk, Hit
from ingestion.releases.release import Release
from ingestion.search.fusion import Candidates
from ingestion.text.particulars import particulars

_WORD = re.compile(r"\w+")
# Passages that share so many words, and every number and name, say the same.
_SAME_WORDS = 0.9
_MOST_JOINED = 3
_SEVERITY = ("pass", "flag", "redact", "block")


@dataclass(frozen=True, slots=True)
class Diversity:
    """How many passages are shown, and what keeps them apart.

    `per_document` passages of a document come before those of others (0: no limit); `collapse` shows passages that say
    the same once; `join` makes one passage of neighbours within a section.
    """

    top_k: int
    per_document: int
    collapse: bool
    join: bool


def diversify(release: Release, found: Candidates, rules: Diversity) -> list[Hit]:
    """The first `top_k` passages without copies, neighbours joined, no document before its turn."""
    selection = _Selection(release, rules)
    for hit in _hits(release, found, batch=2 * rules.top_k):
        selection.offer(hit)
        if len(selection.shown) == rules.top_k:
            break
    return [*selection.shown, *selection.waiting][: rules.top_k]


def _hits(release: Release, found: Candidates, *, batch: int) -> Iterator[Hit]:
    """The candidates in order; their texts are read a batch at a time, as few of them are needed."""
    for begin in range(0, len(found.positions), batch):
        chunks = release.chunks(found.positions[begin : begin + batch])
        for number, chunk in enumerate(chunks, start=begin):
            # A stage that did not score this one left NaN, which is not equal to itself.
            scores = {name: float(v[number]) for name, v in found.stages.items() if v[number] == v[number]}
            yield Hit(chunk, float(found.final[number]), scores)


class _Selection:
    """The passages that are shown so far, and those that wait because their document had its turns."""

    def __init__(self, release: Release, rules: Diversity) -> None:
        self._release = release
        self._rules = rules
        self._texts: list[_Said] = []
        self._counts: Counter[str] = Counter()
        self.shown: list[Hit] = []
        self.waiting: list[Hit] = []

    def offer(self, hit: Hit) -> None:
        """Take the next passage, unless it belongs to one that is there already."""
        if (self._rules.join and self._join(hit)) or (self._rules.collapse and self._is_copy(hit.chunk)):
            return
        document_id = hit.chunk.document_id
        has_had_its_turns = 0 < self._rules.per_document <= self._counts[document_id]
        (self.waiting if has_had_its_turns else self.shown).append(hit)
        self._counts[document_id] += 1

    def _join(self, hit: Hit) -> bool:
        """Add a passage to the first neighbour that is shown; whether there was one with room for it."""
        for number, other in enumerate(self.shown):
            if len(other.joined) < _MOST_JOINED - 1 and _are_neighbours(other.chunk, hit.chunk):
                self.shown[number] = _joined(self._release, other, hit.chunk)
                return True
        return False

    def _is_copy(self, chunk: Chunk) -> bool:
        """Whether a passage that was taken says the same; if none does, this one is remembered."""
        said = _Said.of(chunk)
        if any(said.is_that_of(one) for one in self._texts):
            return True
        self._texts.append(said)
        return False


def _joined(release: Release, hit: Hit, chunk: Chunk) -> Hit:
    """A hit with a neighbour's text added to its own, and the worse verdict: both are read as one passage."""
    before, after = _in_order(hit.chunk, chunk)
    both = replace(
        hit.chunk,
        text=release.documents.passage(chunk.document_id, before.start, after.end),
        start=before.start,
        end=after.end,
        page=before.page,
        verdict=worse_verdict(hit.chunk.verdict, chunk.verdict),
    )
    return replace(hit, chunk=both, joined=(*hit.joined, chunk.id))


def worse_verdict(one: str, other: str) -> str:
    """The more severe of two verdicts; a verdict that is not known here is the most severe."""
    return max(one, other, key=lambda verdict: _SEVERITY.index(verdict) if verdict in _SEVERITY else 9)


def _in_order(one: Chunk, other: Chunk) -> tuple[Chunk, Chunk]:
    return (one, other) if one.start <= other.start else (other, one)


def _are_neighbours(one: Chunk, other: Chunk) -> bool:
    """Whether both are of one section, with nothing between them but a line's or a paragraph's end."""
    before, after = _in_order(one, other)
    return (
        before.document_id == after.document_id
        and before.heading == after.heading
        and 0 <= after.start - before.end <= 2
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """What a passage says, to be compared: its words, those with digits or capitals, and the numbers of its header."""

    words: frozenset[str]
    particulars: frozenset[str]
    header: str
    numbers: frozenset[str]

    @classmethod
    def of(cls, chunk: Chunk) -> "_Said":
        header = _WORD.findall(chunk.header.casefold())
        return cls(
            frozenset(_WORD.findall(chunk.text.casefold())),
            particulars(chunk.text),
            " ".join(word for word in header if not _has_digit(word)),
            frozenset(filter(_has_digit, header)),
        )

    def is_that_of(self, other: "_Said") -> bool:
        """Whether two passages share nearly all words, and every number and name, and aren't of one line of products."""
        one, two = self.words, other.words
        if len(one & two) < _SAME_WORDS * len(one | two) or any(map(_has_digit, one ^ two)):
            return False
        names = (self.particulars - other.particulars, two), (other.particulars - self.particulars, one)
        if any(not words.issuperset(_WORD.findall(name)) for own, words in names for name in own):
            return False
        return self.header != other.header or self.numbers == other.numbers


def _has_digit(word: str) -> bool:
    return any(c.isdigit() for c in word)
