"""The rows that benchmarks and pictures are made of are what a gateway would have written."""

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evals.bench.experiments_rows import END, LARGEST, Volume, write
from service.database import migrate, open_database
from service.experiments.report import Question, report_of
from service.experiments.store import read_experiment, read_experiments
from service.scope.metrics import METRICS
from service.tables import Answer, Exposure, FeedbackEvent

VOLUME = Volume(experiments=4, answers=3_000, largest=0.8)


def test_they_hold_as_much_as_was_asked_for_and_can_be_trusted(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/rows.db")
    migrate(engine)
    write(engine, VOLUME)
    with Session(engine) as session:
        counts = {
            table: session.scalar(select(func.count()).select_from(table))
            for table in (Answer, Exposure, FeedbackEvent)
        }
        of_largest = session.scalar(
            select(func.count()).select_from(Answer).where(Answer.experiment == LARGEST)
        )
    assert (counts[Answer], of_largest) == (3_000, 2_400)
    assert 0 < (counts[Exposure] or 0) < 3_000
    assert 0 < (counts[FeedbackEvent] or 0) < 3_000
    assert len(read_experiments(engine)) == 4
    running = read_experiment(engine, LARGEST)
    assert running
    found = report_of(engine, Question(running, METRICS, END))
    assert found["integrity"]["problem"] == ""
    assert found["maturity"]["is_ended"]
    assert len(found["epochs"]) == 4
    engine.dispose()


def test_they_are_the_same_each_time(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        engine = open_database(f"sqlite:///{tmp_path}/{name}.db")
        migrate(engine)
        write(engine, VOLUME)
        with engine.connect() as connection:
            found.append(
                [tuple(row) for row in connection.execute(select(Answer.__table__).order_by(Answer.id))]
            )
        engine.dispose()
    assert found[0] == found[1]
