"""The chart of the sequence: the effect with its always valid bounds over time, as SVG that colours alone don't explain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.experiments import figures
from service.experiments.render.axes import Scale, labels, moments, ticks
from service.experiments.render.markup import Markup, join, tag

Json = dict[str, Any]
# Bounds wider than this many times the last ones are cut off: at the start they are as wide as one likes.
_WIDEST = 3.0
# The planned end is shown where so much of the chart's width is data.
_LEAST_DATA = 0.4
_TWO_LINES = 36


@dataclass(frozen=True, slots=True)
class Frame:
    """The room of a chart: its size, its margins, and how many ticks fit."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    days: int
    has_words: bool


WIDE = Frame("wide", 900, 360, 62, 20, 44, 34, 8, has_words=True)
NARROW = Frame("narrow", 360, 320, 48, 10, 44, 32, 3, has_words=False)


@dataclass(frozen=True, slots=True)
class Look:
    """The effect at a moment; None bounds are infinite."""

    at: datetime
    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Story:
    """What a chart shows of one treatment."""

    arm: str
    control: str
    metric: Json
    looks: Sequence[Look]
    epochs: Sequence[Json]
    planned_end: datetime
    planned_effect: float
    margin: float | None
    last_test: tuple[float, float] | None
    method: str
    is_one_of_several: bool

    @property
    def unit(self) -> str:
        """Of the metric."""
        return str(self.metric["unit"])

    @property
    def digits(self) -> int:
        """Decimals of the last bounds."""
        last = self.looks[-1]
        return figures.decimals(last.low, last.high, self.unit)

    @property
    def sign(self) -> float:
        """Which way is better."""
        return 1.0 if self.metric["better"] == "higher" else -1.0


def story_of(report: Json, arm: str) -> Story | None:
    """What there is to draw of a treatment; None before there are two looks."""
    looks = [
        Look(figures.read(one["at"]), one["difference"], one["low"], one["high"])
        for one in report["sequence"][arm]
    ]
    if len([look for look in looks if look.low is not None]) < 2:
        return None
    plan = report["plan"]
    metric = next(one for one in report["metrics"] if one["metric"] == plan["primary"])
    effect = next(one for one in report["effects"] if one["arm"] == arm)
    is_tested = effect["low"] is not None and not effect["always_valid"]
    margins = [
        one["margin"]
        for one in report["guardrails"]
        if one["metric"] == plan["primary"] and one["arm"] == arm
    ]
    return Story(
        arm,
        plan["control"],
        metric,
        looks,
        report["epochs"],
        figures.read(report["maturity"]["ends"]) + timedelta(days=metric["window_days"]),
        plan["effect"],
        margins[0] if margins else None,
        (effect["low"], effect["high"]) if is_tested else None,
        plan["method"],
        len(report["effects"]) > 1,
    )


def chart(story: Story) -> Markup:
    """Two drawings, one for wide and one for narrow windows, and the same as a table."""
    drawings = [_drawing(story, frame) for frame in (WIDE, NARROW)]
    return tag("figure", *drawings, tag("figcaption", _caption(story)), _table(story), class_="chart")


def _caption(story: Story) -> str:
    if story.method == "fixed":
        words = (
            "Line: the difference so far. Shaded: where it lies, however often one looks. The plan makes one test, at its"
            " end; until then nothing may be concluded."
        )
    else:
        words = (
            "Line: the difference so far. Shaded: where it lies, however often one looks. Nothing may be concluded until the"
            " shaded part leaves the line of no difference."
        )
    if story.is_one_of_several:
        words += " These bounds don’t allow for several treatments; the conclusion does."
    if story.last_test:
        words += " The bar at the right is the one test at the planned end, which decides."
    return words


def _drawing(story: Story, frame: Frame) -> Markup:
    x, y = _x(story, frame), _y(story, frame)
    room = (frame.left, frame.top, frame.width - frame.right, frame.height - frame.bottom)
    title, about = f"{frame.name}-title-{_id(story)}", f"{frame.name}-about-{_id(story)}"
    return tag(
        "svg",
        tag("title", _title(story), id=title),
        tag("desc", _description(story), id=about),
        _clip(story, frame, room),
        _grid(story, frame, x, y),
        tag("g", _band(story, x, y), clip_path=f"url(#{frame.name}-room-{_id(story)})"),
        _epochs(story, frame, x),
        _levels(story, frame, y),
        tag("g", _middle(story, x, y), clip_path=f"url(#{frame.name}-room-{_id(story)})"),
        _test(story, frame, y),
        _better(story, frame),
        class_=f"drawing {frame.name}",
        viewBox=f"0 0 {frame.width} {frame.height}",
        role="img",
        aria_labelledby=f"{title} {about}",
    )


def _id(story: Story) -> str:
    """Arms' names may hold anything; ids are made of letters and digits."""
    return "".join(f"{ord(letter):x}" for letter in story.arm)


def _title(story: Story) -> str:
    return f"{story.metric['metric']}: {story.arm} less {story.control}, over time"


def _description(story: Story) -> str:
    last = story.looks[-1]
    between = figures.span(last.low, last.high, story.unit, story.digits)
    return (
        f"After {len(story.looks)} looks the difference is"
        f" {figures.change(last.difference, story.unit, story.digits)}, and its bounds are {between}."
    )


def _end(story: Story) -> datetime:
    """Where the time axis ends: at the planned end, unless that is far away."""
    first, last = story.looks[0].at, max(story.looks[-1].at, story.looks[0].at + timedelta(minutes=1))
    is_near = (last - first) >= _LEAST_DATA * (story.planned_end - first)
    return max(last, story.planned_end) if is_near else last


def _x(story: Story, frame: Frame) -> Scale:
    room = 26 if story.last_test else 8
    first, last = story.looks[0].at.timestamp(), _end(story).timestamp()
    return Scale(first, last, frame.left + 4, frame.width - frame.right - room)


def _y(story: Story, frame: Frame) -> Scale:
    known = [(look.low, look.high) for look in story.looks if look.low is not None and look.high is not None]
    half = (known[-1][1] - known[-1][0]) / 2
    shown = [one for one in known if (one[1] - one[0]) / 2 <= _WIDEST * half]
    ends = [0.0, story.sign * story.planned_effect, *(end for one in shown for end in one)]
    if story.margin is not None:
        ends.append(-story.sign * story.margin)
    low, high = min(ends), max(ends)
    extra = 0.06 * (high - low)
    return Scale(low - extra, high + extra, frame.height - frame.bottom, frame.top)


def _clip(story: Story, frame: Frame, room: tuple[int, int, int, int]) -> Markup:
    left, top, right, bottom = room
    inside = tag("rect", x=left, y=top, width=right - left, height=bottom - top)
    return tag("defs", tag("clipPath", inside, id=f"{frame.name}-room-{_id(story)}"))


def _line(class_: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return tag("line", class_=class_, x1=x1, y1=y1, x2=x2, y2=y2)


def _words(text: str, x: float, y: float, *, class_: str = "tick", anchor: str = "start") -> Markup:
    return tag("text", text, class_=class_, x=x, y=y, text_anchor=anchor)


def _grid(story: Story, frame: Frame, x: Scale, y: Scale) -> Markup:
    right, bottom = frame.width - frame.right, frame.height - frame.bottom
    parts = []
    values = ticks(y.low, y.high, 7)
    for value in values:
        parts.append(_line("grid", frame.left, y(value), right, y(value)))
        parts.append(_words(_step(value, story.unit), frame.left - 6, y(value) + 4, anchor="end"))
    if unit := figures.ENDINGS.get(story.unit):
        parts.append(_words(unit.strip(), frame.left - 6, frame.top - 8, anchor="end"))
    shown = moments(story.looks[0].at, _end(story), frame.days)
    for at, label in zip(shown, labels(shown), strict=True):
        place = x(at.timestamp())
        parts.append(_line("mark", place, bottom, place, bottom + 5))
        is_last = place > right - 30
        parts.append(
            _words(label, right if is_last else place, bottom + 20, anchor="end" if is_last else "middle")
        )
    return join(parts)


def _step(value: float, unit: str) -> str:
    """A round value on the axis, with its sign."""
    scaled = value * 100 if unit == "share" else value
    return f"{scaled:+.4g}".replace("-", "−") if value else "0"


def _epochs(story: Story, frame: Frame, x: Scale) -> Markup:
    """Where epochs begin, and the planned end, within what is drawn."""
    first, last = story.looks[0].at, _end(story)
    bottom = frame.height - frame.bottom
    parts = []
    for epoch in story.epochs[1:]:
        at = figures.read(epoch["begins_at"])
        if first <= at <= last:
            place = x(at.timestamp())
            word = (
                f"{epoch['epoch']}: {epoch['stage']} {epoch['coverage']:g} %"
                if frame.has_words
                else epoch["epoch"]
            )
            parts.append(_line("epoch", place, frame.top - 12, place, bottom))
            parts.append(_words(str(word), place + 4, frame.top - 4, class_="note"))
    if first <= story.planned_end <= last:
        place, days = x(story.planned_end.timestamp()), story.metric["window_days"]
        words = f"planned end, and {days:g} days to mature" if days else "planned end"
        parts.append(_line("end", place, frame.top - 32, place, bottom))
        parts.append(_words(words, place - 5, frame.top - 24, class_="note", anchor="end"))
    return join(parts)


def _levels(story: Story, frame: Frame, y: Scale) -> Markup:
    """No difference, the planned effect, and the margin of a guardrail on the same metric."""
    right = frame.width - frame.right
    planned = story.sign * story.planned_effect
    effect = f"planned effect, {figures.size(planned, story.unit)}"
    parts = [
        _line("zero", frame.left, y(0), right, y(0)),
        _words("no difference", frame.left + 6, y(0) - 5, class_="note strong"),
        _line("planned", frame.left, y(planned), right, y(planned)),
        _words(effect, frame.left + 6, y(planned) + _beside(story, y), class_="note"),
    ]
    if story.margin is not None:
        worst = -story.sign * story.margin
        parts += [
            _line("margin", frame.left, y(worst), right, y(worst)),
            _words("margin of the guardrail", frame.left + 6, y(worst) - 5, class_="note"),
        ]
    return join(parts)


def _beside(story: Story, y: Scale) -> int:
    """Above the line of the planned effect; below it where the effect itself begins above and there is room."""
    begun = story.looks[: max(1, len(story.looks) // 3)]
    mean = sum(look.difference for look in begun) / len(begun)
    planned = story.sign * story.planned_effect
    has_room = planned < 0 or abs(y(planned) - y(0)) > _TWO_LINES
    return 14 if mean > planned and has_room else -5


def _band(story: Story, x: Scale, y: Scale) -> Markup:
    known = [look for look in story.looks if look.low is not None and look.high is not None]
    upper = [f"{x(look.at.timestamp())},{y(look.high or 0.0)}" for look in known]
    lower = [f"{x(look.at.timestamp())},{y(look.low or 0.0)}" for look in known]
    return join(
        [
            tag("polygon", class_="band", points=" ".join([*upper, *reversed(lower)])),
            tag("polyline", class_="bound", points=" ".join(upper)),
            tag("polyline", class_="bound", points=" ".join(lower)),
        ]
    )


def _middle(story: Story, x: Scale, y: Scale) -> Markup:
    points = [f"{x(look.at.timestamp())},{y(look.difference)}" for look in story.looks]
    last = story.looks[-1]
    return join(
        [
            tag("polyline", class_="effect", points=" ".join(points)),
            tag("circle", class_="last", cx=x(last.at.timestamp()), cy=y(last.difference), r=4),
        ]
    )


def _test(story: Story, frame: Frame, y: Scale) -> Markup | None:
    if story.last_test is None:
        return None
    low, high = story.last_test
    place = frame.width - frame.right - 10
    return tag(
        "g",
        _line("test", place, y(low), place, y(high)),
        _line("test", place - 6, y(low), place + 6, y(low)),
        _line("test", place - 6, y(high), place + 6, y(high)),
        tag("circle", class_="last", cx=place, cy=y((low + high) / 2), r=4),
    )


def _better(story: Story, frame: Frame) -> Markup:
    """Which side of the line is the better one."""
    up, down = ("better", "worse") if story.sign > 0 else ("worse", "better")
    bottom = frame.height - frame.bottom
    return join(
        [
            _words(f"▲ {up}", frame.left + 6, frame.top + 14, class_="side"),
            _words(f"▼ {down}", frame.left + 6, bottom - 8, class_="side"),
        ]
    )


def _table(story: Story) -> Markup:
    rows = [
        tag(
            "tr",
            tag("td", figures.moment(look.at.isoformat())),
            tag("td", figures.change(look.difference, story.unit, story.digits)),
            tag("td", figures.span(look.low, look.high, story.unit, story.digits)),
        )
        for look in story.looks
    ]
    head = tag("tr", *(tag("th", word, scope="col") for word in ("moment", "difference", "bounds")))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="looks")
    return tag("details", tag("summary", "The chart as a table"), table)
