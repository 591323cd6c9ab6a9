"""What a message tells people to do can be done."""

import re

from tests.conftest import ROOT

_FILE = re.compile(r"requirements/[\w.-]+\w")


def test_a_file_that_a_message_names_is_there() -> None:
    named = {
        (name, path)
        for package in ("ingestion", "service", "finetune", "evals")
        for path in (ROOT / package).rglob("*.py")
        for name in _FILE.findall(path.read_text("utf-8"))
    }
    assert {(name, str(path)) for name, path in named if not (ROOT / name).is_file()} == set()
