"""The command line: it starts without the extra, says in one line what a person can mend, and does what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finetune.__main__ import main, parser
from tests.conftest import ROOT, SCOPE, Demo
from tests.finetune.lora.made import registered

RECIPE = str(ROOT / "finetune/lora/recipes/demo.yaml")
COMMANDS = "adapters base choose cycle merge prepare prove publish rollback search tokens train".split()


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOUCHSTONE_SCOPE_FILE", str(SCOPE))


def test_it_starts_without_the_libraries_of_training() -> None:
    code = (
        "import sys, finetune.__main__ as m; m.parser().format_help();"
        "print(sorted({'torch', 'transformers', 'peft', 'trl', 'optuna', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            parser().parse_args([command, "--help"])
    assert capsys.readouterr().out.count("show this help") == len(COMMANDS)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in ("choose", "rollback", "search")])
def test_a_missing_recipe_is_one_line_and_status_1(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "none.yaml"]) == 1
    assert (
        capsys.readouterr().err == "error: The recipe 'none.yaml' can't be read: No such file or directory.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["search", RECIPE], "--seconds"),
        (["search", RECIPE, "--seconds", "9", "--metric", "beauty"], "beauty"),
        (["search", RECIPE, "--seconds", "9", "--trials", "0"], "--trials"),
        (["rollback", RECIPE], "--adapter"),
        (["teach", RECIPE], "teach"),
    ],
)
def test_a_wrong_command_line_is_refused_by_name(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["publish", RECIPE, "--by", "Ana"], "--by NAME --reason WHY"),
        (["rollback", RECIPE, "--adapter", "demo@0"], "--by NAME --reason WHY"),
        (["rollback", RECIPE, "--adapter", "demo@0", "--by", "Ana", "--reason", "bad"], "'demo@0'"),
        (["choose", "none.yaml"], "'none.yaml'"),
        (["search", RECIPE, "--seconds", "9", "--space", "none.yaml"], "'none.yaml'"),
    ],
)
def test_what_a_person_can_mend_is_told(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert named in told
    assert told.count("\n") == 1


def test_a_recipe_without_adapters_lists_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", RECIPE]) == 0
    assert main(["adapters", RECIPE, "--source", "orders.md"]) == 0
    assert capsys.readouterr().out == "There is no adapter yet.\nNo adapter learned from 'orders.md'.\n"


def test_adapters_are_found_where_training_leaves_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = registered(tmp_path / "data/finetune/demo-quick")
    assert main(["adapters", RECIPE]) == 0
    assert capsys.readouterr().out == f"{adapter.name}  trained\n"
    back = ["rollback", RECIPE, "--adapter", adapter.name, "--by", "Ana", "--reason", "bad"]
    assert main(back) == 1
    assert "isn't published: there is nothing to roll back" in capsys.readouterr().err


def test_a_choice_with_nobody_to_choose_is_written_down_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "writer.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "question": "Who writes?",
                "who": "Ana",
                "weights": {"quality": 1},
                "candidates": [
                    {"name": "away", "endpoint": "http://127.0.0.1:9/v1", "licence": "MIT"},
                    {"name": "closed", "endpoint": "http://127.0.0.1:9/v1", "licence": "CC-BY-NC-4.0"},
                ],
            }
        )
    )
    assert main(["choose", str(file), "--out", str(tmp_path / "decisions")]) == 0
    told = capsys.readouterr().out
    assert "None of the candidates does" in told
    assert "can't be reached" in told
    assert "forbids commercial use" in told
    (record,) = (tmp_path / "decisions").glob("writer-*.json")
    assert json.loads(record.read_text())["chosen"] is None


@pytest.mark.models
def test_the_tokenizer_is_measured_on_cleared_documents_and_terms_make_a_new_base(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="needs the extra `finetune`")
    from tests.finetune.lora.small_model import write_base

    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(demo.data_dir))
    base = write_base(tmp_path / "base")
    raw = yaml.safe_load(Path(RECIPE).read_text())
    raw["base"] |= {"path": str(base), "digest": None}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(raw))
    assert main(["tokens", str(recipe), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["domain"]["words"] > 5_000
    assert (
        main(["tokens", str(recipe), "--add", "Larkmoor", "--steps", "2", "--out", str(tmp_path / "new")])
        == 0
    )
    assert "1 terms" in capsys.readouterr().out
    assert main(["base", str(recipe)]) == 0
    assert "licence: Apache-2.0, allowed" in capsys.readouterr().out
    assert main(["tokens", str(recipe), "--add", "Larkmoor"]) == 1
    assert "--out FOLDER" in capsys.readouterr().err
