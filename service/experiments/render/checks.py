"""What protects people and what protects the conclusion: guardrails, and whether the data can be trusted."""

from collections.abc import Iterator
from typing import Any

from service.experiments import figures
from service.experiments.render.markup import Markup, tag
from service.experiments.render.parts import Bar, bar, number, section, state, table, two
from service.experiments.render.summary import prose

Json = dict[str, Any]
_GUARDS = {
    "breached": ("broken", "bad"),
    "holds": ("holds", "good"),
    "cannot tell": ("can’t tell yet", "look"),
}
# Shown beside metrics that only some people report.
_REPORTED = {
    "observed_rate": "Somebody reported an outcome for",
    "response_rate": "People gave a thumb to",
}


def guardrails(report: Json) -> Markup:
    """Metrics that may not get worse by more than a margin."""
    intro = "What may not get worse by more than a margin, looked at any time. A broken guardrail overrules the primary metric."
    if not report["guardrails"]:
        return section("Guardrails", tag("p", "None was declared."), name="guardrails")
    rows = [_guardrail(report, one) for one in report["guardrails"]]
    heads = ("metric", "arm", "state", "worse by", "allowed", "drawn")
    shown = table(heads, rows, caption="Guardrails by metric and arm")
    return section("Guardrails", shown, name="guardrails", intro=intro)


def _guardrail(report: Json, one: Json) -> list[object]:
    metric = next(metric for metric in report["metrics"] if metric["metric"] == one["metric"])
    unit, word = metric["unit"], state(*_GUARDS[one["state"]])
    allowed = figures.size(one["margin"], unit)
    name = two(one["metric"], prose(metric["description"]))
    if one["least"] is None:
        return [name, one["arm"], two(word, one["reason"]), figures.NONE, allowed, figures.NONE]
    digits = figures.decimals(one["least"], one["most"], unit)
    between = figures.span(one["least"], one["most"], unit, digits)
    worse = two(number(figures.change(one["harm"], unit, digits)), between)
    words = f"Worse by {between}; {allowed} allowed."
    drawn = bar(Bar(one["least"], one["most"], one["margin"]), words)
    return [name, one["arm"], word, worse, allowed, drawn]


def integrity(report: Json) -> Markup:
    """Whether the data can be trusted, as a list of checks."""
    found = report["integrity"]
    checks = [_ratio(found["sample_ratio"]), _mixed(found), _faulty(found), _alarms(report["alarms"])]
    checks += [_maturity(report), *_reported(report)]
    intro = "Whether the figures can be trusted at all. Where a check fails, there is no verdict."
    return section("Integrity", tag("ul", *checks, class_="checks"), name="integrity", intro=intro)


def _check(tone: str, title: str, words: str, *more: object) -> Markup:
    word = {"good": "fine", "bad": "fails", "look": "look", "plain": "note"}[tone]
    return tag("li", state(word, tone), tag("div", tag("strong", title), tag("span", f" {words}"), *more))


def _ratio(ratio: Json) -> Markup:
    rows = [
        [
            f"epoch {one['epoch']}",
            ", ".join(f"{arm} {units:,}" for arm, units in one["units"].items()),
            ":".join(f"{weight:g}" for weight in one["weights"].values()),
            figures.chance(one["chi2_p"]),
        ]
        for one in ratio["epochs"]
    ]
    if not rows:
        return _check("plain", "Sample ratio.", "Nobody met an arm in this experiment yet.")
    words = (
        "The arms don’t have the units that their weights explain."
        if ratio["is_alarm"]
        else "The arms have the units that their weights explain, epoch by epoch."
    )
    heads = ("epoch", "units", "weights", "p of χ²")
    more = tag(
        "details",
        tag("summary", f"By epoch; always valid p {figures.chance(ratio['p'])}"),
        table(heads, rows, caption="Units by epoch"),
    )
    return _check("bad" if ratio["is_alarm"] else "good", "Sample ratio.", words, more)


def _mixed(found: Json) -> Markup:
    within, moved = found["units_in_two_arms_of_an_epoch"], found["units_moved_by_a_ramp"]
    words = (
        f"{within:,} units met two arms within one epoch."
        if within
        else "No unit met two arms within one epoch."
    )
    if moved:
        words += f" Ramps moved {moved:,} units to another arm; each counts where it was."
    return _check("bad" if within else "good", "Mixed units.", words)


def _faulty(found: Json) -> Markup:
    faulty = found["faulty_arms"]
    if not faulty:
        return _check("good", "Arms.", "Each arm was what it should be, as far as probes saw.")
    named = ", ".join(f"{one['arm']} in epoch {one['epoch']}" for one in faulty)
    return _check("look", "Arms.", f"Left out, because a probe found another model: {named}.")


def _alarms(alarms: list[Json]) -> Markup:
    if not alarms:
        return _check("good", "Alarms.", "None was raised.")
    rows = [[figures.moment(one["at"]), one["arm"] or "all arms", one["message"]] for one in alarms]
    more = table(("moment", "arm", "message"), rows, caption="Alarms")
    word = "one was raised." if len(alarms) == 1 else f"{len(alarms)} were raised."
    return _check("look", "Alarms:", word, more)


def _maturity(report: Json) -> Markup:
    found = report["maturity"]
    every, mature, days = found["observations"], found["mature"], found["window_days"]
    if not every:
        return _check("plain", "Maturity.", "There is nothing of the primary metric yet.")
    if not days:
        return _check(
            "good", "Maturity.", "The primary metric is known with the answer: nothing has to mature."
        )
    if mature == every:
        return _check(
            "good", "Maturity.", f"All that the primary metric counts is older than its {days:g} days."
        )
    words = (
        f"{figures.percent(mature / every)} of what the primary metric counts is older than its {days:g} days. The rest is"
        " left out of every arm until it is, and never counts as a failure."
    )
    return _check("plain", "Maturity.", words)


def _reported(report: Json) -> Iterator[Markup]:
    """How many reported anything: metrics of feedback are about these alone."""
    for metric in report["metrics"]:
        is_known = all(one["value"] is not None for one in metric["arms"].values())
        if metric["metric"] in _REPORTED and is_known:
            shares = [
                f"{figures.level(one['value'], 'share', 1)} in {arm}" for arm, one in metric["arms"].items()
            ]
            words = f"{_REPORTED[metric['metric']]} {_listed(shares)}."
            yield _check("plain", "Coverage.", words)


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
