"""How long until a change can be seen: one document added or deleted over HTTP, beside 20,000 and 200,000 chunks.

The filler has synthetic vectors and texts; the document in question goes the whole way: parsed in a child
process, scrubbed, screened, embedded, released, searched.
"""

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.servers import gateway
from evals.metrics import Figure
from ingestion.config import CollectionConfig
from ingestion.corpus import Chunk, Document
from ingestion.embed import Embedder, load_embedder
from ingestion.index.segment import Entry
from ingestion.releases.build import Change, build_release
from ingestion.releases.release import point_to
from ingestion.runs.collection import Collection

_SIZES = (20_000, 200_000)
_CHANGES = 25
_CHUNKS_A_DOCUMENT = 10


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Both sizes, each in a server of its own."""
    sizes = (500, 5_000) if is_quick else _SIZES
    rounds = 3 if is_quick else _CHANGES
    figures: dict[str, Figure] = {}
    medians: dict[tuple[str, int], float] = {}
    for size in sizes:
        added, deleted = _changes(size, rounds)
        for name, times in (("upsert", added), ("delete", deleted)):
            medians[name, size] = statistics.median(times)
            figures[f"{name}.visible_s@{size}"] = Figure(
                medians[name, size], min(times), max(times), len(times)
            )
    small, large = sizes
    for name in ("upsert", "delete"):
        figures[f"{name}.visible_s"] = Figure(medians[name, large], n=rounds)
        figures[f"{name}.growth"] = Figure(medians[name, large] / medians[name, small])
    return figures


def _changes(size: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from the call until a search shows it, for additions and deletions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "var", size)
        with gateway(folder) as (base, _):
            for warm in range(3):
                _add(base, f"warm{warm}")
            added = [_add(base, f"n{number}") for number in range(rounds)]
            deleted = [_delete(base, f"n{number}") for number in range(rounds)]
    return added, deleted


def _add(base: str, name: str) -> float:
    begun = time.perf_counter()
    text = f"# Page {name}\n\nThe {name} valve is opened by turning the {name} wheel to the left."
    _call("PUT", f"{base}/v1/documents/{name}", {"text": text})
    while name not in _found(base, name):
        pass
    return time.perf_counter() - begun


def _delete(base: str, name: str) -> float:
    begun = time.perf_counter()
    _call("DELETE", f"{base}/v1/documents/{name}")
    while name in _found(base, name):
        pass
    return time.perf_counter() - begun


def _found(base: str, name: str) -> list[str]:
    reply = _call("POST", f"{base}/v1/search", {"query": f"{name} valve wheel", "top_k": 5})
    return [result["document_id"] for result in reply["results"]]


def _call(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        result: dict[str, Any] = json.loads(reply.read())
    return result


def fill(data_dir: Path, size: int) -> None:
    """A released collection `c` of `size` synthetic chunks."""
    config = CollectionConfig.model_validate({"languages": ["en"]})
    collection = Collection("c", config, load_embedder("builtin"), data_dir)
    collection.folder.mkdir(parents=True)
    release = build_release(
        collection.folder, "c", None, Change(_entries(size, collection.embedder)), collection.recipe
    )
    point_to(collection.folder, release.manifest.id)


def _entries(size: int, embedder: Embedder) -> Iterator[Entry]:
    rng = np.random.default_rng(5)
    words = np.array([f"word{number}" for number in range(20_000)])
    for number in range(size // _CHUNKS_A_DOCUMENT):
        name = f"filler-{number:06d}"
        texts = [" ".join(words[rng.zipf(1.3, 40) % len(words)]) for _ in range(_CHUNKS_A_DOCUMENT)]
        document = Document(name, name, name, name, "en", "\n".join(texts), (), source_name="filler")
        chunks = tuple(
            Chunk(f"{name}-{i}", name, i, text, 0, len(text), name, name, "en")
            for i, text in enumerate(texts)
        )
        vectors = rng.normal(size=(len(texts), embedder.dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield Entry(document, chunks, tuple(range(len(chunks))), vectors)
