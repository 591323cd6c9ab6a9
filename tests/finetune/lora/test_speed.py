"""The rows of the benchmark have the shape of serving: five passages, questions about each set, an answer copied from one."""

import re
from collections import Counter

import pytest

from finetune.lora.speed import rows_for


@pytest.mark.parametrize("groups", [3, 12])
def test_rows_are_as_serving_has_them(groups: int) -> None:
    rows = rows_for(groups)
    assert Counter(row.group for row in rows) == Counter({f"set-{number}": 6 for number in range(groups)})
    assert {row.split for row in rows} == {"train", "development"}
    assert len({(row.group, row.split) for row in rows}) == groups
    for row in rows:
        told = row.messages[-1]["content"]
        assert len(re.findall(r"<passage number=\d>", told)) == 5
        sentence, number = row.completion.rsplit(" ", 1)
        assert number == f"[{row.gold}]"
        passage = told.split(f"<passage number={row.gold}>")[1].split("</passage>")[0]
        assert sentence in passage
        assert told.endswith(f"Question: {row.question}")


def test_questions_of_a_set_come_behind_the_same_passages() -> None:
    rows = [row for row in rows_for(3) if row.group == "set-0"]
    assert len({row.messages[-1]["content"].split("Question:")[0] for row in rows}) == 1


def test_the_same_seed_gives_the_same_rows() -> None:
    assert rows_for(2) == rows_for(2)
    assert rows_for(2) != rows_for(2, seed=8)
