"""A million passages in one release: recall, latency and memory of the dense stage, with and without filters."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from evals.bench.clusters import DIMENSION, Vectors, clustered
from evals.metrics import Figure
from ingestion.corpus import Chunk, Document
from ingestion.filter import Compare
from ingestion.index.segment import Entry
from ingestion.releases.build import Change, Recipe, build_release
from ingestion.releases.release import Release
from ingestion.view import EVERYTHING, View

_ROWS, _QUERIES, _TIMED = 1_000_000, 500, 300
_DEPTH = 10
_CHUNKS_A_DOCUMENT = 10
_WORDS = 20_000
_SHARES = (1, 10, 50)
_ROUNDS = 3
_EFS = (64, 128, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400)
Ids = npt.NDArray[np.int64]


def measure(*, is_quick: bool) -> dict[str, Figure]:
    """One release; every peer gets the same vectors and one thread a query."""
    faiss.omp_set_num_threads(1)
    rows = 30_000 if is_quick else _ROWS
    queries = 50 if is_quick else _QUERIES
    everything = clustered(rows + queries)
    vectors, asked = everything[:rows], everything[rows:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        release = build_release(folder, "c", None, Change(_entries(vectors)), _recipe())
        figures = {"search.build_s": Figure(time.perf_counter() - begun)}
        figures |= _ours(release, vectors, asked)
        figures |= _filtered(release, vectors, asked[: queries // 5])
        figures |= _peers(vectors, asked, figures["search.recall@10"].value, figures["search.p50_s"].value)
    return figures


def _recipe() -> Recipe:
    return Recipe("benchmark", "builtin", "none", "none", DIMENSION, ("en",), "ivf")


def _entries(vectors: Vectors) -> Iterator[Entry]:
    rng = np.random.default_rng(3)
    words = np.array([f"word{number}" for number in range(_WORDS)])
    for begin in range(0, len(vectors), _CHUNKS_A_DOCUMENT):
        own = vectors[begin : begin + _CHUNKS_A_DOCUMENT]
        name = f"d{begin:07d}"
        picked = words[rng.zipf(1.3, (len(own), 40)) % _WORDS]
        texts = [" ".join(row) for row in picked]
        bucket = (begin // _CHUNKS_A_DOCUMENT) % 100
        document = Document(name, name, name, name, "en", "\n".join(texts), (), metadata={"bucket": bucket})
        chunks = tuple(
            Chunk(f"{name}-{i}", name, i, text, 0, len(text), name, name, "en")
            for i, text in enumerate(texts)
        )
        yield Entry(document, chunks, tuple(range(len(chunks))), own)


def _truth(vectors: Vectors, asked: Vectors, allowed: Ids | None = None) -> Ids:
    """The nearest, exactly, shape `(queries, 10)`."""
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(vectors if allowed is None else vectors[allowed])
    found: Ids = flat.search(asked, _DEPTH)[1]
    return found if allowed is None else allowed[found]


def _recall(found: Sequence[Ids], truth: Ids) -> Figure:
    shares = [
        len(np.intersect1d(one[:_DEPTH], best)) / _DEPTH for one, best in zip(found, truth, strict=True)
    ]
    return Figure(float(np.mean(shares)), n=len(shares))


def _times(ask: Callable[[Vectors], object], asked: Vectors) -> Figure:
    """Median of the medians of several rounds, in seconds; low and high are the rounds' least and largest."""
    rounds = []
    for _ in range(_ROUNDS):
        taken = []
        for vector in asked[:_TIMED]:
            begun = time.perf_counter()
            ask(vector)
            taken.append(time.perf_counter() - begun)
        rounds.append(float(np.median(taken)))
    return Figure(float(np.median(rounds)), min(rounds), max(rounds), min(len(asked), _TIMED))


def _ours(release: Release, vectors: Vectors, asked: Vectors) -> dict[str, Figure]:
    truth = _truth(vectors, asked)
    rows = release.index
    found = [rows.search_dense(vector, _DEPTH, EVERYTHING)[0] for vector in asked]
    size = sum(path.stat().st_size for segment in release.segments for path in [_dense(release, segment.id)])
    size += (release.folder / "coarse.faiss").stat().st_size
    return {
        "search.recall@10": _recall(found, truth),
        "search.p50_s": _times(lambda v: rows.search_dense(v, _DEPTH, EVERYTHING), asked),
        "search.candidates_p50_s": _times(lambda v: rows.search_dense(v, 100, EVERYTHING), asked),
        "search.memory_ratio": Figure(size / vectors.nbytes),
        "search.lexical_p50_s": _words(release),
    }


def _dense(release: Release, segment: str) -> Path:
    return release.folder.parent.parent / "segments" / segment / "dense.faiss"


def _words(release: Release) -> Figure:
    """BM25 for questions of six words, drawn as the texts' words were."""
    rng = np.random.default_rng(9)
    texts = [" ".join(f"word{n % _WORDS}" for n in rng.zipf(1.3, 6)) for _ in range(_TIMED)]
    numbers = np.arange(len(texts))

    def ask(number: Any) -> None:
        release.index.search_lexical(release.index.words(texts[int(number)], EVERYTHING), 100)

    return _times(ask, numbers)  # type: ignore[arg-type]  # numbers stand for texts


def _filtered(release: Release, vectors: Vectors, asked: Vectors) -> dict[str, Figure]:
    figures = {}
    bucket = (np.arange(len(vectors)) // _CHUNKS_A_DOCUMENT) % 100
    for share in _SHARES:
        view = View(filter=Compare("bucket", "lt", share))
        allowed = np.flatnonzero(bucket < share)
        found = [release.index.search_dense(vector, _DEPTH, view)[0] for vector in asked]
        figures[f"search.filtered_{share}.recall@10"] = _recall(found, _truth(vectors, asked, allowed))
        figures[f"search.filtered_{share}.p50_s"] = _times(_asker(release, view), asked)
    return figures


def _asker(release: Release, view: View) -> Callable[[Vectors], object]:
    return lambda vector: release.index.search_dense(vector, _DEPTH, view)


def _flat(vectors: Vectors, asked: Vectors) -> Figure:
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(vectors)
    return _times(lambda v: flat.search(v[None, :], _DEPTH), asked)


def _peers(vectors: Vectors, asked: Vectors, recall: float, p50_s: float) -> dict[str, Figure]:
    """hnswlib with the least `ef` that reaches our recall, and exact search over float32."""
    import hnswlib

    truth = _truth(vectors, asked)
    exact = _flat(vectors, asked[:50])
    graph = hnswlib.Index(space="ip", dim=DIMENSION)
    graph.init_index(max_elements=len(vectors), M=16, ef_construction=100, random_seed=1)
    begun = time.perf_counter()
    graph.add_items(vectors, num_threads=-1)
    figures = {"search.hnswlib.build_s": Figure(time.perf_counter() - begun)}
    graph.set_num_threads(1)
    best = Figure(0.0)
    for ef in _EFS:
        graph.set_ef(ef)
        best = _recall(list(graph.knn_query(asked, k=_DEPTH)[0].astype(np.int64)), truth)
        if best.value >= recall:
            break
    peer = _times(lambda v: graph.knn_query(v[None, :], k=_DEPTH), asked)
    return {
        **figures,
        "search.hnswlib.ef": Figure(ef),
        "search.hnswlib.recall@10": best,
        "search.hnswlib.p50_s": peer,
        "search.vs_hnswlib": Figure(peer.value / p50_s),
        "search.flat.p50_s": exact,
        "search.vs_flat": Figure(exact.value / p50_s),
    }
