"""Train the late-interaction head of the built-in embedder on claims and the abstracts that bear on them.

`python -m finetune.embedder.late_interaction --data FOLDER` (extra `models`), where FOLDER holds BEIR's `scifact/`.
Only the training split is read. Licences of what it learns from: claims and annotations CC BY 4.0,
abstracts ODC-By 1.0. The model's own layers stay as they are: 49,152 numbers are learnt.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from ingestion.artifact import written_artifact
from ingestion.embed.builtin import BUILTIN_DIR, OpenVinoEmbedder, load_builtin
from ingestion.embed.late_interaction import LATE_DIR, LATE_FILE, REBUILD
from ingestion.embed.values import Vectors
from ingestion.index.lexical import terms

DIMENSION, CODE_BYTES, EPOCHS = 128, 16, 4
_CANDIDATES, _NEGATIVES, _BATCH = 60, 28, 8
_VOCABULARY = 30_522


@dataclass(frozen=True, slots=True)
class Text:
    """Token ids without the special ones, and their vectors in the model's last layer."""

    ids: Any
    hidden: Vectors


@dataclass(frozen=True, slots=True)
class Case:
    """A question, its candidates with their scaled cosines and word scores, and which are right."""

    question: Text
    candidates: Any
    cosines: Vectors
    words: Vectors
    is_right: Any


def main() -> None:
    """Read, embed, train, quantise, write."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m finetune.embedder.late_interaction")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=LATE_DIR)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = parser.parse_args()
    embedder = load_builtin(BUILTIN_DIR, with_late=False)
    passages, names = _passages(args.data)
    texts, vectors = _embed(embedder, passages)
    weights = _rarity(texts)
    cases = _cases(embedder, args.data, passages, names, vectors)
    projection, mean = _train(texts, cases, weights, args.epochs)
    parts = {
        "projection": projection,
        "mean": mean,
        "weights": weights,
        "centroids": _centroids(texts, projection, mean),
    }
    write(args.out, parts, embedder.weights_digest)


def _passages(data: Path) -> tuple[list[str], list[str]]:
    """Abstracts in two halves each, as long as chunks are, under their titles; and whose they are."""
    passages, names = [], []
    for line in (data / "scifact" / "corpus.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        sentences = row["text"].split(". ")
        middle = max(1, len(sentences) // 2)
        for part in (sentences[:middle], sentences[middle:]):
            if part:
                passages.append(f"{row['title']}\n{'. '.join(part)}")
                names.append(row["_id"])
    return passages, names


def _embed(embedder: OpenVinoEmbedder, texts: Sequence[str]) -> tuple[list[Text], Vectors]:
    found: list[Text] = []
    vectors = []
    for begin in range(0, len(texts), 256):
        some, hidden = embedder.hidden(list(texts[begin : begin + 256]))
        vectors.append(some)
        found += [Text(ids, one.astype(np.float16)) for ids, one in hidden]
    return found, np.concatenate(vectors)


def _rarity(texts: Sequence[Text]) -> Vectors:
    counts: Counter[int] = Counter()
    for text in texts:
        counts.update(set(text.ids.tolist()))
    n = len(texts)
    found = [math.log(1 + (n - counts[t] + 0.5) / (counts[t] + 0.5)) for t in range(_VOCABULARY)]
    return np.array(found, np.float32)


def _cases(
    embedder: OpenVinoEmbedder, data: Path, passages: Sequence[str], names: Sequence[str], vectors: Vectors
) -> list[Case]:
    rows = map(json.loads, (data / "scifact" / "queries.jsonl").read_text("utf-8").splitlines())
    claims = {row["_id"]: row["text"] for row in rows}
    right: dict[str, set[str]] = {}
    for line in (data / "scifact" / "qrels" / "train.tsv").read_text("utf-8").splitlines()[1:]:
        claim, document, gain = line.split("\t")
        if int(gain) > 0:
            right.setdefault(claim, set()).add(document)
    questions, question_vectors = _embed(embedder, [claims[key] for key in right])
    owners = np.array(names)
    index = _Words(passages)
    cases = []
    for key, question, vector in zip(right, questions, question_vectors, strict=True):
        cosines, words = vectors @ vector, index.score(claims[key])
        found = np.union1d(np.argsort(-cosines)[:_CANDIDATES], np.argsort(-words)[:_CANDIDATES])
        is_right = np.isin(owners[found], list(right[key]))
        if is_right.any():
            cases.append(Case(question, found, _scale(cosines[found]), _scale(words[found]), is_right))
    return cases


class _Words:
    """BM25 over the passages, to find hard negatives with."""

    def __init__(self, passages: Sequence[str]) -> None:
        counts = [Counter(terms(text, "en")) for text in passages]
        lengths = np.array([sum(one.values()) for one in counts], np.float32)
        self._norm = 0.9 * (0.6 + 0.4 * lengths / lengths.mean())
        self._found: dict[str, list[tuple[int, int]]] = {}
        for place, one in enumerate(counts):
            for term, count in one.items():
                self._found.setdefault(term, []).append((place, count))

    def score(self, text: str) -> Vectors:
        scores = np.zeros(len(self._norm), np.float32)
        for term in set(terms(text, "en")):
            found = self._found.get(term, [])
            rarity = math.log(1 + (len(scores) - len(found) + 0.5) / (len(found) + 0.5))
            for place, count in found:
                scores[place] += rarity * count / (count + self._norm[place])
        return scores


def _scale(scores: Vectors) -> Vectors:
    span = scores.max() - scores.min()
    scaled: Vectors = ((scores - scores.min()) / max(span, 1e-6)).astype(np.float32)
    return scaled


def _train(
    texts: Sequence[Text], cases: Sequence[Case], weights: Vectors, epochs: int
) -> tuple[Vectors, Vectors]:
    """Projection and mean: a start at the principal components, then cross entropy over the candidates."""
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sample = np.vstack([texts[i].hidden[::7] for i in rng.choice(len(texts), 3_000, replace=False)])
    mean = sample.astype(np.float32).mean(axis=0)
    components = np.linalg.eigh(np.cov(sample.astype(np.float32).T))[1][:, ::-1][:, :DIMENSION]
    projection = torch.nn.Parameter(torch.tensor(components.astype(np.float32).copy()))
    sharpness = torch.nn.Parameter(torch.tensor(3.0))
    others = torch.nn.Parameter(torch.tensor([4.0, 4.0]))
    optimiser = torch.optim.AdamW(
        [{"params": [projection], "lr": 1e-3}, {"params": [sharpness, others], "lr": 1e-2}], weight_decay=0.0
    )
    centre, rarity = torch.tensor(mean), torch.tensor(weights)

    def unit(hidden: Vectors) -> Any:
        moved = (torch.tensor(hidden.astype(np.float32)) - centre) @ projection
        return torch.nn.functional.normalize(moved, dim=1)

    def late(case: Case, chosen: Any) -> Any:
        share = rarity[torch.tensor(case.question.ids)]
        passages = [texts[i].hidden for i in case.candidates[chosen]]
        similar = unit(case.question.hidden) @ unit(np.concatenate(passages)).T
        best = [part.max(dim=1).values for part in similar.split([len(p) for p in passages], dim=1)]
        return (torch.stack(best) * (share / share.sum())).sum(dim=1)

    for epoch in range(epochs):
        total = 0.0
        for number, i in enumerate(rng.permutation(len(cases))):
            case = cases[i]
            right = np.flatnonzero(case.is_right)[:3]
            hard = np.setdiff1d(
                np.argsort(-(case.cosines + case.words))[:_CANDIDATES], np.flatnonzero(case.is_right)
            )
            chosen = np.concatenate([right, rng.permutation(hard)[:_NEGATIVES]])
            cosines, words = torch.tensor(case.cosines[chosen]), torch.tensor(case.words[chosen])
            logits = sharpness.exp() * late(case, chosen) + others[0] * cosines + others[1] * words
            loss = -torch.log_softmax(logits, 0)[: len(right)].logsumexp(0)
            loss.backward()
            total += float(loss)
            if number % _BATCH == _BATCH - 1:
                optimiser.step()
                optimiser.zero_grad()
        print(f"epoch {epoch + 1}: loss {total / len(cases):.4f}", flush=True)
    return projection.detach().numpy(), mean


def _centroids(texts: Sequence[Text], projection: Vectors, mean: Vectors) -> Vectors:
    """Centroids of each part of the projected vectors, shape `(CODE_BYTES, 256, DIMENSION / CODE_BYTES)`."""
    rng = np.random.default_rng(1)
    sample = np.vstack([texts[i].hidden[::3] for i in rng.choice(len(texts), 3_000, replace=False)])
    moved = (sample.astype(np.float32) - mean) @ projection
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)
    quantizer: Any = faiss.ProductQuantizer(DIMENSION, CODE_BYTES, 8)
    quantizer.train(np.ascontiguousarray(moved[:80_000]))
    flat: Vectors = faiss.vector_to_array(quantizer.centroids)
    return flat.reshape(CODE_BYTES, 256, DIMENSION // CODE_BYTES)


def write(out: Path, parts: Mapping[str, Vectors], weights_digest: str) -> None:
    """Write the artefact: its arrays in half precision, for the embedder of these weights."""
    with written_artifact(
        out,
        (LATE_FILE,),
        name="late-minilm-l6-v2",
        embedder=weights_digest,
        licence="Apache-2.0; trained on openly licensed sets, see CARD.md",
        rebuild=REBUILD,
        facts={
            "dimension": DIMENSION,
            "code_bytes": CODE_BYTES,
            "trained_on": "BEIR SciFact, training split: claims CC BY 4.0, abstracts ODC-By 1.0",
        },
    ) as folder:
        np.savez(folder / LATE_FILE, **{name: part.astype(np.float16) for name, part in parts.items()})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
