"""The base model is asked once, and again when the cases changed meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from finetune.lora import cycle as module
from finetune.lora.cycle import Cycle
from finetune.lora.reports import CaseResult, Report, is_of_same_cases
from service.settings import Settings
from tests.finetune.lora.made import recipe


def report(model: str, *ids: str) -> Report:
    cases = [
        CaseResult(
            set="demo", id=one, answerable=True, contains=True, markers=True, cited_right=True, abstained=False,
            loops=False, leaks=False, words=5,
        )
        for one in ids
    ]  # fmt: skip
    return Report(layout=1, model=model, prompt="brief", prompt_digest="p", cases=cases)


def test_reports_on_other_cases_are_no_pair() -> None:
    assert is_of_same_cases(report("base", "a", "b"), report("adapter", "a", "b"))
    assert not is_of_same_cases(report("base", "a"), report("adapter", "a", "b"))


def test_a_report_is_read_again_unless_it_is_asked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    @contextmanager
    def served(model: Path, log: Path, options: tuple[str, ...] = ()) -> Iterator[str]:
        yield f"http://{model.name}"

    def measure(url: str, path: Path, **_: Any) -> Report:
        asked.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = report("base", *(str(number) for number in range(len(asked))))
        path.write_text(found.model_dump_json())
        return found

    monkeypatch.delenv("TOUCHSTONE_DATA", raising=False)
    monkeypatch.setattr(module, "served", served)
    monkeypatch.setattr(module, "measure", measure)
    own = Cycle(recipe(), Settings(data_dir=tmp_path))
    reports = [
        own._report(Path("model"), "base", "0123456789abcdef", is_anew=anew) for anew in (False, False, True)
    ]
    assert [len(one.cases) for one in reports] == [1, 1, 2]
    assert asked == ["http://model"] * 2
