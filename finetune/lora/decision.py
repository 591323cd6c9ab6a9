"""A choice as it is written down: a page for people and the same as JSON, with date, weights, and who decided."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from finetune.lora.choose import ABOUT, CRITERIA, Choice, Weighed, verdict
from ingestion.atomic import write_atomically


def write_decision(
    folder: Path, name: str, choice: Choice, weighed: Sequence[Weighed], today: date
) -> tuple[Path, Path]:
    """Write page and JSON into a folder; those of an earlier run of the day stay beside them. Their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{today.isoformat()}"
    number = 1
    while (folder / f"{stem}.json").exists():
        number += 1
        stem = f"{name}-{today.isoformat()}-{number}"
    page, record = folder / f"{stem}.md", folder / f"{stem}.json"
    write_atomically(page, render(choice, weighed, today))
    write_atomically(record, json.dumps(as_json(choice, weighed, today), ensure_ascii=False, indent=1) + "\n")
    return page, record


def as_json(choice: Choice, weighed: Sequence[Weighed], today: date) -> dict[str, Any]:
    """All that the page says, and all figures."""
    return {
        "date": today.isoformat(),
        "who": choice.who,
        "question": choice.question,
        "verdict": verdict(weighed),
        "chosen": next((one.measured.candidate.name for one in weighed if one.score is not None), None),
        "weights": choice.weights,
        "scales": {
            name: scale.model_dump() for name, scale in choice.scale_of.items() if name in choice.weights
        },
        "limits": {name: limit.model_dump(exclude_none=True) for name, limit in choice.limits.items()},
        "currency": choice.currency,
        "candidates": [
            {
                "candidate": one.measured.candidate.model_dump(exclude_none=True),
                "model": one.measured.model,
                "licence": asdict(one.measured.licence),
                "score": one.score,
                "parts": one.parts,
                "out_because": list(one.faults),
                "values": one.measured.values,
                "figures": one.measured.figures,
            }
            for one in weighed
        ],
    }


def render(choice: Choice, weighed: Sequence[Weighed], today: date) -> str:
    """The page."""
    return "\n".join(
        [
            f"# {choice.question}",
            "",
            f"Decided by {choice.who} on {today.isoformat()}. {verdict(weighed)}",
            "",
            *_table(choice, weighed),
            "",
            "In brackets is what a value counts, from 0 to 1; what isn't known counts 0. A score is their mean by weight.",
            "",
            *_criteria(choice),
            "",
            *_reasons(weighed),
        ]
    )


def _table(choice: Choice, weighed: Sequence[Weighed]) -> Iterator[str]:
    shown = [one for one in CRITERIA if one in choice.weights or one in choice.limits]
    yield f"| candidate | {' | '.join(shown)} | score |"
    yield f"|---|{'---|' * (len(shown) + 1)}"
    for one in weighed:
        cells = [_cell(one, criterion) for criterion in shown]
        score = "out" if one.score is None else f"**{one.score:.3f}**"
        yield f"| {_plain(one.measured.candidate.name)} | {' | '.join(cells)} | {score} |"


def _cell(one: Weighed, criterion: Any) -> str:
    if criterion == "licence":
        value = f"{_plain(one.measured.licence.licence)}, {one.measured.licence.outcome}"
    else:
        found = one.measured.values.get(criterion)
        value = "not known" if found is None else f"{found:.4g}"
    part = one.parts.get(criterion)
    return value if part is None else f"{value} ({part:.2f})"


def _criteria(choice: Choice) -> Iterator[str]:
    yield "| criterion | weight | counts 0 | counts 1 | must be | what it is |"
    yield "|---|---|---|---|---|---|"
    for name in CRITERIA:
        if name not in choice.weights and name not in choice.limits:
            continue
        scale, limit = choice.scale_of.get(name), choice.limits.get(name)
        ends = (f"{scale.worst:g}", f"{scale.best:g}") if scale and name in choice.weights else ("", "")
        must = (
            ", ".join(f"{key} {value:g}" for key, value in limit.model_dump(exclude_none=True).items())
            if limit
            else ""
        )
        about = f"{choice.currency} {ABOUT[name]}" if name == "cost" else ABOUT[name]
        yield f"| {name} | {choice.weights.get(name, 0):g} | {ends[0]} | {ends[1]} | {must} | {about} |"


def _reasons(weighed: Sequence[Weighed]) -> Iterator[str]:
    """Why some are out, and who let a licence pass."""
    for one in weighed:
        name = _plain(one.measured.candidate.name)
        for fault in one.faults:
            yield f"- {name} is out: {_plain(fault)}"
        licence = one.measured.licence
        if licence.outcome == "approved":
            yield f"- {name}: {licence.by} approved {_plain(licence.licence)!r}: {_plain(licence.reason)}"


def _plain(text: str) -> str:
    """A text that doesn't break a table."""
    return " ".join(text.split()).replace("|", "\\|")
