"""Reports over HTTP: in every format, for analysts alone, and the same bytes when asked again."""

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import Engine, text

from service.auth import KeyScope, create_key
from service.database import open_database
from service.errors import InvalidRequestError
from service.experiments.reports import Asked, Reports, as_json
from tests.conftest import Gateway, StartGateway, wait_until
from tests.service.experiments.conftest import declared, scope_of
from tests.service.experiments.stories import NAME, ramped, report

START = (datetime.now(UTC) - timedelta(days=40)).replace(hour=0, minute=0, second=0, microsecond=0)
BASE = f"/v1/experiments/{NAME}/results"
AS_OF = (START + timedelta(days=30)).isoformat()


@pytest.fixture
def gateway(start_gateway: StartGateway, tmp_path: Path) -> Iterator[Gateway]:
    path = tmp_path / "experiments.yaml"
    path.write_text(
        yaml.safe_dump(scope_of({NAME: declared(), "never-started": declared()}), sort_keys=False)
    )
    with start_gateway(scope_file=path) as gateway:
        yield gateway


@pytest.fixture
def engine(gateway: Gateway) -> Iterator[Engine]:
    engine = open_database(gateway.settings.database())
    yield engine
    engine.dispose()


def get(gateway: Gateway, path: str = BASE, **query: Any) -> httpx.Response:
    with gateway.client() as client:
        return client.get(path, params=query)


def test_a_report_comes_in_every_format_and_again_to_the_byte(gateway: Gateway, engine: Engine) -> None:
    bench = ramped(engine, subjects=400, start_at=START)
    kinds = {
        "json": "application/json",
        "csv": "text/csv; charset=utf-8",
        "parquet": "application/vnd.apache.parquet",
        "html": "text/html; charset=utf-8",
    }
    for form, kind in kinds.items():
        first, second = (get(gateway, format=form, as_of=AS_OF) for _ in range(2))
        assert (first.status_code, first.headers["content-type"]) == (200, kind), first.text
        assert first.content == second.content
        assert f'filename="{NAME}-ab.{form}"' in first.headers["content-disposition"]
        assert first.headers["content-security-policy"].startswith("default-src 'none'")
        assert first.headers["x-content-type-options"] == "nosniff"
    found = report(bench, datetime.fromisoformat(AS_OF))
    assert get(gateway, as_of=AS_OF).text == as_json(found) + "\n"
    lines = list(csv.DictReader(io.StringIO(get(gateway, format="csv", as_of=AS_OF).text)))
    assert len(lines) == 2 * len(found["metrics"])
    assert found["conclusions"][0]["code"] in get(gateway, format="html", as_of=AS_OF).text.lower()


def test_without_a_stage_it_is_the_one_that_decides(gateway: Gateway, engine: Engine) -> None:
    ramped(engine, subjects=200, start_at=START)
    assert get(gateway).json()["stage"] == "ab"
    assert get(gateway, stage="canary").json()["stage"] == "canary"
    early = get(gateway, as_of=(START + timedelta(days=1)).isoformat()).json()
    assert (early["state"], len(early["epochs"])) == ("canary", 1)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"as_of": "2999-01-01T00:00:00Z"}, "lies in the future"),
        ({"as_of": "2001-01-01T00:00:00Z"}, "was started at"),
        ({"as_of": "2026-11-01T00:00:00"}, "timezone"),
        ({"as_of": "yesterday"}, "yesterday"),
    ],
)
def test_a_moment_that_can_not_be_is_refused(
    gateway: Gateway, engine: Engine, query: dict[str, str], words: str
) -> None:
    ramped(engine, subjects=10, start_at=START)
    reply = get(gateway, **query)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (400, "as_of")
    assert words in error["message"]


def test_what_can_not_be_reported_says_what_to_do(gateway: Gateway) -> None:
    unknown = get(gateway, "/v1/experiments/gone/results")
    assert unknown.status_code == 404
    assert "GET /v1/experiments lists them" in unknown.json()["error"]["message"]
    waiting = get(gateway, "/v1/experiments/never-started/results")
    assert (waiting.status_code, waiting.json()["error"]["param"]) == (409, "name")
    assert "POST /v1/experiments/never-started:start" in waiting.json()["error"]["message"]
    assert get(gateway, format="pdf").json()["error"]["param"] == "format"


def test_reports_are_for_analysts(gateway: Gateway, engine: Engine) -> None:
    ramped(engine, subjects=50, start_at=START)
    scopes: list[KeyScope] = ["analyst", "answer"]
    keys = {scope: create_key(engine, scope, [scope]) for scope in scopes}
    wait_until(lambda: get(gateway).status_code == 401)
    with gateway.client() as client:
        found = {
            scope: client.get(BASE, headers={"authorization": f"Bearer {key}"}).status_code
            for scope, key in keys.items()
        }
        assert found == {"analyst": 200, "answer": 403}
        assert client.get("/console/experiments").status_code == 200, "the pages hold nothing"
        assert client.get(f"/console/experiments/{NAME}").status_code == 200


def test_the_pages_of_the_console_run_what_the_service_serves_alone(gateway: Gateway) -> None:
    for path in ("/console/experiments", "/console/experiments/any-name"):
        page = get(gateway, path)
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe-inline" not in page.headers["content-security-policy"]
        assert "<style" not in page.text
        assert " style=" not in page.text
    for asset in ("console.js", "console.css", "report.css"):
        assert get(gateway, f"/page/{asset}").status_code == 200


def test_a_reload_counts_nothing_again_until_something_happens(engine: Engine, gateway: Gateway) -> None:
    from service.experiments.lifecycle import Actor, stop

    bench = ramped(engine, subjects=100, start_at=START)
    now = [START + timedelta(days=30, seconds=7)]
    with ThreadPoolExecutor(1) as executor:
        reports = Reports(engine, bench.scope, executor, lambda: now[0])
        first = reports.make(Asked(NAME))
        assert first["as_of"] == (START + timedelta(days=30)).isoformat()
        with engine.begin() as connection:
            connection.execute(text("delete from answers"))
        assert reports.make(Asked(NAME)) is first
        now[0] += timedelta(minutes=1)
        assert reports.make(Asked(NAME)) != first
        stop(engine, NAME, Actor("tester", "done", 0, now[0] - timedelta(seconds=30)))
        assert reports.make(Asked(NAME))["state"] == "stopped"
        with pytest.raises(InvalidRequestError, match="future"):
            reports.make(Asked(NAME, as_of=now[0] + timedelta(seconds=1)))
    assert json.loads(as_json(first)) == first
