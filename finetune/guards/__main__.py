"""`python -m finetune.guards train --data FOLDER`: trains every head and writes the artefact.

FOLDER holds the public sets (BIPIA, banking77, CLAPNQ, COVID-QA, ABCD, Bitext, BEGIN, Q², WiCE). The same files make the
same heads: seeds are fixed and the network is trained in numpy. The pages of this repository are among the files.
"""

import argparse
import hashlib
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetune.guards.claims import claims, train_attribution
from finetune.guards.material import load
from finetune.guards.network import Weights, pack
from finetune.guards.train import train_document, train_prompt, train_toxicity
from ingestion.detect.heads import HEADS_DIR
from ingestion.embed import load_embedder
from ingestion.embed.cached import CachedEmbedder

ROOT = Path(__file__).parent.parent.parent
HEADS = ("document", "prompt", "toxicity", "attribution")
# Operating points, set on harmless texts that were kept from training; `flag` tells, `quarantine` holds a document back.
THRESHOLDS = {
    "document": {"flag": 0.9, "quarantine": 0.98},
    "prompt": {"block": 0.9},
    "toxicity": {"hateful": 0.5},
    "attribution": {"supported": 0.5},
}
SETS = (
    "bipia/text_attack_train.json", "bipia/email_train.jsonl", "banking77/train.csv", "clapnq/clapnq_dev_answerable.jsonl",
    "clapnq/clapnq_dev_unanswerable.jsonl", "covid-qa/200423_covidQA.json", "abcd/guidelines.json", "begin/begin_dev_cmu.tsv",
    "begin/begin_dev_wow.tsv", "q2/cross_annotation.csv", "wice/oracle_chunks_claim_test.jsonl",
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="python -m finetune.guards", description=__doc__)
    commands = main_parser.add_subparsers(dest="command", required=True)
    pairs = commands.add_parser("pairs", help="train the judge of pairs (extra `models`)")
    pairs.add_argument("--data", type=Path, required=True, help="folder with the public sets")
    pairs.add_argument("--source", type=Path, required=True, help="folder with MiniLM's weights")
    train = commands.add_parser("train", help="train the heads")
    train.add_argument("--data", type=Path, required=True, help="folder with the public sets")
    train.add_argument("--out", type=Path, default=HEADS_DIR)
    train.add_argument(
        "--only", nargs="+", choices=HEADS, default=list(HEADS), help="train these, keep the others"
    )
    return main_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Train, write data first and the manifest last."""
    args = parser().parse_args(argv)
    if args.command == "pairs":
        # Torch is optional, and heads need none.
        importlib.import_module("finetune.guards.pairs").build(args.data, args.source)
        return 0
    try:
        material = load(args.data, ROOT)
    except OSError as exc:
        print(f"{exc}. Name the folder with the public sets: --data FOLDER", file=sys.stderr)
        return 1
    embedder = load_embedder("builtin", threads=2)
    remembering = CachedEmbedder(embedder)
    makers = {
        "document": lambda: train_document(remembering, material),
        "prompt": lambda: train_prompt(remembering, material),
        "toxicity": lambda: train_toxicity(remembering, material),
        "attribution": lambda: train_attribution(embedder, list(claims(args.data))),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        write(args.out, name, makers[name]())
        print(f"{name}: trained")
    write_manifest(args.out, args.data, embedder.digest)
    return 0


def write(folder: Path, name: str, weights: Weights) -> None:
    """One head's file."""
    parts: dict[str, Any] = pack(weights)
    np.savez(folder / f"{name}.npz", **parts)


def write_manifest(folder: Path, data: Path, embedder_digest: str) -> None:
    """The manifest: what it is, what it was made of, and the digest of every file."""
    files = {f"{name}.npz": _digest(folder / f"{name}.npz") for name in HEADS}
    manifest = {
        "name": "touchstone-guard-heads",
        "digest": hashlib.sha256("".join(files.values()).encode()).hexdigest(),
        "embedder": embedder_digest,
        "heads": {name: THRESHOLDS[name] for name in HEADS},
        "sources": {name: _digest(data / name) for name in SETS},
        "licence": "Apache-2.0; trained on openly licensed sets, see CARD.md",
        "rebuild": "python -m finetune.guards train --data FOLDER",
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
