"""A choice follows from the stated weights and limits alone, and says of every candidate why it is where it is."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from finetune.lora.choose import Choice, Measured, load_choice, verdict, weigh
from finetune.lora.decision import write_decision
from finetune.lora.licences import decide_one
from finetune.yaml_file import TrainingDataError

FILE: dict[str, Any] = {
    "question": "Who writes the answers of the help centre?",
    "who": "Ana Ruiz, head of service",
    "weights": {"quality": 3, "total_s": 1},
    "scales": {"total_s": {"worst": 10, "best": 0}},
    "candidates": [
        {"name": name, "endpoint": f"http://127.0.0.1:1/{name}", "licence": licence}
        for name, licence in (("small", "Apache-2.0"), ("large", "MIT"), ("closed", "CC-BY-NC-4.0"))
    ],
}


def choice(**changes: Any) -> Choice:
    return Choice.model_validate({**FILE, **changes})


def measured(
    made: Choice,
    name: str,
    *,
    figures: dict[str, Any] | None = None,
    problem: str | None = None,
    **values: float,
) -> Measured:
    candidate = next(one for one in made.candidates if one.name == name)
    licence = decide_one(made.licences, candidate.licence, name)
    return Measured(candidate, licence, "model", values, figures or {}, problem)  # type: ignore[arg-type]


def test_a_score_is_the_weighted_mean_of_what_values_count() -> None:
    made = choice()
    small, large = (
        measured(made, "small", quality=0.5, total_s=2),
        measured(made, "large", quality=0.8, total_s=5),
    )
    first, second = weigh(made, [small, large])
    assert first.measured is large
    assert first.score == pytest.approx((3 * 0.8 + 1 * 0.5) / 4)
    assert second.parts == {"quality": 0.5, "total_s": 0.8}
    fast = choice(weights={"quality": 1, "total_s": 9})
    assert weigh(fast, [small, large])[0].measured is small


def test_beyond_the_ends_of_a_scale_nothing_more_is_gained_and_the_unknown_counts_as_the_worst() -> None:
    made = choice()
    (one,) = weigh(made, [measured(made, "small", total_s=30)])
    assert one.parts == {"quality": None, "total_s": 0.0}
    assert one.score == 0.0


@pytest.mark.parametrize(
    ("limits", "values", "fault"),
    [
        ({"quality": {"least": 0.6}}, {"quality": 0.5}, "quality is 0.5, and 0.6 is the least"),
        ({"total_s": {"most": 3}}, {"quality": 1, "total_s": 4}, "total_s is 4, and 3 is the most"),
        ({"context_tokens": {"least": 4096}}, {"quality": 1}, "context_tokens is not known"),
        ({"licence": {"least": 1}}, {"quality": 1}, None),
    ],
)
def test_a_limit_disqualifies_whatever_the_rest_is(
    limits: dict[str, Any], values: dict[str, float], fault: str | None
) -> None:
    made = choice(limits=limits)
    (one,) = weigh(made, [measured(made, "small", **values)])
    assert one.faults == ((fault,) if fault else ())
    assert (one.score is None) == (fault is not None)


def test_what_couldnt_be_measured_and_what_is_refused_comes_last_with_its_reason() -> None:
    made = choice()
    away = measured(made, "large", problem="'http://…' can't be reached: refused.")
    found = weigh(made, [measured(made, "closed", quality=1), away, measured(made, "small", quality=0.1)])
    assert [one.measured.candidate.name for one in found] == ["small", "closed", "large"]
    assert "forbids commercial use" in found[1].faults[0]
    assert "can't be reached" in found[2].faults[0]
    assert verdict(found) == "'small' is the only one that is not out."
    assert "None of the candidates" in verdict(found[1:])


def test_a_lead_that_is_none_is_told_so() -> None:
    made = choice()
    interval = {"demo.generated.bare.contains": {"value": 0.5, "low": 0.4, "high": 0.6}}
    other = {"demo.generated.bare.contains": {"value": 0.9, "low": 0.8, "high": 1.0}}
    tokens = {"demo.generated.tokens": {"value": 9.0, "low": 8.0, "high": 10.0}}
    more = {"demo.generated.tokens": {"value": 90.0, "low": 80.0, "high": 100.0}}

    def told(figures: dict[str, Any], beside: dict[str, Any], quality: float) -> str:
        pair = [
            measured(made, "small", quality=0.5, total_s=1, figures=figures),
            measured(made, "large", quality=quality, total_s=1, figures=beside),
        ]
        return verdict(weigh(made, pair))

    assert "are equals" in told(interval, interval, 0.5)
    assert "can't be told apart" in told(interval | tokens, interval | more, 0.6)
    assert told(interval, other, 0.9) == "'large' leads 'small' by 0.300."


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"scales": {}}, "total_s"),
        ({"scales": {"total_s": {"worst": 1, "best": 1}}}, "nothing can be told apart"),
        ({"weights": {"taste": 1}}, "taste"),
        ({"weights": {"quality": 0}}, "quality"),
        ({"who": ""}, "who"),
        ({"candidates": []}, "candidates"),
        ({"candidates": FILE["candidates"][:1] * 2}, "needed once"),
        ({"wieghts": {}}, "wieghts"),
    ],
)
def test_a_file_that_decides_nothing_is_refused_by_key(
    tmp_path: Path, change: dict[str, Any], names: str
) -> None:
    path = tmp_path / "choice.yaml"
    path.write_text(json.dumps({**FILE, **change}))
    with pytest.raises(TrainingDataError, match=names):
        load_choice(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"choice\.yaml"):
        load_choice(tmp_path / "choice.yaml")


def test_a_decision_is_written_down_with_everything_it_rests_on(tmp_path: Path) -> None:
    made = choice(limits={"total_s": {"most": 8}})
    weighed = weigh(
        made,
        [
            measured(made, "small", quality=0.5, total_s=2),
            measured(made, "large", quality=0.9, total_s=9),
            measured(made, "closed", problem="x|y"),
        ],
    )
    page, record = write_decision(tmp_path, "who", made, weighed, date(2026, 3, 1))
    told, kept = page.read_text(), json.loads(record.read_text())
    assert "Decided by Ana Ruiz, head of service on 2026-03-01. 'small' is the only one" in told
    assert "| small | 0.5 (0.50) | 2 (0.80) | **0.575** |" in told
    assert "| large | 0.9 (0.90) | 9 (0.10) | out |" in told
    assert "- large is out: total_s is 9, and 8 is the most" in told
    assert "forbids commercial use" in told
    assert (kept["chosen"], kept["who"], kept["weights"]) == ("small", made.who, made.weights)
    assert len(kept["candidates"]) == 3
    again, _ = write_decision(tmp_path, "who", made, weighed, date(2026, 3, 1))
    assert (page.name, again.name) == ("who-2026-03-01.md", "who-2026-03-01-2.md")
    assert page.read_text() == told
