"""Scoring found spans against annotated ones, as presidio-research does (its `SpanEvaluator`).

Words that carry nothing (punctuation, stop words, "street", "mr.") count on neither side; neighbours of one
type are one span; a span is found when the intersection over union with what was predicted, in
characters, is at least .9. F2 weighs recall above precision: a leak costs more than a needless mask.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

IOU = 0.9
_TOKEN = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
_STOP_WORDS = frozenset(
    """a about above after again all also am an and any are as at be been before being below between both but by can
    could did do does doing down during each either else ever every few for from further had has have having he her
    here hers him his how i if in into is it its itself just least less made make many may me might more most much
    must my myself neither never next no nor not now of off often on once one only onto or other our ours out over
    own per please put quite rather really same say see seem several she should show since so some still such take
    than that the their them then there these they this those though three through thus to together too toward two
    under unless until up upon us very via was we well were what when where whether which while who whole whom whose
    why will with within without would yet you your yours""".split()
    + """street st de rue via and a the or do as of day address country state city zip po apt unit corner box suite mr
    mrs miss year years y/o month months old morning noon afternoon night evening this first last week weeks weekend
    day days age ago inc ltd s""".split()
    + list(string.punctuation)
)

Span = tuple[int, int, str]  # start, end, type


@dataclass(slots=True)
class Counts:
    """Spans of one type, or of all."""

    annotated: int = 0
    predicted: int = 0
    found: int = 0

    @property
    def precision(self) -> float:
        """Share of what was predicted that is right; 1 when nothing was predicted."""
        return self.found / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """Share of what was annotated that was found; 1 when nothing was annotated."""
        return self.found / self.annotated if self.annotated else 1.0

    def f(self, beta: float = 2.0) -> float:
        """F-beta."""
        below = beta**2 * self.precision + self.recall
        return (1 + beta**2) * self.precision * self.recall / below if below else 0.0


@dataclass(slots=True)
class Score:
    """Counts over all types as one, and by type."""

    overall: Counts = field(default_factory=Counts)
    types: dict[str, Counts] = field(default_factory=dict)

    def add(self, text: str, annotated: Sequence[Span], predicted: Sequence[Span]) -> None:
        """Count one text."""
        tokens = [(m.start(), m.end(), m[0]) for m in _TOKEN.finditer(text)]
        _match(
            self.overall, _spans(tokens, annotated, any_type=True), _spans(tokens, predicted, any_type=True)
        )
        for kind in {kind for *_, kind in (*annotated, *predicted)}:
            counts = self.types.setdefault(kind, Counts())
            left = [span for span in annotated if span[2] == kind]
            right = [span for span in predicted if span[2] == kind]
            _match(counts, _spans(tokens, left, any_type=True), _spans(tokens, right, any_type=True))


def _spans(
    tokens: Sequence[tuple[int, int, str]], spans: Iterable[Span], *, any_type: bool
) -> list[tuple[int, int]]:
    """Runs of covered words, without stop words at their ends; stop words between two runs join them."""
    covered = sorted(spans)
    runs: list[list[int]] = []
    is_open = False
    for start, end, word in tokens:
        if word.lower() in _STOP_WORDS:
            continue
        inside = any(begin < end and start < stop for begin, stop, _ in covered)
        if inside and is_open:
            runs[-1][1] = end
        elif inside:
            runs.append([start, end])
        is_open = inside
    return [(start, end) for start, end in runs]


def _match(
    counts: Counts, annotated: Sequence[tuple[int, int]], predicted: Sequence[tuple[int, int]]
) -> None:
    counts.annotated += len(annotated)
    used: Counter[tuple[int, int]] = Counter()
    for start, end in annotated:
        over = [p for p in predicted if p[0] < end and start < p[1]]
        if not over:
            continue
        used.update(over)
        covered = {c for p in over for c in range(*p)}
        own = set(range(start, end))
        counts.predicted += 1
        if len(covered & own) / len(covered | own) >= IOU:
            counts.found += 1
    counts.predicted += sum(p not in used for p in predicted)
