"""The verdict on an adapter is what an honest statistician would say of constructed reports."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.suites import adapter as suite
from finetune.lora.paired import (
    chance_above,
    chance_below,
    chance_difference_above,
    difference_of,
    mcnemar,
    share_of,
)
from finetune.lora.parity import Gap, Parity
from finetune.lora.prove import Measured, Verdict, judge, prove
from finetune.lora.recipe import Gate
from finetune.lora.reports import CaseResult, Report, measure, read_report
from finetune.yaml_file import TrainingDataError
from tests.finetune.lora.made import BASE, registered

NOISE = Gap(0.02, 0.99)
SAME = Parity(600, NOISE, Gap(0.4, 0.8), merged=Gap(0.015, 0.995))
WELL = Measured(base=BASE, parity=SAME, forgetting=0.01)
GATE = Gate.model_validate({})
SETS = {"demo": (60, 28), "xquad.en": (100, 60)}


def report(
    model: str,
    *,
    contains: float = 0.25,
    no_context: float = 0.05,
    markers: float = 0.0,
    cited_right: float = 0.0,
    recall: float = 0.0,
    false: float = 0.0,
    loops: int = 0,
    leaks: int = 0,
    obeyed: float = 0.1,
    stereotyped: float = 0.2,
    sizes: dict[str, tuple[int, int]] = SETS,
) -> Report:
    """Cases with these shares, spread so that two reports agree where they can."""
    cases = []
    for name, (closed, open_ones) in sizes.items():
        for number in range(closed + open_ones):
            answerable = number < closed
            place, of = (number, closed) if answerable else (number - closed, open_ones)
            # Who abstains is taken from the end, and who answers rightly from the beginning.
            abstained = place >= of - round(of * (false if answerable else recall))
            cases.append(
                CaseResult(
                    set=name,
                    id=str(number),
                    answerable=answerable,
                    contains=answerable and place < round(of * contains),
                    markers=not abstained and place < round(of * markers),
                    cited_right=answerable and not abstained and place < round(of * cited_right),
                    abstained=abstained,
                    loops=len(cases) < loops,
                    leaks=len(cases) < leaks,
                    words=12,
                    no_context=place < round(of * no_context) if answerable else None,
                    extractive=place < round(of * 0.9) if answerable else None,
                )
            )
    return Report(
        layout=1,
        model=model,
        prompt="brief",
        prompt_digest="p",
        cases=cases,
        orders={str(n): n < round(36 * obeyed) for n in range(36)},
        bias={str(n): n < round(60 * stereotyped) for n in range(60)},
    )


LEARNED: dict[str, Any] = {
    "contains": 0.6, "markers": 1.0, "cited_right": 0.7, "recall": 0.8, "false": 0.15,
}  # fmt: skip


def base() -> Report:
    return report("small", loops=50, leaks=5)


def verdict(measured: Measured = WELL, *, own_base: str = BASE, **changes: Any) -> Verdict:
    return judge(base(), report("shop", **{**LEARNED, **changes}), GATE, measured, own_base=own_base)


def states(found: Verdict, state: str) -> set[str]:
    return {f"{one.set}:{one.gate}" for one in found.findings if one.state == state}


def test_an_adapter_that_meets_every_gate_and_is_surely_better_passes() -> None:
    found = verdict()
    assert found.outcome == "pass"
    assert states(found, "pass") == {f"{one.set}:{one.gate}" for one in found.findings}
    assert found.extractive == {"demo": 0.9, "xquad.en": 0.9}
    assert "no chance" in found.sentence


def test_one_that_is_better_by_chance_is_undecided() -> None:
    found = verdict(contains=0.3)
    assert found.outcome == "cannot_tell"
    assert states(found, "open") >= {"demo:contains"}
    assert not states(found, "fail")
    assert "18 answers" not in found.sentence
    assert "On demo 18 of 60 answers hold the right one, the base's 15" in found.sentence


def test_one_that_is_surely_worse_fails() -> None:
    found = verdict(contains=0.02)
    assert found.outcome == "fail"
    assert states(found, "fail") == {"demo:contains", "xquad.en:contains"}
    assert "This is surely beyond the limit." in found.sentence


@pytest.mark.parametrize(
    ("changes", "gate", "state"),
    [
        ({"markers": 0.75}, "markers", "open"),
        ({"markers": 0.5}, "markers", "fail"),
        ({"cited_right": 0.5}, "cited_right", "open"),
        ({"cited_right": 0.1}, "cited_right", "fail"),
        ({"recall": 0.6}, "abstention.recall", "open"),
        ({"recall": 0.1}, "abstention.recall", "fail"),
        ({"false": 0.3}, "abstention.false", "open"),
        ({"false": 0.7, "contains": 0.3}, "abstention.false", "fail"),
        ({"no_context": 0.2}, "no_context", "open"),
        ({"no_context": 0.5}, "no_context", "fail"),
    ],
)
def test_a_share_beyond_its_limit_is_undecided_until_it_is_sure(
    changes: dict[str, Any], gate: str, state: str
) -> None:
    found = verdict(**changes)
    assert f"xquad.en:{gate}" in states(found, state)
    assert found.outcome == ("fail" if state == "fail" else "cannot_tell")


def test_a_memorising_adapter_is_blocked_whatever_else_it_does() -> None:
    found = verdict(contains=0.95, cited_right=0.84, no_context=0.9)
    assert found.outcome == "fail"
    assert states(found, "fail") == {"demo:no_context", "xquad.en:no_context"}
    assert "without any passage" in found.sentence


def test_one_that_does_nothing_is_blocked_by_the_difference() -> None:
    nothing = replace(SAME, difference=Gap(0.0, 1.0))
    found = judge(base(), base(), GATE, replace(WELL, parity=nothing), own_base=BASE)
    assert found.outcome == "fail"
    assert "all:difference" in states(found, "fail")
    assert states(found, "open") >= {"demo:contains", "xquad.en:contains"}, "it is neither better nor worse"


def test_one_of_another_base_is_blocked_by_the_digest() -> None:
    found = verdict(own_base="c" * 64)
    assert (found.outcome, states(found, "fail")) == ("fail", {"all:base"})
    assert verdict(replace(WELL, base=None)).outcome == "cannot_tell"


@pytest.mark.parametrize(
    ("measured", "gate", "state"),
    [
        (replace(WELL, parity=None), "parity", "open"),
        (replace(WELL, parity=replace(SAME, merged=None)), "parity", "open"),
        (replace(WELL, parity=replace(SAME, server=Gap(0.05, 0.9))), "parity", "fail"),
        (replace(WELL, forgetting=0.2), "forgetting", "fail"),
        (replace(WELL, forgetting=float("nan")), "forgetting", "fail"),
        (replace(WELL, forgetting=None), "forgetting", "open"),
    ],
)
def test_what_is_served_must_be_what_was_trained(measured: Measured, gate: str, state: str) -> None:
    found = verdict(measured)
    assert states(found, state) == {f"all:{gate}"}
    assert found.outcome == ("fail" if state == "fail" else "cannot_tell")


def test_one_leak_is_one_too_many_and_one_loop_is_none() -> None:
    assert states(verdict(leaks=1), "fail") == {"all:leaks"}
    assert verdict(loops=2).outcome == "pass", "two of 248"
    assert states(verdict(loops=5), "open") == {"all:loops"}
    assert states(verdict(loops=40), "fail") == {"all:loops"}


def test_orders_and_stereotypes_may_not_surely_become_more() -> None:
    assert verdict(obeyed=0.15, stereotyped=0.25).outcome == "pass"
    assert states(verdict(obeyed=0.7), "fail") == {"all:orders"}
    assert states(verdict(stereotyped=0.6), "fail") == {"all:bias"}


def test_one_that_never_answers_is_not_let_through() -> None:
    found = verdict(contains=0.0, markers=0.0, cited_right=0.0, recall=1.0, false=1.0)
    assert found.outcome == "fail"
    assert "demo:abstention.false" in states(found, "fail")
    assert "demo:markers" in states(found, "open")


def test_shuffled_answers_fail_and_too_few_cases_cannot_tell() -> None:
    shuffled = verdict(contains=0.1, cited_right=0.2)
    assert shuffled.outcome == "fail"
    sizes = {"demo": (6, 3)}
    few = judge(
        report("small", sizes=sizes), report("shop", sizes=sizes, **LEARNED), GATE, WELL, own_base=BASE
    )
    assert few.outcome == "cannot_tell"


def test_an_adapter_like_its_base_seldom_fails_by_chance() -> None:
    """At the limits of every share and as good as its base, so that all that is seen is chance."""
    rng = random.Random(7)
    outcomes = []
    for _ in range(200):
        found = [
            CaseResult(
                set="demo", id=str(n), answerable=n < 60, contains=n < 60 and rng.random() < 0.25,
                markers=rng.random() < 0.95, cited_right=rng.random() < 0.65, abstained=False,
                loops=rng.random() < 0.01, leaks=False, words=12, no_context=rng.random() < 0.05,
            )
            for n in range(88)
        ]  # fmt: skip
        other = [one.model_copy(update={"contains": one.answerable and rng.random() < 0.25}) for one in found]
        reports = [
            Report(layout=1, model=name, prompt="brief", prompt_digest="p", cases=cases)
            for name, cases in (("small", other), ("shop", found))
        ]
        lenient = GATE.model_copy(update={"abstention_recall": 0.0})
        outcomes.append(judge(reports[0], reports[1], lenient, WELL, own_base=BASE).outcome)
    assert outcomes.count("fail") <= 0.05 * len(outcomes)
    assert outcomes.count("pass") <= 0.05 * len(outcomes)


def test_reports_on_other_cases_are_not_compared() -> None:
    other = report("shop", sizes={"demo": (59, 28)})
    with pytest.raises(TrainingDataError, match="other cases"):
        judge(base(), other, GATE, WELL, own_base=BASE)
    prompted = base().model_copy(update={"prompt_digest": "q"})
    with pytest.raises(TrainingDataError, match="another prompt"):
        judge(base(), prompted, GATE, WELL, own_base=BASE)


def test_the_proof_stands_in_the_manifest_and_the_card(tmp_path: Path) -> None:
    one = registered(tmp_path)
    found = prove(one, base(), report("shop", **{**LEARNED, "contains": 0.3}), WELL, GATE)
    from finetune.lora.registry import open_adapter

    known = open_adapter(one.folder)
    assert known.status == "undecided"
    assert known.facts["proof"]["sentence"] == found.sentence
    assert known.facts["proof"]["parity"]["merged"]["mean"] == 0.015
    assert "| demo | contains | 0.300 |" in (one.folder / "CARD.md").read_text()


def test_what_the_suite_writes_is_what_is_read(tmp_path: Path) -> None:
    one = suite.CaseReport(
        "demo", "1", True, True, True, False, False, False, False, 3, "It is. [1]", no_context=False, extractive=True
    )  # fmt: skip

    class Context:
        report = tmp_path / "report.json"
        assistant = "support"

        class scope:
            assistants = {"support": type("A", (), {"instructions": ""})}

    suite._write(Context, "shop@1", "brief", [one], {"order-0": True}, {"x": False})  # type: ignore[arg-type]
    found = read_report(tmp_path / "report.json")
    assert found.cases[0].model_dump() == {name: getattr(one, name) for name in one.__slots__}
    assert (found.model, found.orders, found.bias) == ("shop@1", {"order-0": True}, {"x": False})


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no JSON"), ("{}", "no report"), ('{"cases": [{"id": 1}]}', "no report")],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(TrainingDataError, match=said):
        read_report(tmp_path / "r.json")
    with pytest.raises(TrainingDataError, match="can't be read"):
        read_report(tmp_path / "none.json")
    newer = base().model_dump() | {"layout": 2}
    (tmp_path / "r.json").write_text(json.dumps(newer))
    with pytest.raises(TrainingDataError, match="layout 2"):
        read_report(tmp_path / "r.json")


def test_the_suite_runs_as_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        asked.append(command)
        out = Path(command[command.index("--report") + 1])
        out.write_text(base().model_dump_json())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    found = measure("http://x/v1", tmp_path / "new" / "r.json", model="shop@1", prompt="brief", sample=3)
    assert found == base()
    assert asked[0][:5] == [sys.executable, "-m", "evals", "run", "adapter"]
    assert asked[0][-6:] == ["--adapter", "shop@1", "--prompt", "brief", "--sample", "3"]

    def fails(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, 1, "", "noise\nthe server gave no answers\n")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(TrainingDataError, match="failed: the server gave no answers"):
        measure("http://x/v1", tmp_path / "r.json", model="shop@1")


def test_exact_tests_are_exact() -> None:
    # Six that gained and none that lost: 2 / 2**6.
    assert mcnemar([(True, False)] * 6 + [(True, True)] * 9) == pytest.approx(2 / 64)
    assert mcnemar([(True, True)] * 9) == 1
    assert chance_below(0, 10, 0.5) == pytest.approx(1 / 1024)
    assert chance_above(10, 10, 0.5) == pytest.approx(1 / 1024)
    assert [chance_above(0, 9, 0.0), chance_above(1, 9, 0.0)] == [1, 0]
    found = share_of(8, 10)  # Wilson's interval of 8 in 10, as in the textbooks
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_the_interval_of_a_difference_covers_it() -> None:
    rng = random.Random(3)
    covered = 0
    for _ in range(400):
        pairs = []
        for _ in range(60):
            hard = rng.random()
            pairs.append((hard < 0.5, hard < 0.2 if rng.random() < 0.8 else rng.random() < 0.2))
        found = difference_of(pairs)
        assert -1 <= found.low <= found.value <= found.high <= 1
        covered += found.low <= 0.3 <= found.high
    assert 0.93 <= covered / 400 <= 0.99


def test_a_difference_above_a_limit_is_found_when_it_is_sure() -> None:
    same = [(True, True)] * 30 + [(False, False)] * 30
    assert chance_difference_above(same, 0.1) == 1
    few = [(True, False)] * 2 + same[:8]
    many = [(True, False)] * 40 + same
    assert 0.05 < chance_difference_above(few, 0.1) < 0.5
    assert chance_difference_above(many, 0.1) < 1e-4
    low = chance_difference_above(many, 0.3)
    assert difference_of(many, confidence=1 - 2 * low).low == pytest.approx(0.3, abs=1e-6)
