"""The report as one body, and as a file that needs nothing else."""

from functools import cache
from pathlib import Path
from typing import Any

from service.experiments.render.checks import guardrails, integrity
from service.experiments.render.details import history, others, plan, segments
from service.experiments.render.markup import Markup, tag
from service.experiments.render.summary import conclusions, head, primary

Json = dict[str, Any]
_STYLE = Path(__file__).parents[2] / "page" / "report.css"
# The file runs nothing and fetches nothing, whatever somebody wrote into it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def body(report: Json) -> Markup:
    """Everything that an analyst reads, from the top down."""
    return tag(
        "main",
        head(report),
        conclusions(report),
        primary(report),
        guardrails(report),
        integrity(report),
        others(report),
        segments(report),
        history(report),
        plan(report),
        tag("footer", tag("p", _again(report))),
        class_="report",
        data_stage=report["stage"],
        data_until=report["as_of"],
        data_stages=" ".join(dict.fromkeys(one["stage"] for one in report["epochs"])),
    )


def _again(report: Json) -> Markup:
    command = f"touchstone experiments recompute FOLDER --experiment {report['experiment']} --as-of {report['as_of']}"
    return tag("span", "From an export, the same figures again: ", tag("code", command))


def document(report: Json) -> str:
    """A whole HTML file: its style is in it, it has no script, and it fetches nothing."""
    title = f"{report['experiment']}: report"
    page = tag(
        "html",
        tag(
            "head",
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            tag("title", title),
            tag("style", Markup(_style())),
        ),
        tag("body", body(report)),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


@cache
def _style() -> str:
    return _STYLE.read_text("utf-8")
