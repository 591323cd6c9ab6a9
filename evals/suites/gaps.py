"""Gaps: do clusters hold what asks for the same, and does a curated answer meet its question and no other?

The thresholds and the rules were chosen on one half of banking77's intents and on the pairs that are `tuned`. The other
half, the other pairs and Bitext were left alone; CLINC150 was looked at once for the curated answers' rules.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from evals.metrics import Figure, grouping, share
from evals.same_question import QuestionPair, load_pairs
from evals.sets import LabelledText, banking77, bitext, clinc150
from evals.suites.context import Context
from ingestion.cache import LruCache
from ingestion.detect.heads import is_held_out
from ingestion.embed import Embedder, Vectors
from ingestion.embed.anchors import ANCHORS
from service.feedback.curated.answer import Curated, CuratedText
from service.feedback.curated.book import LEAST_COSINE, Lookup, shelf_of
from service.feedback.curated.phrasing import Matter, is_same, matter
from service.feedback.gaps.clusters import MOST, clusters_of, similar_for

# Thousandths.
_TRIED = (450, 500, 525, 550, 575, 600, 650)
_ROUNDS = 200
Texts = Sequence[LabelledText]


def measure(context: Context) -> dict[str, Figure]:
    """The pairs of this repository, and the public sets when their folder was named."""
    questions = _Questions(context.embedder)
    pairs = load_pairs()
    figures: dict[str, Figure] = {}
    for part in ("tuned", "held_out"):
        figures |= _pairs(f"pairs.{part}", [one for one in pairs if one.part == part], questions)
    figures |= _cost(context.embedder)
    if context.data is not None:
        figures |= _clusters(context, context.data, questions)
        figures |= _matches(context, context.data, questions)
    return figures


class _Questions:
    """Vectors of questions; each is embedded once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: LruCache[str, Vectors] = LruCache(None)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape `(len(texts), dimension)`."""
        known = self._known.get_all(dict(zip(texts, texts, strict=True)), self._encoded)
        return np.stack([known[text] for text in texts])

    def _encoded(self, texts: list[str]) -> list[Vectors]:
        return [question.vector for question in self._embedder.encode_questions(texts)]


def _of(half: bool) -> Callable[[LabelledText], bool]:
    """Every other intent, by the hash of its name."""
    return lambda text: is_held_out(text.kind) is half


# Clusters.


def _clusters(context: Context, data: Path, questions: _Questions) -> dict[str, Figure]:
    similar = similar_for(questions.vectors(ANCHORS))
    bank = banking77(data)
    tuned = list(context.sampled(list(filter(_of(False), bank))))
    figures = {
        f"banking77.clusters.tuned.f1@{least}": _grouped(tuned, questions, least / 1_000)[0]
        for least in _TRIED
    }
    sets = {
        "banking77": list(filter(_of(True), bank)),
        "clinc150": clinc150(data, "test"),
        "bitext": bitext(data),
    }
    for name, texts in sets.items():
        f1, precision, v_measure = _grouped(list(context.sampled(texts)), questions, similar)
        figures |= {
            f"{name}.clusters.f1": f1,
            f"{name}.clusters.precision": precision,
            f"{name}.clusters.v_measure": v_measure,
        }
    many = questions.vectors([one.text for one in banking77(data, "train")[:MOST]])
    begun = time.perf_counter()
    clusters_of(many, similar)
    return {**figures, "gaps.clusters_s": Figure(time.perf_counter() - begun, n=len(many))}


def _grouped(texts: Texts, questions: _Questions, similar: float) -> tuple[Figure, Figure, Figure]:
    """Pairwise F1 and precision, and V-measure, of clusters against intents."""
    found = clusters_of(questions.vectors([one.text for one in texts]), similar)
    labels = np.empty(len(texts), int)
    for number, group in enumerate(found):
        labels[group] = number
    return grouping([one.kind for one in texts], labels.tolist())


# Curated answers.


def _pairs(name: str, pairs: Sequence[QuestionPair], questions: _Questions) -> dict[str, Figure]:
    one = questions.vectors([pair.one for pair in pairs])
    other = questions.vectors([pair.other for pair in pairs])
    is_near = np.einsum("ij,ij->i", one, other) >= LEAST_COSINE
    met = [
        bool(near) and is_same(matter(pair.one), matter(pair.other))
        for pair, near in zip(pairs, is_near, strict=True)
    ]
    return {
        f"{name}.curated.found": share([hit for pair, hit in zip(pairs, met, strict=True) if pair.is_same]),
        f"{name}.curated.wrong": share(
            [hit for pair, hit in zip(pairs, met, strict=True) if not pair.is_same]
        ),
        # What the cosine alone would let through.
        f"{name}.cosine_alone.wrong": share(
            [bool(near) for pair, near in zip(pairs, is_near, strict=True) if not pair.is_same]
        ),
    }


def _matches(context: Context, data: Path, questions: _Questions) -> dict[str, Figure]:
    """Every question of one part as a curated answer for its intent, asked with those of another part."""
    train, test = banking77(data, "train"), banking77(data)
    halves = (("tuned", _of(False)), ("held_out", _of(True)))
    figures: dict[str, Figure] = {}
    for name, of in halves:
        book, asked = list(filter(of, train)), list(context.sampled(list(filter(of, test))))
        figures |= _met(f"banking77.{name}", book, asked, questions)
    book, asked = clinc150(data, "val"), list(context.sampled(clinc150(data, "test")))
    figures |= _met("clinc150", book, asked, questions)
    strange = list(context.sampled(clinc150(data, "oos_test")))
    return figures | {"clinc150.oos.curated.wrong": share(_met_intents(book, strange, questions)[1])}


def _met(name: str, book: Texts, asked: Texts, questions: _Questions) -> dict[str, Figure]:
    right, wrong = _met_intents(book, asked, questions)
    return {f"{name}.curated.found": share(right), f"{name}.curated.wrong": share(wrong)}


def _met_intents(book: Texts, asked: Texts, questions: _Questions) -> tuple[list[bool], list[bool]]:
    """Of each question whether the nearest that is the same has its intent, and whether it has another one."""
    shelf = questions.vectors([one.text for one in book])
    matters = [matter(one.text) for one in book]
    right, wrong = [], []
    for one, vector in zip(asked, questions.vectors([one.text for one in asked]), strict=True):
        place = _nearest(matter(one.text), shelf @ vector, matters)
        right.append(place is not None and book[place].kind == one.kind)
        wrong.append(place is not None and book[place].kind != one.kind)
    return right, wrong


def _nearest(asked: Matter, cosines: Vectors, matters: Sequence[Matter]) -> int | None:
    close = np.flatnonzero(cosines >= LEAST_COSINE)
    ranked = close[np.argsort(-cosines[close], kind="stable")].tolist()
    return next((place for place in ranked if is_same(asked, matters[place])), None)


def _cost(embedder: Embedder) -> dict[str, Figure]:
    """Milliseconds of a question that no curated answer of a thousand meets, beside the embedding that it has anyway."""
    now = datetime.now(UTC)
    texts = [f"Where is lamp {number} of the garden?" for number in range(1_000)]
    answers = [
        Curated(str(i), CuratedText("a", text, "There.", "en"), 1, now, "", now, "")
        for i, text in enumerate(texts)
    ]
    shelf = shelf_of(answers, dict(zip(texts, embedder.embed(texts), strict=True)), embedder.digest)
    asked, lookup = "How do I return a kettle?", Lookup(shelf, frozenset(), now)
    vector, spent = embedder.embed([asked])[0], []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        lookup.exact(asked)
        lookup.near(asked, vector, embedder.digest)
        spent.append(time.perf_counter() - begun)
    return {"curated.miss_ms": Figure(1_000 * float(np.median(spent)), n=len(answers))}
