"""What stands first: the conclusion with what may not be concluded, and the primary metric."""

from typing import Any

from service.experiments import figures
from service.experiments.render.chart import chart, story_of
from service.experiments.render.markup import Markup, join, tag
from service.experiments.render.parts import number, section, state, table, two

Json = dict[str, Any]
# A verdict's code as a heading, and its tone.
_HEADINGS = {
    "better": ("Better", "good"),
    "worse": ("Worse", "bad"),
    "harm": ("Does harm", "bad"),
    "no verdict": ("No verdict: the data can’t be trusted", "look"),
    "no difference shown": ("No difference shown", "plain"),
    "running": ("Still open", "plain"),
    "cannot tell": ("Too early", "plain"),
}
_STAGES = {"ab": "A/B", "canary": "canary", "shadow": "shadow: answers that nobody saw"}
_STATES = {
    "ab": "running",
    "canary": "canary",
    "shadow": "shadow",
    "paused": "paused",
    "stopped": "stopped",
    "promoted": "promoted",
    "starting": "starting",
}
UNITS = {
    "subject": "subject, and for callers without a name the conversation",
    "tenant": "tenant: the API key",
    "conversation": "conversation",
}


def head(report: Json) -> Markup:
    """The name, what was expected, and up to when data count."""
    stage = _STAGES.get(report["stage"], report["stage"])
    now = str(report["state"])
    facts = [
        state(_STATES.get(now, now), "plain"),
        tag("span", f"stage {stage}"),
        tag("span", "data until ", tag("time", figures.moment(report["as_of"]), datetime=report["as_of"])),
    ]
    return tag(
        "header",
        tag("h1", report["experiment"]),
        tag("p", report["hypothesis"], class_="hypothesis"),
        tag("p", *facts, class_="facts"),
    )


def conclusions(report: Json) -> Markup:
    """The largest words of the page."""
    cards = [_conclusion(report, one) for one in report["conclusions"]]
    return tag(
        "section",
        tag("h2", "Conclusion", id="conclusion-title", class_="unseen"),
        *cards,
        class_="conclusions",
        aria_labelledby="conclusion-title",
    )


def _conclusion(report: Json, one: Json) -> Markup:
    heading, tone = _HEADINGS.get(one["code"], (one["code"], "plain"))
    several = len(report["conclusions"]) > 1
    return tag(
        "article",
        tag(
            "p",
            state(heading, tone),
            tag("span", one["arm"], class_="arm") if several else None,
            class_="verdict",
        ),
        tag("p", one["sentence"], class_="sentence"),
        tag("p", one["may_not"], class_="may-not"),
        _progress(report, one) if one["code"] in ("running", "cannot tell") else None,
        class_=f"conclusion {tone}",
    )


def _progress(report: Json, one: Json) -> Markup | None:
    effect = next(effect for effect in report["effects"] if effect["arm"] == one["arm"])
    part = min(float(effect["progress"]), 1.0)
    shown = figures.percent(part)
    ends = f"planned end {figures.day(report['plan']['ends'])}"
    return tag(
        "p",
        tag("progress", shown, value=round(part, 4), max=1, aria_label="planned information"),
        tag("span", f"{shown} of the planned information; {ends}"),
        class_="progress",
    )


def primary(report: Json) -> Markup:
    """The metric that decides: its figures by arm, and how the difference went."""
    metric = next(one for one in report["metrics"] if one["metric"] == report["plan"]["primary"])
    charts = [_chart(report, one["arm"]) for one in report["conclusions"]]
    return section(
        f"Primary metric: {metric['metric']}",
        _arms(report, metric),
        *charts,
        name="primary",
        intro=f"{prose(metric['description'])} {_which_way(metric)}",
    )


def prose(description: str) -> str:
    """A description without the marks of code."""
    return description.replace("`", "")


def _which_way(metric: Json) -> str:
    return f"{metric['better'].capitalize()} is better."


def _arms(report: Json, metric: Json) -> Markup:
    control = report["plan"]["control"]
    rows = [_arm(metric, arm, arm == control) for arm in metric["arms"]]
    heads = ("arm", "in the arm", "units", "difference from the control")
    return table(heads, rows, caption=f"{metric['metric']} by arm")


def _arm(metric: Json, arm: str, is_control: bool) -> list[object]:
    figure, unit = metric["arms"][arm], metric["unit"]
    digits = figures.decimals(figure["low"], figure["high"], unit)
    inside = _between(figure, unit, digits)
    value = two(number(figures.level(figure["value"], unit, digits)), inside)
    name = two(arm, "the control" if is_control and arm != "control" else None)
    counted = figures.count(figure["units"])
    changed = figures.NONE if is_control else difference(metric["differences"][arm], unit)
    return [name, value, counted, changed]


def _between(figure: Json, unit: str, digits: int) -> str | None:
    if figure["low"] is None or figure["high"] is None:
        return None
    low = figures.level(figure["low"], unit, digits).removesuffix(" %").removesuffix(" s")
    return f"{low} to {figures.level(figure['high'], unit, digits)}, 95 % sure"


def difference(one: Json, unit: str) -> Markup:
    """A treatment's difference with its interval, also in percent of the control; or why there is none."""
    if one["low"] is None or one["high"] is None:
        return two(figures.NONE, one["reason"])
    digits = figures.decimals(one["low"], one["high"], unit)
    between = f"{figures.span(one['low'], one['high'], unit, digits)}, {coverage(one)}"
    parts = figures.relative(one["relative_low"], one["relative_high"])
    return two(
        number(figures.change(one["difference"], unit, digits)),
        join([between, None if parts == figures.NONE else f"({parts})"], " "),
    )


def coverage(one: Json) -> str:
    """How sure an interval is."""
    return f"{round(100 * (one['coverage'] or 0), 1):g} % sure"


def _chart(report: Json, arm: str) -> Markup:
    if report["integrity"]["problem"]:
        return tag(
            "p", "The chart is not drawn while the data can’t be trusted: see Integrity.", class_="note"
        )
    story = story_of(report, arm)
    several = len(report["conclusions"]) > 1
    title = tag("h3", arm) if several else None
    if story is None:
        early = "There is no chart yet: it needs bounds at two moments, and those need some of the planned information."
        return join([title, tag("p", early, class_="note")])
    return join([title, chart(story)])
