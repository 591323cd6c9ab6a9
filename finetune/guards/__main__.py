"""`python -m finetune.guards train --data FOLDER`: trains heads and writes the artefact of each.

FOLDER holds the public sets (BIPIA, banking77, CLAPNQ, COVID-QA, ABCD, Bitext, CLINC150, NQ-open, XQuAD, instructions, BEGIN,
Q², WiCE). The same files make the same heads: seeds are fixed and the network is trained in numpy. The pages of this
repository are among the files. `cross-validate` tries the prompt head on whole sets that it has not learned from.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune.guards import people
from finetune.guards.claims import claims, train_attribution
from finetune.guards.cross_validation import CASES, Points, Trial, cross_validate
from finetune.guards.material import Material, load
from finetune.guards.network import Weights, pack
from finetune.guards.train import train_document, train_prompt, train_toxicity
from ingestion.artifact import digest_of, written_artifact
from ingestion.detect.heads import HEAD_FILE, load_head, rebuild_command
from ingestion.detect.injection import DOCUMENT_DIR, PROMPT_DIR
from ingestion.embed import load_embedder
from ingestion.embed.cached import CachedEmbedder
from service.guard.models.attribution import ATTRIBUTION_DIR
from service.guard.models.toxicity import TOXICITY_DIR

ROOT = Path(__file__).parent.parent.parent
_BANKING, _ABCD = "banking77/train.csv", "abcd/guidelines.json"
_CLAPNQ = ("clapnq/clapnq_dev_answerable.jsonl", "clapnq/clapnq_dev_unanswerable.jsonl")


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """Where a head's artefact lies, its operating points, and the public sets that it learns from.

    Operating points are set on harmless texts that were kept from training; `flag` tells, `quarantine` holds a document
    back.
    """

    folder: Path
    thresholds: Mapping[str, float]
    sources: tuple[str, ...]


HEADS = {
    "document": HeadRecipe(
        DOCUMENT_DIR,
        {"flag": 0.9, "quarantine": 0.98},
        (
            "bipia/text_attack_train.json",
            "bipia/email_train.jsonl",
            _BANKING,
            *_CLAPNQ,
            "covid-qa/200423_covidQA.json",
            _ABCD,
        ),
    ),
    "prompt": HeadRecipe(
        PROMPT_DIR,
        {"block": 0.97, "degrade": 0.5},
        (
            _BANKING,
            *_CLAPNQ,
            _ABCD,
            "bitext/Bitext_Sample_Customer_Service_Testing_Dataset.csv",
            *people.SOURCES,
            *people.PASTED,
        ),
    ),
    "toxicity": HeadRecipe(TOXICITY_DIR, {"hateful": 0.5}, (_BANKING,)),
    "attribution": HeadRecipe(
        ATTRIBUTION_DIR,
        {"supported": 0.5},
        (
            "begin/begin_dev_cmu.tsv",
            "begin/begin_dev_wow.tsv",
            "q2/cross_annotation.csv",
            "wice/oracle_chunks_claim_test.jsonl",
        ),
    ),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="python -m finetune.guards", description=__doc__)
    commands = main_parser.add_subparsers(dest="command", required=True)
    cross_encoder = commands.add_parser("cross-encoder", help="train the cross-encoder (extra `models`)")
    cross_encoder.add_argument("--data", type=Path, required=True, help="folder with the public sets")
    cross_encoder.add_argument("--source", type=Path, required=True, help="folder with MiniLM's weights")
    train = commands.add_parser("train", help="train the heads")
    train.add_argument("--data", type=Path, required=True, help="folder with the public sets")
    train.add_argument(
        "--out", type=Path, help="folder to write the artefacts into, instead of where they are read from"
    )
    train.add_argument(
        "--only", nargs="+", choices=list(HEADS), default=list(HEADS), help="train these, keep the others"
    )
    validation = commands.add_parser(
        "cross-validate", help="try the prompt head on sets left out of training"
    )
    validation.add_argument("--data", type=Path, required=True, help="folder with the public sets")
    validation.add_argument("--sample", type=int, default=600, help="most texts of a set")
    return main_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Train, and write the artefact of each head."""
    args = parser().parse_args(argv)
    if args.command == "cross-encoder":
        # Torch is optional, and heads need none.
        importlib.import_module("finetune.guards.cross_encoder").build(args.data, args.source)
        return 0
    try:
        material = load(args.data, ROOT)
    except OSError as exc:
        print(f"{exc}. Name the folder with the public sets: --data FOLDER", file=sys.stderr)
        return 1
    if args.command == "cross-validate":
        print(json.dumps(validated(args.data, material, args.sample), indent=1))
        return 0
    embedder = load_embedder("builtin", threads=2)
    remembering = CachedEmbedder(embedder)
    makers = {
        "document": lambda: train_document(remembering, material),
        "prompt": lambda: train_prompt(
            remembering, material, people.learned(args.data), people.foreign_sentences(args.data)
        ),
        "toxicity": lambda: train_toxicity(remembering, material),
        "attribution": lambda: train_attribution(embedder, list(claims(args.data))),
    }
    for name in args.only:
        own = HEADS[name].folder
        folder = args.out / own.name if args.out else own
        write(folder, name, makers[name](), data=args.data, weights_digest=embedder.weights_digest)
        print(f"{name}: trained")
    return 0


def validated(data: Path, material: Material, sample: int) -> dict[str, Any]:
    """What the prompt head does with sets left out of its training."""
    embedder = load_embedder("builtin", threads=1)
    points = HEADS["prompt"].thresholds
    document = load_head(DOCUMENT_DIR, embedder.weights_digest)
    return cross_validate(
        Trial(
            CachedEmbedder(embedder),
            material,
            data,
            ROOT / CASES,
            Points(points["block"], points["degrade"]),
            document,
            sample,
        )
    )


def write(folder: Path, name: str, weights: Weights, *, data: Path, weights_digest: str) -> None:
    """The artefact of one head, for the embedder of these weights."""
    recipe = HEADS[name]
    with written_artifact(
        folder,
        (HEAD_FILE,),
        name=recipe.folder.name,
        embedder=weights_digest,
        licence="Apache-2.0; trained on openly licensed sets, see CARD.md",
        rebuild=rebuild_command(name),
        facts={
            "head": name,
            "thresholds": dict(recipe.thresholds),
            "sources": {source: digest_of(data / source) for source in recipe.sources},
        },
    ) as fresh:
        parts: dict[str, Any] = pack(weights)
        np.savez(fresh / HEAD_FILE, **parts)


if __name__ == "__main__":
    sys.exit(main())
