"""Adapters are named by their content, know their rows and their base, and have a card made of their manifest."""

import json
import shutil
from pathlib import Path

import pytest

from finetune.lora import registry
from finetune.lora.card import render_card
from finetune.lora.registry import adapters_in, adapters_with, note, open_adapter, register
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora.made import BASE, registered, row, safetensors, tensors, trained

GOLDEN = Path(__file__).with_name("card.md")


def test_the_same_files_are_the_same_adapter_on_every_machine(tmp_path: Path) -> None:
    one = registered(tmp_path / "here" / "shop", target_modules=["q_proj", "v_proj"])
    other = registered(tmp_path / "there" / "shop", target_modules=["v_proj", "q_proj"])
    assert one.name == other.name
    assert one.name.startswith("shop@")
    assert len(one.name) == len("shop@") + 12
    weights = safetensors(tensors(value=0.25))
    assert registered(tmp_path / "else" / "shop", weights=weights).name != one.name


def test_an_adapter_that_is_there_stays(tmp_path: Path) -> None:
    one = note(registered(tmp_path), status="proved")
    assert registered(tmp_path).status == "proved"
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == [one.name]


def test_the_manifest_tells_where_it_came_from(tmp_path: Path) -> None:
    facts = registered(tmp_path).facts
    assert facts["base"] == {"digest": BASE, "served_as": "small", "licence": "Apache-2.0"}
    assert facts["dataset"]["rows"] == 3
    assert facts["dataset"]["unanswerable"] == 1
    assert facts["licences"] == ["internal"]
    assert facts["recipe"]["training"]["rank"] == 32
    assert facts["training"]["forgetting"] == 0.01
    assert set(facts["versions"]) >= {"torch", "peft", "transformers", "python"}
    assert (facts["status"], facts["proof"]) == ("trained", None)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    one = registered(tmp_path)
    (one.folder / "adapter_model.safetensors").write_bytes(safetensors(tensors(value=9)))
    with pytest.raises(TrainingDataError, match="differs from its manifest"):
        open_adapter(one.folder)


def test_another_name_is_refused(tmp_path: Path) -> None:
    one = registered(tmp_path)
    moved = shutil.move(one.folder, one.folder.with_name("shop@000000000000"))
    with pytest.raises(TrainingDataError, match="Give it that name"):
        open_adapter(Path(moved))


def test_an_adapter_of_another_base_is_refused_by_its_digest(tmp_path: Path) -> None:
    one = registered(tmp_path)
    one.check_base(BASE)
    with pytest.raises(
        TrainingDataError, match="trained on the base 'bbbbbbbbbbbb', and this one is 'cccccccccccc'"
    ):
        one.check_base("c" * 64)


def test_a_folder_without_an_adapter_is_no_adapter(tmp_path: Path) -> None:
    folder = trained(tmp_path / "trained")
    (folder / "adapter_config.json").unlink()
    with pytest.raises(TrainingDataError, match=r"adapter_config\.json is missing"):
        register(tmp_path / "adapters", folder, None)  # type: ignore[arg-type]
    assert not (tmp_path / "adapters").exists()


def test_who_learned_from_a_source_is_named(tmp_path: Path) -> None:
    first = registered(tmp_path / "shop")
    rows = [row(1, document="prices.md"), row(2, document="kept.md", split="development")]
    second = registered(tmp_path / "other", rows=rows, weights=safetensors(tensors(value=2)))
    assert [one.name for one in adapters_in(tmp_path)] == [second.name, first.name]
    assert adapters_with(tmp_path, "other.md") == [first.name]
    assert adapters_with(tmp_path, "prices.md") == [second.name]
    assert adapters_with(tmp_path, "kept.md") == [], "it was measured on it, and learned nothing from it"
    shutil.rmtree(tmp_path / "other" / "datasets")
    assert adapters_with(tmp_path, "other.md") == [second.name, first.name], "nobody can say that it didn't"


def test_the_card_is_made_of_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_version", lambda package: "1.0")
    monkeypatch.setattr(registry, "processor_flags", lambda: ["avx2"])
    monkeypatch.setattr("platform.python_version", lambda: "3.11.9")
    one = registered(tmp_path)
    finding = {
        "gate": "contains", "set": "demo", "state": "pass", "value": 0.6, "limit": "above the base's",
        "sentence": "Better.", "low": 0.47, "high": 0.71, "n": 60, "base": 0.25,
    }  # fmt: skip
    proof = {
        "verdict": "cannot_tell",
        "sentence": "Nobody can tell.",
        "findings": [finding],
        "extractive": {"demo": 0.92},
    }
    publication = {"approved_by": "Ada", "reason": "A pilot."}
    one = note(one, status="published", proof=proof, publication=publication)
    card = (one.folder / "CARD.md").read_text()
    assert card == render_card(json.loads((one.folder / "manifest.json").read_text()))
    # Other fields of recipes and rows give other digests, and the same card.
    digests = {one.facts["recipe_digest"]: "RECIPE", one.facts["dataset"]["digest"][:12]: "DATASET"}
    for digest, word in digests.items():
        card = card.replace(digest, word)
    assert card == GOLDEN.read_text(), "the card has changed: if it was meant, write it anew"
