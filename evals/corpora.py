"""Indexed corpora for measuring: the demo's and public sets. Each is built once and kept under the data folder."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.config import CollectionConfig
from ingestion.corpus import Block, Chunk, Document
from ingestion.embed import Embedder
from ingestion.index.segment import Entry
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.preparer import PIPELINE_VERSION, assemble
from ingestion.releases.build import Change, Recipe, build_release
from ingestion.releases.release import FORMAT, Release, active_id, open_active, point_to
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run

CHUNK_TOKENS = 200
_TOGETHER = 2_000


class MissingDataError(Exception):
    """A public set is missing; the message names the set and the folder."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Questions by id, and the relevance gain of each judged document for each question."""

    questions: Mapping[str, str]
    gains: Mapping[str, Mapping[str, int]]
    answers: Mapping[str, tuple[str, ...]]


def demo_release(
    name: str, config: CollectionConfig, base: Path, embedder: Embedder, data_dir: Path
) -> Release:
    """The demo's collection, ingested by the real pipeline."""
    run(Collection(name, config, embedder, data_dir / "evals", base))
    return open_active(data_dir / "evals" / "collections" / name)


def built_release(
    name: str,
    documents: Iterable[tuple[str, str, str]],
    embedder: Embedder,
    data_dir: Path,
    *,
    language: str = "en",
) -> Release:
    """A release of `(id, title, text)` documents as they are."""
    items = list(documents)
    parts = [items, embedder.digest, CHUNK_TOKENS, FORMAT, PIPELINE_VERSION]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    folder = data_dir / "evals" / "public" / f"{name}-{key[:12]}"
    if active_id(folder) is not None:
        return open_active(folder)
    chunked: list[tuple[Document, list[Chunk]]] = []
    for document_id, title, body in sorted(items):
        text, spans = assemble([Block("paragraph", body)])
        document = Document(document_id, title, document_id, key, language, text, spans)
        chunks = chunk_document(document, max_tokens=CHUNK_TOKENS, count=embedder.count_tokens)
        chunked.append((document, chunks))
    recipe = Recipe(key, "builtin", embedder.name, embedder.digest, embedder.dimension, (language,))
    release = build_release(folder, name, None, Change(embedded(chunked, embedder)), recipe)
    point_to(folder, release.manifest.id)
    return release


def embedded(documents: Sequence[tuple[Document, list[Chunk]]], embedder: Embedder) -> Iterator[Entry]:
    """Entries of documents, embedded in batches."""
    waiting: list[tuple[Document, list[Chunk]]] = []
    for number, one in enumerate(documents, start=1):
        waiting.append(one)
        if sum(len(chunks) for _, chunks in waiting) < _TOGETHER and number < len(documents):
            continue
        found = embedder.encode([chunk.embedded_text for _, chunks in waiting for chunk in chunks])
        begin = 0
        for document, chunks in waiting:
            end = begin + len(chunks)
            if chunks:
                yield Entry(
                    document,
                    tuple(chunks),
                    tuple(range(len(chunks))),
                    found.vectors[begin:end],
                    (),
                    found.codes[begin:end],
                )
            begin = end
        waiting = []


def xquad(data: Path, language: str = "en") -> tuple[list[tuple[str, str, str]], Judgement]:
    """XQuAD: 240 paragraphs as documents, 1,190 questions with answer spans, in `en`, `de` or `es`."""
    return _spans(data / "xquad" / f"xquad.{language}.json", "p")


def covid_qa(data: Path) -> tuple[list[tuple[str, str, str]], Judgement]:
    """COVID-QA: 98 articles of some 23,000 characters, 1,380 questions with answer spans."""
    return _spans(data / "covid-qa" / "200423_covidQA.json", "c")


def _spans(path: Path, prefix: str) -> tuple[list[tuple[str, str, str]], Judgement]:
    """A set in SQuAD's form, each paragraph a document."""
    raw = json.loads(need(path).read_text("utf-8"))
    documents: list[tuple[str, str, str]] = []
    questions: dict[str, str] = {}
    gains: dict[str, dict[str, int]] = {}
    answers: dict[str, tuple[str, ...]] = {}
    for article in raw["data"]:
        for paragraph in article["paragraphs"]:
            document_id = f"{prefix}{len(documents):03d}"
            documents.append((document_id, "", paragraph["context"]))
            for item in paragraph["qas"]:
                key = str(item["id"])
                questions[key] = item["question"]
                gains[key] = {document_id: 1}
                answers[key] = tuple(answer["text"] for answer in item["answers"])
    return documents, Judgement(questions, gains, answers)


def scifact(data: Path) -> tuple[list[tuple[str, str, str]], Judgement]:
    """BEIR SciFact: 5,183 abstracts, 300 test claims."""
    documents = [(row["_id"], row["title"], row["text"]) for row in _rows(data / "scifact" / "corpus.jsonl")]
    texts = {row["_id"]: row["text"] for row in _rows(data / "scifact" / "queries.jsonl")}
    gains: dict[str, dict[str, int]] = {}
    lines = need(data / "scifact" / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]
    for line in lines:
        query, document, gain = line.split("\t")
        gains.setdefault(query, {})[document] = int(gain)
    return documents, Judgement({query: texts[query] for query in gains}, gains, {})


def clapnq(data: Path) -> tuple[list[tuple[str, str, str]], list[tuple[str, bool]]]:
    """CLAPNQ dev: the passages of 600 questions, and each question with whether it is answerable."""
    passages: dict[str, tuple[str, str, str]] = {}
    questions: list[tuple[str, bool]] = []
    for name, answerable in (("answerable", True), ("unanswerable", False)):
        for row in _rows(data / "clapnq" / f"clapnq_dev_{name}.jsonl"):
            questions.append((row["input"], answerable))
            for passage in row["passages"]:
                key = hashlib.sha256(passage["text"].encode()).hexdigest()[:16]
                passages[key] = (key, passage["title"], passage["text"])
    return list(passages.values()), questions


def clapnq_passages(data: Path) -> dict[str, tuple[str, str]]:
    """Title and text of the first passage of each of CLAPNQ's questions."""
    found: dict[str, tuple[str, str]] = {}
    for name in ("answerable", "unanswerable"):
        for row in _rows(data / "clapnq" / f"clapnq_dev_{name}.jsonl"):
            found[row["input"]] = (row["passages"][0]["title"], row["passages"][0]["text"])
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in need(path).read_text("utf-8").splitlines() if line]


def need(path: Path) -> Path:
    """A file of a public set. Raises `MissingDataError`."""
    if not path.is_file():
        raise MissingDataError(f"{str(path)!r} is not there: name the folder with --data.")
    return path
