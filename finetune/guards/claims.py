"""Labelled claims to learn attribution from: BEGIN (Dziri et al. 2022), Q² (Honovich et al. 2021), WiCE (Kamoi et al. 2023).

Every other row, by the hash of what it rests on, is kept from training: `evals run grounding` measures with those.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.guards.network import Floats, Recipe, Weights, train
from ingestion.detect.heads import is_held_out
from ingestion.embed import Embedder
from service.guard.models.attribution import Attributor, sentences_of

_KEY_CHARS = 80


@dataclass(frozen=True, slots=True)
class Claim:
    """A text, what it should rest on, and whether it does."""

    text: str
    evidence: str
    is_supported: bool
    source: str


def claims(data: Path) -> Iterator[Claim]:
    """The claims that may be learned from. Raises `OSError` for a missing file."""
    for name in ("cmu", "wow"):
        with (data / "begin" / f"begin_dev_{name}.tsv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["begin_label"] and not is_held_out(row["knowledge"][:_KEY_CHARS]):
                    is_supported = row["begin_label"].startswith("Fully")
                    yield Claim(row["response"], row["knowledge"], is_supported, "begin")
    with (data / "q2" / "cross_annotation.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for system in ("dodeca", "memnet"):
                # The annotation says whether the reply is inconsistent.
                if row[f"{system}_label"] in ("0", "1") and not is_held_out(row["knowledge"][:_KEY_CHARS]):
                    is_supported = row[f"{system}_label"] == "0"
                    yield Claim(row[f"{system}_response"], row["knowledge"], is_supported, "q2")
    for line in (data / "wice" / "oracle_chunks_claim_test.jsonl").read_text("utf-8").splitlines():
        item = json.loads(line)
        if not is_held_out(item["meta"]["id"]):
            yield Claim(item["claim"], "\n".join(item["evidence"]), item["label"] == "supported", "wice")


def train_attribution(embedder: Embedder, found: Sequence[Claim]) -> Weights:
    """The head that judges claims. Every source and both labels weigh the same."""
    attributor = Attributor(embedder, None)
    rows = np.concatenate(
        [attributor.rows([claim.text], sentences_of(claim.evidence) or [claim.evidence]) for claim in found]
    )
    labels = np.array([claim.is_supported for claim in found], np.float32)
    weights = _balanced([claim.source for claim in found], labels)
    return train(rows, labels, weights, Recipe(hidden=16, epochs=30, batch=64, drop=0.2, decay=1e-2))


def _balanced(sources: Sequence[str], labels: Floats) -> Floats:
    weights = np.zeros(len(labels), np.float32)
    names = np.array(sources)
    for source in sorted(set(sources)):
        for label in (0, 1):
            chosen = (names == source) & (labels == label)
            weights[chosen] = len(labels) / (2 * len(set(sources)) * max(int(chosen.sum()), 1))
    return weights
