"""The report as people read it: the conclusion first, nothing by colour alone, and no text that becomes markup."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.experiments import figures
from service.experiments.render.axes import moments, ticks
from service.experiments.render.document import body, document
from service.experiments.render.markup import Markup, tag
from tests.service.experiments.conftest import DAY
from tests.service.experiments.stories import HOSTILE, LATER, hostile, lossy, ramped, report

VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Tags with their attributes, and the text of each kind of element, in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    @property
    def text(self) -> str:
        return "".join(text for tag, text in self.texts if tag != "style")

    def all(self, name: str, class_: str = "") -> list[dict[str, str | None]]:
        return [
            attrs for tag, attrs in self.tags if tag == name and class_ in (attrs.get("class") or "").split(" ")
        ] if class_ else [attrs for tag, attrs in self.tags if tag == name]  # fmt: skip


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from service.database import migrate, open_database

    made = []

    def new() -> Engine:
        engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('story')}/x.db")
        migrate(engine)
        made.append(engine)
        return engine

    yield new
    for engine in made:
        engine.dispose()


@pytest.fixture(scope="module")
def finished(engines: Any) -> dict[str, Any]:
    return report(ramped(engines()))


@pytest.fixture(scope="module")
def hostile_report(engines: Any) -> dict[str, Any]:
    return report(hostile(engines()))


def test_text_of_people_is_never_markup(hostile_report: dict[str, Any]) -> None:
    page = Page(document(hostile_report))
    assert page.all("script") == []
    assert page.all("img") == []
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.text.count(HOSTILE) >= 4, "hypothesis, reason, actor and alarm are shown as they were written"


@given(st.text(), st.text())
def test_an_element_holds_the_text_and_the_attribute_that_it_was_given(text: str, value: str) -> None:
    made = tag("p", text, data_x=value)
    page = Page(made)
    assert [name for name, _ in page.tags] == ["p"]
    shown = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    assert page.text in (text, shown)
    assert page.tags[0][1]["data-x"] in (value, value.replace("\r\n", "\n").replace("\r", "\n"))


def test_markup_is_not_escaped_twice() -> None:
    assert tag("b", tag("i", "a & b")) == "<b><i>a &amp; b</i></b>"
    assert tag("p", None, Markup("<br>"), hidden=True, title=None) == "<p hidden><br></p>"


def test_what_may_be_concluded_is_read_first(finished: dict[str, Any]) -> None:
    page = Page(body(finished))
    said = finished["conclusions"][0]
    text = page.text
    assert said["code"] == "better"
    order = [said["sentence"], said["may_not"], "Primary metric", "Guardrails", "Integrity", "Other metrics"]
    order += ["Segments", "History", "Plan"]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert text.index("Better") < places[0]


def test_the_file_needs_nothing_and_runs_nothing(finished: dict[str, Any]) -> None:
    text = document(finished)
    page = Page(text)
    assert {"script", "link", "iframe", "object"} & {name for name, _ in page.tags} == set()
    assert not re.search(r"(src|href)=|url\(\s*['\"]?http|@import", text)
    (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert all("style" not in attrs for _, attrs in page.tags), "the console's policy allows no inline style"


def test_the_chart_is_told_in_words_and_as_a_table(finished: dict[str, Any]) -> None:
    page = Page(body(finished))
    drawings = page.all("svg", "drawing")
    assert len(drawings) == 2
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert len(set(ids)) == len(ids)
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert set((drawing["aria-labelledby"] or "").split(" ")) <= set(ids)
    table = re.search(r'<table class="looks">.*?</table>', body(finished))
    assert table
    assert table[0].count("<tr>") == len(finished["sequence"]["treatment"]) + 1
    assert "planned end, and 7 days to mature" in page.text
    assert "no difference" in page.text


def test_every_point_lies_within_its_drawing(finished: dict[str, Any]) -> None:
    drawn = re.search(
        r'<svg class="drawing wide" viewBox="0 0 (\d+) (\d+)".*?</svg>', body(finished), re.DOTALL
    )
    assert drawn
    (effect,) = re.findall(r'class="effect" points="([^"]+)"', drawn[0])
    points = [tuple(map(float, point.split(","))) for point in effect.split(" ")]
    assert len(points) == len(finished["sequence"]["treatment"])
    assert all(0 <= x <= int(drawn[1]) for x, _ in points)
    last = points[-1]
    assert 0 <= last[1] <= int(drawn[2])
    assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_each_state_is_a_word_beside_its_colour(
    finished: dict[str, Any], hostile_report: dict[str, Any]
) -> None:
    for found in (finished, hostile_report):
        for state in re.findall(
            r'<span class="state \w+"><span aria-hidden="true">.</span>([^<]*)</span>', body(found)
        ):
            assert re.fullmatch(r" \w[\w ’:/]+", state)


def test_figures_that_can_not_be_trusted_draw_no_chart(engines: Any) -> None:
    found = report(lossy(engines()))
    text = Page(body(found)).text
    assert found["conclusions"][0]["code"] == "no verdict"
    assert "No figure of this page may be used" in text
    assert "The arms don’t have the units that their weights explain." in text
    assert 'class="drawing' not in body(found)


def test_a_report_of_the_first_minute_says_what_is_missing(engines: Any) -> None:
    bench = ramped(engines())
    text = Page(body(report(bench, DAY + timedelta(seconds=20)))).text
    assert "Too early" in text
    assert "There is no chart yet" in text
    assert "Nobody met an arm in this experiment yet." in text


def test_segments_are_shown_and_decide_nothing(finished: dict[str, Any]) -> None:
    kinds = {one["kind"] for one in finished["segments"]}
    assert kinds == {"epoch", "history"}
    known, new = (one for one in finished["segments"] if one["kind"] == "history")
    whole = finished["effects"][0]
    assert known["units"] + new["units"] == sum(
        one["units"] for one in finished["metrics"][0]["arms"].values()
    )
    assert known["high"] - known["low"] > whole["high"] - whole["low"]
    assert "For ideas, not for conclusions" in Page(body(finished)).text


def test_segments_by_key_name_the_keys_that_asked_most(engines: Any) -> None:
    from sqlalchemy import text

    engine = engines()
    bench = ramped(engine, subjects=300)
    with engine.begin() as connection:
        connection.execute(text("update exposures set caller = 'app' where unit like '%1' or unit like '%2'"))
    found = report(bench)
    keys = [one for one in found["segments"] if one["kind"] == "caller"]
    assert [one["segment"] for one in keys] == ["key caller", "key app"]
    assert keys[0]["units"] > keys[1]["units"] > 0
    assert "By the API key that asked" in Page(body(found)).text


def test_the_report_of_a_moment_is_the_same_after_later_epochs_and_alarms(engines: Any) -> None:
    from service.experiments.lifecycle import stop
    from service.experiments.store import add_alarm
    from tests.service.experiments.stories import NAME

    bench = ramped(engines(), subjects=300)
    before = document(report(bench, DAY + timedelta(days=9)))
    bench.now = DAY + timedelta(days=12)
    stop(bench.engine, NAME, bench.actor("done"))
    add_alarm(bench.engine, NAME, kind="arm", arm="treatment", message="x", detail={"epoch": 2}, now=LATER)
    assert document(report(bench, DAY + timedelta(days=9))) == before
    assert "done" in document(report(bench, LATER))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.level(0.4986, "share", 1), "49.9 %"),
        (figures.level(0.31111, "s", 3), "0.311 s"),
        (figures.level(None, "s", 3), "–"),
        (figures.change(-0.1124, "share", 1), "−11.2 points"),
        (figures.change(0.00004, "share", 1), "0.0 points"),
        (figures.span(-0.0069, 0.0057, "s", 4), "−0.0069 to +0.0057 s"),
        (figures.relative(0.1453, 0.3123), "+14.5 % to +31.2 %"),
        (figures.size(0.05, "share"), "5 points"),
        (figures.size(-0.1, "s"), "0.1 s"),
        (figures.chance(1e-9), "below 0.0001"),
        (figures.chance(1.0), "1"),
        (figures.day("2026-11-11"), "11 Nov 2026"),
        (figures.moment("2026-11-11T01:30:00+02:00"), "10 Nov 2026, 23:30 UTC"),
        (figures.days_between("2026-11-01T00:00:00+00:00", "2026-11-02T06:00:00+00:00"), "30 hours"),
    ],
)
def test_figures_have_their_unit_and_the_digits_that_help(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("low", "high", "unit", "digits"),
    [
        (-0.0038, 0.0113, "share", 2),
        (0.00031, 0.00052, "share", 3),
        (0.2063, 0.2231, "s", 4),
        (2.1, 2.5, "number", 2),
    ],
)
def test_an_interval_shows_two_digits_of_its_half_width(
    low: float, high: float, unit: str, digits: int
) -> None:
    assert figures.decimals(low, high, unit) == digits


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 9))
def test_ticks_are_few_even_and_within_the_ends(low: float, size: float, most: int) -> None:
    found = ticks(low, low + size, most)
    assert len(found) <= most + 1
    slack = 1e-6 * max(abs(low), size)
    assert all(low - slack <= one <= low + size + slack for one in found)
    steps = {round((b - a) / size, 4) for a, b in zip(found, found[1:], strict=False)}
    assert max(steps, default=0) - min(steps, default=0) < 1e-3


@given(st.integers(1, 60 * 24 * 800), st.integers(2, 8))
def test_ticks_of_time_are_few_and_within_the_ends(minutes: int, most: int) -> None:
    last = DAY + timedelta(minutes=minutes)
    found = moments(DAY, last, most)
    assert 1 <= len(found) <= most + 1
    assert all(DAY <= one <= last for one in found)
