"""What sections are made of: a titled section, tables that become cards on a phone, a mark of a state, a bar of an interval."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.experiments.render.axes import Scale
from service.experiments.render.markup import Markup, join, tag

_WIDTH, _HEIGHT, _EDGE = 200, 30, 6


def section(title: str, *children: object, name: str, intro: str | None = None) -> Markup:
    """A section with a heading and an id that a link can name."""
    said = tag("p", intro, class_="intro") if intro else None
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, said, *children, class_=name, aria_labelledby=f"{name}-title")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str) -> Markup:
    """A table whose cells carry their column's name, so that a narrow window can show each row as a card."""
    head = tag("tr", *(tag("th", one, scope="col") for one in heads))
    body = [tag("tr", *_cells(heads, row)) for row in rows]
    return tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", head),
        tag("tbody", *body),
        class_="cards",
    )


def _cells(heads: Sequence[str], row: Sequence[object]) -> Iterable[Markup]:
    first, *rest = row
    yield tag("th", first, scope="row")
    for head, cell in zip(heads[1:], rest, strict=True):
        yield tag("td", cell, data_label=head)


def number(text: str) -> Markup:
    """A figure, which stays in one line."""
    return tag("span", text, class_="number")


def two(main: object, beside: object | None) -> Markup:
    """A value, and smaller below it what belongs to it."""
    below = tag("small", beside) if beside not in (None, "") else None
    return join([main, below])


def state(word: str, tone: str) -> Markup:
    """A word in a frame; `tone` is good, bad, look or plain, and colours it."""
    marks = {"good": "✓", "bad": "✕", "look": "!", "plain": "·"}
    return tag("span", tag("span", marks[tone], aria_hidden="true"), f" {word}", class_=f"state {tone}")


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval with its middle, on a line with a zero; `limit` is how far it may go, and the part beyond is shaded."""

    low: float
    high: float
    limit: float | None = None


def bar(one: Bar, words: str) -> Markup:
    """A small drawing of an interval; `words` say the same."""
    ends = [0.0, one.low, one.high, *([one.limit] if one.limit is not None else [])]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low) or 1.0
    x = Scale(low - room, high + room, _EDGE, _WIDTH - _EDGE)
    middle, y = x((one.low + one.high) / 2), _HEIGHT / 2
    return tag(
        "svg",
        tag("title", words),
        _beyond(one, x),
        tag("line", class_="zero", x1=x(0), y1=3, x2=x(0), y2=_HEIGHT - 3),
        tag("line", class_="test", x1=x(one.low), y1=y, x2=x(one.high), y2=y),
        tag("line", class_="test", x1=x(one.low), y1=y - 5, x2=x(one.low), y2=y + 5),
        tag("line", class_="test", x1=x(one.high), y1=y - 5, x2=x(one.high), y2=y + 5),
        tag("circle", class_="last", cx=middle, cy=y, r=3.5),
        class_="bar",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=words,
    )


def _beyond(one: Bar, x: Scale) -> Markup | None:
    if one.limit is None:
        return None
    place = x(one.limit)
    shaded = tag("rect", class_="beyond", x=place, y=3, width=_WIDTH - _EDGE - place, height=_HEIGHT - 6)
    return join([shaded, tag("line", class_="margin", x1=place, y1=3, x2=place, y2=_HEIGHT - 3)])
