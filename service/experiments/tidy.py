"""The report as one table: a row for each metric and arm."""

import io
from collections.abc import Iterator
from typing import Any

from service.experiments.columns import Columns, FileFormat, writer_of

Json = dict[str, Any]
COLUMNS: Columns = {
    "experiment": "text",
    "stage": "text",
    "as_of": "text",
    "metric": "text",
    "role": "text",
    "unit": "text",
    "better": "text",
    "window_days": "float",
    "arm": "text",
    "is_control": "boolean",
    "units": "integer",
    "observations": "float",
    "value": "float",
    "value_low": "float",
    "value_high": "float",
    "difference": "float",
    "difference_low": "float",
    "difference_high": "float",
    "relative_low": "float",
    "relative_high": "float",
    "coverage": "float",
    "p": "float",
    "is_always_valid": "boolean",
    "verdict": "text",
    "reason": "text",
    "margin": "float",
    "guardrail": "text",
    "conclusion": "text",
}
_OF_DIFFERENCE = {
    "difference": "difference",
    "difference_low": "low",
    "difference_high": "high",
    "relative_low": "relative_low",
    "relative_high": "relative_high",
    "coverage": "coverage",
    "p": "p",
    "is_always_valid": "always_valid",
    "verdict": "verdict",
    "reason": "reason",
}


def table_of(report: Json, form: FileFormat) -> bytes:
    """The table in a format; the same report gives the same bytes."""
    file = io.BytesIO()
    writer = writer_of(form, file, COLUMNS)
    writer.write(list(rows_of(report)))
    writer.close()
    return file.getvalue()


def rows_of(report: Json) -> Iterator[Json]:
    """The rows; differences, guardrails and conclusions are of treatments alone."""
    guards = {(one["metric"], one["arm"]): one for one in report["guardrails"]}
    codes = {one["arm"]: one["code"] for one in report["conclusions"]}
    about = {name: report[name] for name in ("experiment", "stage", "as_of")}
    for metric in report["metrics"]:
        named = {name: metric[name] for name in ("metric", "role", "unit", "better", "window_days")}
        for arm, figure in metric["arms"].items():
            difference, guard = metric["differences"].get(arm, {}), guards.get((metric["metric"], arm), {})
            yield {
                **about,
                **named,
                "arm": arm,
                "is_control": arm == report["plan"]["control"],
                "units": figure["units"],
                "observations": figure["observations"],
                "value": figure["value"],
                "value_low": figure["low"],
                "value_high": figure["high"],
                **{column: difference.get(name) for column, name in _OF_DIFFERENCE.items()},
                "margin": guard.get("margin"),
                "guardrail": guard.get("state"),
                "conclusion": codes.get(arm) if metric["role"] == "primary" else None,
            }
