"""No row gives an evaluation case away, however it is told; other questions about the same documents stay."""

import json
from pathlib import Path

import pytest

from finetune.lora.leaks import KeptOut, content_words, leaks_of, read_cases
from finetune.lora.rows import Row, Source
from finetune.yaml_file import TrainingDataError
from ingestion.embed import Embedder
from tests.conftest import ROOT

CASES = (
    KeptOut("How long does my basket keep what I put in it?", ("14 days",)),
    KeptOut("Where is your warehouse?", ("Venlo",)),
    KeptOut("Can I pay by bank transfer?", ()),
)


def row(question: str, completion: str = "Something else. [1]", passage: str = "Nothing.") -> Row:
    messages = (
        {"role": "system", "content": "Answer from the passages."},
        {"role": "user", "content": f"{passage}\n\n{question}"},
    )
    return Row("sft", "g", messages, completion, (Source("document", "a.md"),), question=question)


def reason(one: Row, embedder: Embedder) -> str | None:
    return leaks_of([one], CASES, embedder)[0]


@pytest.mark.parametrize(
    ("question", "completion", "expected"),
    [
        ("where is YOUR warehouse", "x", "evaluation_text"),
        ("Tell me where your warehouses are", "x", "evaluation_words"),
        ("How long does the basket keep contents?", "For 14 days. [2]", "evaluation_words"),
        ("How long are the contents of a basket kept?", "For 14 days. [2]", "evaluation_meaning"),
        ("Is it possible to pay with a bank transfer?", "x", "evaluation_words"),
        ("Could I make my payment through a bank transfer?", "x", "evaluation_meaning"),
        ("How long does the battery last?", "14 days. [1]", None),
        ("How long are the contents of a shop kept?", "For 30 days. [2]", None),
        ("What does the Hub cost?", "It costs €99. [1]", None),
    ],
)
def test_a_question_of_a_case_is_found_in_other_words_too(
    question: str, completion: str, expected: str | None, embedder: Embedder
) -> None:
    assert reason(row(question, completion), embedder) == expected


def test_a_cases_question_is_found_wherever_it_stands(embedder: Embedder) -> None:
    quoted = "Customers ask: Where is your   warehouse?! We tell them."
    assert reason(row("What else?", passage=quoted), embedder) == "evaluation_text"
    assert reason(row("What else?", completion=quoted), embedder) == "evaluation_text"
    kept = row("What else?", passage="Where is your warehouseman?")
    assert reason(kept, embedder) is None


def test_a_row_of_a_file_has_a_question_without_naming_it(embedder: Embedder) -> None:
    messages = (
        {"role": "user", "content": "Warehouse: where?"},
        {"role": "assistant", "content": "In town."},
    )
    one = Row("sft", "g", messages, "x", (Source("file", "f:1"),))
    assert reason(one, embedder) == "evaluation_words"


def test_nothing_leaks_where_there_is_nothing_to_leak(embedder: Embedder) -> None:
    assert leaks_of([row("Where is your warehouse?")], (), embedder) == [None]
    assert leaks_of([], CASES, embedder) == []


def test_words_that_say_nothing_dont_make_two_questions_alike() -> None:
    assert content_words("How long do I have to wait?") != content_words("How long do I have to pay?")
    assert content_words("What do deliveries cost?") == content_words("What does the delivery cost?")
    assert content_words("What is it?") == content_words("what IS it")


def test_every_case_of_this_repository_would_be_found(embedder: Embedder) -> None:
    cases = read_cases([ROOT / "evals/cases/demo.jsonl"])
    rows = [row(case.question) for case in cases]
    assert len(rows) > 40
    assert None not in leaks_of(rows, cases, embedder)


@pytest.mark.parametrize(
    "line", ["{", '{"text": "a"}', '{"question": 3}', '["a"]', '{"question": "a", "answers": [1]}']
)
def test_a_file_that_holds_no_cases_is_refused_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps({"question": "Why?"}) + "\n\n" + line + "\n")
    with pytest.raises(TrainingDataError, match=r"Line 3 of .*cases\.jsonl"):
        read_cases([path])


def test_a_missing_file_of_cases_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="keep_out"):
        read_cases([tmp_path / "none.jsonl"])
