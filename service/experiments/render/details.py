"""What is read after the conclusion: the other metrics, segments, the history, the plan."""

from collections.abc import Sequence
from typing import Any

from service.experiments import figures
from service.experiments.render.markup import Markup, join, tag
from service.experiments.render.parts import Bar, bar, number, section, state, table, two
from service.experiments.render.summary import UNITS, difference, prose

Json = dict[str, Any]
_VERDICTS = {
    "better": ("better", "good"),
    "worse": ("worse", "bad"),
    "running": ("open", "plain"),
    "no difference shown": ("no difference shown", "plain"),
    "cannot tell": ("can’t tell", "plain"),
}
_KINDS = {
    "epoch": "By epoch",
    "history": "By what was known of the subject",
    "unit": "By kind of unit",
    "caller": "By the API key that asked",
}
_METHODS = {
    "hybrid": "hybrid: bounds that may be looked at any time, and one test at the planned end",
    "fixed": "fixed: one test at the planned end",
    "sequence": "sequence: bounds that may be looked at any time",
}


def others(report: Json) -> Markup:
    """Every metric but the primary one."""
    shown = [one for one in report["metrics"] if one["role"] != "primary"]
    rows = [
        _metric(report, metric, arm)
        for metric in shown
        for arm in metric["differences"]
        if _has_interval(metric, arm)
    ]
    intro = (
        "They decide nothing. Many are looked at, so their intervals are wider than the primary one’s"
        " (Benjamini and Hochberg)."
    )
    heads = ("metric", "control", "treatment", "difference", "drawn", "reads")
    told = table(heads, rows, caption="Other metrics") if rows else None
    return section("Other metrics", told, _silent(shown), name="others", intro=intro)


def _has_interval(metric: Json, arm: str) -> bool:
    return metric["differences"][arm]["low"] is not None


def _silent(metrics: Sequence[Json]) -> Markup | None:
    """Metrics of which nothing can be said, each in a line."""
    silent = [one for one in metrics if not any(_has_interval(one, arm) for arm in one["differences"])]
    if not silent:
        return None
    by_reason: dict[str, list[Markup]] = {}
    for metric in silent:
        reason = " ".join(dict.fromkeys(one["reason"] for one in metric["differences"].values()))
        words = join([tag("strong", metric["metric"]), f" ({_levels(metric)})"])
        by_reason.setdefault(reason, []).append(words)
    lines = [tag("li", join(named, ", "), ". ", tag("span", reason)) for reason, named in by_reason.items()]
    return join([tag("h3", "Without an interval"), tag("ul", *lines, class_="silent")])


def _levels(metric: Json) -> str:
    unit = metric["unit"]
    digits = figures.decimals(None, None, unit)
    shown = {arm: figures.level(one["value"], unit, digits) for arm, one in metric["arms"].items()}
    if len(set(shown.values())) == 1:
        return f"{next(iter(shown.values()))} in each arm"
    return ", ".join(f"{arm} {value}" for arm, value in shown.items())


def _metric(report: Json, metric: Json, arm: str) -> list[object]:
    unit, control = metric["unit"], report["plan"]["control"]
    one = metric["differences"][arm]
    digits = figures.decimals(one["low"], one["high"], unit)
    levels = [number(figures.level(metric["arms"][name]["value"], unit, digits)) for name in (control, arm)]
    several = len(metric["differences"]) > 1
    return [
        two(metric["metric"], prose(metric["description"])),
        levels[0],
        two(levels[1], arm if several else None),
        difference(one, unit),
        _drawn(one, unit, digits),
        state(*_VERDICTS.get(one["verdict"], (one["verdict"], "plain"))),
    ]


def _drawn(one: Json, unit: str, digits: int) -> Markup | str:
    if one["low"] is None or one["high"] is None:
        return figures.NONE
    return bar(Bar(one["low"], one["high"]), figures.span(one["low"], one["high"], unit, digits))


def segments(report: Json) -> Markup | None:
    """The primary metric among kinds of units."""
    if not report["segments"]:
        return None
    metric = next(one for one in report["metrics"] if one["metric"] == report["plan"]["primary"])
    parts = []
    for kind in dict.fromkeys(one["kind"] for one in report["segments"]):
        rows = [_segment(report, one, metric["unit"]) for one in report["segments"] if one["kind"] == kind]
        heads = ("segment", "units", "control", "treatment", "difference", "drawn")
        parts.append(tag("h3", _KINDS.get(kind, kind)))
        parts.append(table(heads, rows, caption=_KINDS.get(kind, kind)))
    intro = (
        f"{metric['metric']} among kinds of units. For ideas, not for conclusions: among many segments some differ by chance"
        " alone, and their intervals allow for that."
    )
    return section("Segments", *parts, name="segments", intro=intro)


def _segment(report: Json, one: Json, unit: str) -> list[object]:
    several = len(report["conclusions"]) > 1
    name = two(one["segment"], one["arm"] if several else None)
    counted = figures.count(one["units"])
    digits = figures.decimals(one["low"], one["high"], unit)
    levels = [number(figures.level(one[arm], unit, digits)) for arm in ("control", "treatment")]
    return [name, counted, *levels, difference(one, unit), _drawn(one, unit, digits)]


def history(report: Json) -> Markup:
    """The epochs, the newest last."""
    epochs: Sequence[Json] = report["epochs"]
    ends = [*(one["begins_at"] for one in epochs[1:]), report["as_of"]][: len(epochs)]
    rows = [
        [
            f"{one['epoch']}",
            figures.moment(one["begins_at"]),
            number(figures.days_between(one["begins_at"], end)),
            one["stage"],
            f"{one['coverage']:g} %",
            ", ".join(f"{arm} {weight:g} %" for arm, weight in one["weights"].items()),
            two(one["reason"], f"by {one['by']}"),
        ]
        for one, end in zip(epochs, ends, strict=True)
    ]
    heads = ("epoch", "began", "took", "stage", "covered", "split", "why")
    intro = "Each epoch is read by itself: only within one did all arms meet the same questions."
    return section("History", table(heads, rows, caption="Epochs"), name="history", intro=intro)


def plan(report: Json) -> Markup:
    """What was declared before anybody met an arm."""
    declared = report["plan"]
    metric = next(one for one in report["metrics"] if one["metric"] == declared["primary"])
    effect = figures.size(declared["effect"], metric["unit"])
    facts = (
        ("hypothesis", report["hypothesis"]),
        ("assistant", report["assistant"]),
        ("unit", UNITS.get(report["unit"], report["unit"])),
        ("control", declared["control"]),
        ("primary metric", declared["primary"]),
        ("smallest effect that matters", effect),
        ("power", figures.percent(declared["power"])),
        ("alpha", f"{declared['alpha']:g}"),
        ("method", _METHODS.get(declared["method"], declared["method"])),
        ("planned end", figures.day(declared["ends"])),
        ("digest of the plan", tag("code", report["digest"])),
    )
    terms = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts]
    intro = "Declared before anybody met an arm, and unchanged since: the digest tells."
    return section("Plan", tag("dl", *terms), name="plan", intro=intro)
