"""What training writes: one artefact a head, for the embedder that it was trained on."""

import hashlib
from pathlib import Path

import numpy as np

from finetune.embedder.late_interaction import write as write_late
from finetune.guards.__main__ import HEADS, parser, write
from finetune.guards.network import Weights
from ingestion.artifact import open_artifact
from ingestion.detect.heads import load_head
from ingestion.embed.late_interaction import LATE_DIR, load_late_head

WEIGHTS = Weights(
    np.zeros(4, np.float32), np.ones(4, np.float32), np.eye(4, 2, dtype=np.float32), np.zeros(2, np.float32),
    np.ones(2, np.float32), -1.0,
)  # fmt: skip


def sources(folder: Path, name: str) -> Path:
    for source in HEADS[name].sources:
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder


def test_training_one_head_writes_its_artefact_and_no_other(tmp_path: Path) -> None:
    out = tmp_path / "out" / HEADS["toxicity"].folder.name
    write(out, "toxicity", WEIGHTS, data=sources(tmp_path / "data", "toxicity"), weights_digest="w1")
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    head = load_head(out, "w1")
    assert (head.name, head.thresholds) == ("toxicity", {"hateful": 0.5})
    rows = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
    assert np.abs(head.scores(rows) - WEIGHTS.scores(rows)).max() < 0.02


def test_what_each_head_learned_from_is_in_its_manifest(tmp_path: Path) -> None:
    for name, recipe in HEADS.items():
        out = tmp_path / recipe.folder.name
        write(out, name, WEIGHTS, data=sources(tmp_path / "data", name), weights_digest="w1")
        made, shipped = open_artifact(out, rebuild=""), open_artifact(recipe.folder, rebuild="")
        assert made.facts["sources"].keys() == shipped.facts["sources"].keys()
        first = recipe.sources[0]
        assert made.facts["sources"][first] == hashlib.sha256(first.encode()).hexdigest()
        assert (made.name, made.rebuild) == (shipped.name, shipped.rebuild)
        assert made.facts["thresholds"] == shipped.facts["thresholds"]


def test_the_command_trains_one_head_on_demand() -> None:
    args = parser().parse_args(["train", "--data", "sets", "--only", "toxicity"])
    assert (args.only, args.out) == (["toxicity"], None)


def test_the_late_interaction_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    with np.load(LATE_DIR / "head.npz") as kept:
        parts = {name: kept[name].astype(np.float32) for name in kept.files}
    write_late(tmp_path / "late", parts, "w1")
    made, shipped = open_artifact(tmp_path / "late", rebuild=""), open_artifact(LATE_DIR, rebuild="")
    assert made.facts == shipped.facts
    assert load_late_head(tmp_path / "late", "w1").dimension == 128
