"""The console in a real Chromium: the list, a report, its files, a key, a phone, the dark, and hostile names."""

import csv
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import update

from service.auth import create_key
from service.database import migrate, open_database
from service.tables import ExperimentEpoch
from tests.conftest import Gateway, StartGateway, wait_until
from tests.service.experiments.conftest import declared, scope_of
from tests.service.experiments.stories import HOSTILE, NAME, hostile, ramped
from tests.service.test_browser import FLAGS

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
START = (datetime.now(UTC) - timedelta(days=40)).replace(hour=0, minute=0, second=0, microsecond=0)
SHOTS = os.environ.get("TOUCHSTONE_SCREENSHOTS")  # noqa: TID251  # a folder to keep pictures in


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as api:
        made = api.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield made
        made.close()


@pytest.fixture
def gateway(start_gateway: StartGateway, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose database holds an experiment of which there is something to say."""
    url = f"sqlite:///{tmp_path / 'console.db'}"
    engine = open_database(url)
    migrate(engine)
    ramped(engine, start_at=START)
    engine.dispose()
    path = tmp_path / "experiments.yaml"
    path.write_text(yaml.safe_dump(scope_of({NAME: declared(), "waits": declared()}), sort_keys=False))
    with start_gateway(scope_file=path, database_url=url) as gateway:
        yield gateway


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    made = browser.new_page(viewport={"width": 1200, "height": 900})
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    made.close()
    assert [one for one in problems if "401" not in one and "403" not in one] == []


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_report_is_found_in_the_list_and_read(page: Any, gateway: Gateway) -> None:
    page.goto(f"{gateway.url}/console/experiments")
    page.get_by_role("link", name=NAME).wait_for()
    assert page.get_by_role("link", name="waits").count() == 0, "there is nothing to report yet"
    assert page.locator("tbody tr").count() == 2
    page.get_by_label("Show those with").fill("wait")
    assert page.locator("tbody tr:visible").count() == 1
    assert "1 of 2" in page.locator("#status").inner_text()
    page.get_by_label("Show those with").fill("")
    page.get_by_role("link", name=NAME).click()
    page.locator(".conclusion").wait_for()
    assert page.title() == f"{NAME}: report"
    sentence = page.locator(".sentence")
    assert "'treatment' is better than 'control'" in sentence.inner_text()
    box = sentence.bounding_box()
    assert box
    assert box["y"] + box["height"] < 500, "the conclusion is read without scrolling"
    sizes = page.evaluate(
        "[...document.querySelectorAll('main p')].map((p) => parseFloat(getComputedStyle(p).fontSize))"
    )
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.sentence')).fontSize)") == max(
        sizes
    )
    assert page.locator("svg.wide").is_visible()
    assert not page.locator("svg.narrow").is_visible()
    shot(page, "report")


def test_the_table_of_the_chart_opens_with_the_keyboard(page: Any, gateway: Gateway) -> None:
    page.goto(f"{gateway.url}/console/experiments/{NAME}")
    summary = page.get_by_text("The chart as a table")
    summary.focus()
    assert not page.locator(".looks").is_visible()
    page.keyboard.press("Enter")
    assert page.locator(".looks").is_visible()
    assert page.locator("svg.wide").get_attribute("role") == "img"


def test_files_hold_what_the_page_shows(page: Any, gateway: Gateway, tmp_path: Path) -> None:
    page.goto(f"{gateway.url}/console/experiments/{NAME}?stage=canary")
    page.locator(".conclusion").wait_for()
    until = page.locator("main").get_attribute("data-until")
    for name in ("CSV", "JSON", "HTML", "Parquet"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        saved = waiting.value
        assert saved.suggested_filename == f"{NAME}-canary.{name.lower()}"
        saved.save_as(tmp_path / saved.suggested_filename)
    found = json.loads((tmp_path / f"{NAME}-canary.json").read_text())
    assert (found["stage"], found["as_of"]) == ("canary", until)
    with (tmp_path / f"{NAME}-canary.csv").open() as file:
        assert {row["as_of"] for row in csv.DictReader(file)} == {until}
    page.get_by_role("link", name="A/B").click()
    page.locator(".conclusion").wait_for()
    assert page.locator("main").get_attribute("data-stage") == "ab"


def test_the_file_is_read_without_a_service_and_without_scripts(
    browser: Any, gateway: Gateway, tmp_path: Path
) -> None:
    with gateway.client() as client:
        path = tmp_path / "report.html"
        path.write_bytes(client.get(f"/v1/experiments/{NAME}/results?format=html").content)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert "is better than" in page.locator(".sentence").inner_text()
    assert page.locator("svg.wide").is_visible()
    assert asked == [path.as_uri()]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 800, 1200])
def test_it_fits_every_window_in_light_and_dark(
    browser: Any, gateway: Gateway, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    for path in ("/console/experiments", f"/console/experiments/{NAME}"):
        page.goto(gateway.url + path)
        page.locator(".state").first.wait_for()
        assert fits(page), path
    page.locator(".conclusion").wait_for()
    assert page.locator("svg.narrow" if width < 700 else "svg.wide").is_visible()
    expected = "rgb(21, 23, 26)" if scheme == "dark" else "rgb(250, 249, 247)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == expected
    shot(page, f"report-{width}-{scheme}")
    context.close()


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("main *")]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && one.getClientRects().length)
    .map((one) => {
      const style = getComputedStyle(one);
      const [a, b] = [light(one.closest("svg") ? style.fill : style.color), light(behind(one))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), one.className.baseVal ?? one.className, one.textContent.slice(0, 40)];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser: Any, gateway: Gateway, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    page.goto(f"{gateway.url}/console/experiments/{NAME}")
    page.locator(".conclusion").wait_for()
    assert page.evaluate(CONTRAST) == []
    page.close()


def test_names_and_reasons_of_people_run_nothing(
    browser: Any, start_gateway: StartGateway, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'hostile.db'}"
    engine = open_database(url)
    migrate(engine)
    hostile(engine)
    began = datetime.now(UTC) - timedelta(days=1)
    with engine.begin() as connection:
        connection.execute(update(ExperimentEpoch).values(created_at=began, begins_at=began))
    engine.dispose()
    with start_gateway(database_url=url) as gateway:
        page = browser.new_page()
        said: list[str] = []
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.goto(f"{gateway.url}/console/experiments")
        page.get_by_text(HOSTILE).wait_for()
        page.get_by_role("link", name=NAME).click()
        page.locator(".conclusion").wait_for()
        assert HOSTILE in page.locator(".hypothesis").inner_text()
        assert page.locator("main script, main img").count() == 0
        assert said == []
        page.close()


def test_a_key_of_the_right_scope_opens_the_console(page: Any, gateway: Gateway) -> None:
    engine = open_database(gateway.settings.database())
    keys = {name: create_key(engine, name, [name]) for name in ("answer", "analyst")}  # type: ignore[list-item]
    engine.dispose()
    with gateway.client() as client:
        wait_until(lambda: client.get("/v1/experiments").status_code == 401)
    page.goto(f"{gateway.url}/console/experiments/{NAME}")
    for name in ("answer", "analyst"):
        page.get_by_role("textbox", name="Key").fill(keys[name])
        page.get_by_role("button", name="Use this key").click()
        if name == "answer":
            page.get_by_text("analyst", exact=False).first.wait_for()
    page.locator(".conclusion").wait_for()
    page.get_by_role("link", name="All experiments").click()
    page.get_by_role("link", name=NAME).wait_for()
    with page.expect_download() as waiting:
        page.goto(f"{gateway.url}/console/experiments/{NAME}")
        page.get_by_role("button", name="CSV").click()
    assert waiting.value.suggested_filename.endswith(".csv")


def test_an_experiment_that_is_not_there_is_said_so(browser: Any, gateway: Gateway) -> None:
    page = browser.new_page()
    page.goto(f"{gateway.url}/console/experiments/gone")
    page.get_by_text("There is no experiment 'gone'").wait_for()
    page.goto(f"{gateway.url}/console/experiments/waits")
    page.get_by_text("was not started").wait_for()
    page.close()
