"""The whole way in one command, killed in the middle of its training, to a real vLLM that serves what came of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune.lora.server import AdapterServer
from tests.conftest import ROOT, SCOPE, Demo, wait_until
from tests.service.answer.test_vllm import VENV, Vllm

pytestmark = pytest.mark.vllm
RECIPE = ROOT / "finetune/lora/recipes/demo.yaml"
STEPS = ["prepare", "train", "prove", "publish"]


def command(name: str, recipe: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "finetune", name, str(recipe), *options]


def done(words: list[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)


def test_a_cycle_that_is_killed_goes_on_and_leaves_a_canary(vllm: Vllm, demo: Demo, tmp_path: Path) -> None:
    raw = yaml.safe_load(RECIPE.read_text())
    raw["publication"] = {"server": vllm.url}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(raw))
    # What the scope names lies beside the demo's own file.
    told = SCOPE.read_text().replace("deploy/demo/", f"{ROOT}/deploy/demo/")
    (tmp_path / "touchstone.yaml").write_text(told)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/collections").symlink_to(demo.data_dir / "collections")
    env = {
        **os.environ,  # noqa: TID251
        "TOUCHSTONE_DATA_DIR": str(tmp_path / "data"),
        "TOUCHSTONE_SCOPE_FILE": str(tmp_path / "touchstone.yaml"),
        "TOUCHSTONE_VLLM_VENV": str(VENV),
    }
    env.pop("TOUCHSTONE_DATA", None)
    state = tmp_path / "data/finetune/demo-quick"
    words = command("cycle", recipe, "--quick", "--apply", "--by", "Ana", "--reason", "a rehearsal")

    with (tmp_path / "log").open("wb") as log:
        first = subprocess.Popen(words, env=env, cwd=ROOT, stdout=log, stderr=log)
    wait_until(lambda: first.poll() is not None or bool(list(state.glob("runs/*/curves.jsonl"))), seconds=300)
    assert first.poll() is None, (tmp_path / "log").read_text()[-2000:]
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert list(state.glob("runs/*/curves.jsonl")), (tmp_path / "log").read_text()[-2000:]

    ended = done(words, env)
    assert ended.returncode == 0, ended.stderr[-3000:]
    name, verdict = ended.stdout.splitlines()[0].split(": ")
    (record,) = state.glob("cycles/*.json")
    found: dict[str, Any] = json.loads(record.read_text())
    assert list(found["steps"]) == STEPS
    # So few rows and cases prove nothing, and nobody may say that they do.
    assert verdict in ("fail", "cannot tell")
    assert found["steps"]["prove"]["verdict"] == verdict
    assert name in [one.name for one in AdapterServer(vllm.url).models()]
    scope = yaml.safe_load((tmp_path / "touchstone.yaml").read_text())
    assert any(name in json.dumps(variant) for variant in scope["variants"].values())
    assert scope["experiments"]

    again = done(words, env)
    assert again.returncode == 0, again.stderr[-3000:]
    assert json.loads(record.read_text()) == found, "nothing is done twice"

    back = done(command("rollback", recipe, "--adapter", name, "--by", "Ana", "--reason", "enough"), env)
    assert back.returncode == 0, back.stderr[-3000:]
    assert name not in [one.name for one in AdapterServer(vllm.url).models()]
