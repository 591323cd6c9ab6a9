"""Files of questions that people wrote: read whole, or refused with the line."""

from pathlib import Path

import orjson
import pytest

from evals.case import load_cases
from finetune.lora.leaks import content_words
from finetune.lora.recipe import QuestionFile
from finetune.lora.written import folded, read_written
from finetune.yaml_file import TrainingDataError
from tests.conftest import ROOT

QUESTIONS = ROOT / "finetune/lora/recipes/demo-questions.jsonl"


def of(path: Path) -> QuestionFile:
    return QuestionFile(path=str(path), licence="internal")


def test_questions_of_several_files_come_together_by_their_sentence(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_bytes(orjson.dumps({"answer": "It takes  two days.", "questions": ["how long? ", "how long?"]}))
    other.write_bytes(
        b"\n" + orjson.dumps({"answer": "it takes two days.", "questions": ["When is it done?"]})
    )
    found = read_written([of(one), of(other)])
    assert found[folded("It takes two DAYS.")].questions == ("how long?", "When is it done?")
    assert found["it takes two days."].source.digest
    assert read_written([]) == {}


@pytest.mark.parametrize(
    "line", [b"{", b'{"answer": "A."}', b'{"answer": "A.", "questions": []}', b'["a"]', b"\xff"]
)
def test_a_wrong_line_is_named(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(orjson.dumps({"answer": "A.", "questions": ["B?"]}) + b"\n" + line + b"\n")
    with pytest.raises(TrainingDataError, match="Line 2 of"):
        read_written([of(path)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"none\.jsonl.*questions_from"):
        read_written([of(tmp_path / "none.jsonl")])


def test_no_question_of_the_demo_is_about_what_an_evaluation_case_asks() -> None:
    passages = [folded(case.passage) for case in load_cases(ROOT / "evals/cases/demo.jsonl") if case.passage]
    asked = [content_words(case.question) for case in load_cases(ROOT / "evals/cases/demo.jsonl")]
    for answer, written in read_written([of(QUESTIONS)]).items():
        assert not any(passage in answer or answer in passage for passage in passages)
        for question in written.questions:
            assert content_words(question) not in asked
