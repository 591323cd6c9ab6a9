"""PostgreSQL counts what SQLite counts: the same report to the byte, and again from what it exports."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from service.database import migrate, open_database
from service.experiments.export import DECLARATIONS, TABLES, export, export_declarations, extent_of, new_file
from service.experiments.recompute import recompute
from service.experiments.reports import as_json
from service.tables import Base
from tests.service.experiments.conftest import DAY, Bench
from tests.service.experiments.stories import LATER, NAME, ramped, report
from tests.service.test_postgres import Postgres, server  # noqa: F401  # the fixture

pytestmark = pytest.mark.postgres


@pytest.fixture
def copy(server: Postgres, bench_of_story: Bench) -> Iterator[Bench]:  # noqa: F811
    """The same rows in PostgreSQL."""
    engine = open_database(server.url)
    migrate(engine)
    with bench_of_story.engine.connect() as source, engine.begin() as target:
        for table in Base.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in source.execute(select(table))]
            if rows:
                target.execute(insert(table), rows)
    yield Bench(engine, bench_of_story.scope)
    engine.dispose()


@pytest.fixture
def bench_of_story(engine: Engine) -> Bench:
    return ramped(engine, subjects=500)


def test_both_databases_give_the_same_report_and_the_export_does_too(
    bench_of_story: Bench, copy: Bench, tmp_path: Path
) -> None:
    for as_of in (LATER, DAY + timedelta(days=8, hours=5, minutes=3), DAY + timedelta(hours=3)):
        for stage in ("ab", "canary"):
            assert as_json(report(copy, as_of, stage)) == as_json(report(bench_of_story, as_of, stage))
    extent = extent_of(copy.engine, NAME, "parquet", has_text=False)
    for what in TABLES:
        with new_file(tmp_path / f"{what}.parquet") as file:
            assert export(copy.engine, what, extent, file) > 0
    with new_file(tmp_path / DECLARATIONS) as file:
        export_declarations(copy.engine, copy.scope.all_metrics, extent, file)
    assert recompute(tmp_path, NAME, LATER) == as_json(report(bench_of_story))
