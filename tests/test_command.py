"""The command `touchstone`: it leads to every package's commands, from any folder, also in processes that it starts."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import touchstone
from tests.conftest import ROOT, SCOPE
from tests.service.processes import environment


def run(folder: Path, *words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """As the console script does it: the module is found and nothing else of the checkout."""
    code = f"import importlib.util as u, sys; s = u.spec_from_file_location('touchstone', {str(ROOT / 'touchstone.py')!r});"
    code += " m = u.module_from_spec(s); s.loader.exec_module(m); sys.exit(m.main())"
    command = [sys.executable, "-P", "-c", code, *words]
    return subprocess.run(command, cwd=folder, env=environment(**settings), capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--help"], "touchstone serve"),
        (["serve", "--help"], "usage: touchstone serve"),
        (["keys", "--help"], "usage: touchstone keys"),
        (["service", "db", "--help"], "usage: touchstone db"),
        (["ingestion", "run", "--help"], "usage: touchstone ingestion run"),
        (["evals", "bench", "--help"], "usage: touchstone evals bench"),
        (["finetune", "train", "--help"], "usage: touchstone finetune train"),
    ],
    ids=" ".join,
)
def test_it_leads_to_every_packages_commands_from_any_folder(
    words: list[str], says: str, tmp_path: Path
) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout


def test_without_a_command_it_says_which_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert touchstone.main([]) == 2
    assert str(ROOT) in capsys.readouterr().out


def test_a_file_of_the_current_folder_takes_no_packages_place(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__main__.py").write_text("raise SystemExit('the wrong one')")
    assert run(tmp_path, "keys", "--help").returncode == 0


def test_documents_come_in_from_another_folder_by_processes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.md").write_text("# One\n\nThe quagga lives in Amsterdam.")
    scope = yaml.safe_load(SCOPE.read_text())
    scope["collections"]["help"]["index"] = {}
    (tmp_path / "touchstone.yaml").write_text(yaml.safe_dump(scope))
    used = {"data_dir": tmp_path / "data"}
    done = run(tmp_path, "ingestion", "run", "notes", "--json", **used)
    assert done.returncode == 0, done.stderr
    listed = run(tmp_path, "ingestion", "releases", **used)
    assert "1 documents" in listed.stdout
