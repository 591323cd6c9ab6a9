"""One list of fields serves the reply, the record and the metrics."""

from dataclasses import fields

from service.answer.outcome import RECORDED, Outcome
from service.tables import Answer

SHOWN_ALONE = {"notices", "calls"}


def test_every_column_of_the_record_is_a_field_and_every_other_field_is_shown_alone() -> None:
    names = {field.name for field in fields(Outcome)}
    assert set(RECORDED) == {column.name for column in Answer.__table__.columns}
    assert all(hasattr(Outcome, name) for name in RECORDED)
    assert names - set(RECORDED) == SHOWN_ALONE
