"""A dataset of the demo: rows as serving is, nothing of the evaluation, everything with where it came from."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from sqlalchemy.orm import Session

from evals.case import load_cases
from finetune.lora.dataset import prepare, told
from finetune.lora.passages import is_development
from finetune.lora.recipe import Recipe, load_recipe
from finetune.lora.rows import Dataset, Row, open_dataset
from finetune.yaml_file import TrainingDataError
from service.answer.prompts import NO_ANSWER
from service.database import migrate, open_database
from service.feedback.curated.answer import CuratedSource, CuratedText
from service.feedback.curated.store import put
from service.feedback.record import write
from service.settings import Settings
from service.tables import Answer
from tests.conftest import ROOT, SCOPE, Demo
from tests.service.answer.test_record import a_row
from tests.service.feedback.samples import SOMEBODY, an_event

TODAY = date(2026, 6, 1)
RECIPE = ROOT / "finetune/lora/recipes/demo.yaml"
QUESTIONS = ROOT / "finetune/lora/recipes/demo-questions.jsonl"
_PASSAGE = re.compile(r"<passage-([0-9a-f]{8}) number=(\d)>\n(.*?)\n</passage-\1>", re.DOTALL)


@pytest.fixture(scope="module")
def settings(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("finetune") / "data"
    shutil.copytree(demo.data_dir, folder)
    made = Settings(data_dir=folder, scope_file=SCOPE)
    migrate(open_database(made.database()))
    return made


def recipe(**changes: Any) -> Recipe:
    raw = load_recipe(RECIPE).model_dump()
    raw["data"]["documents"]["contexts"] = 60
    raw["data"]["keep_out"] = [str(ROOT / "evals/cases/demo.jsonl")]
    raw["data"]["documents"]["questions_from"][0]["path"] = str(QUESTIONS)
    raw["training"]["choice"] = 0.0
    raw["data"] |= changes.pop("data", {})
    raw["training"] |= changes.pop("training", {})
    return Recipe.model_validate({**raw, **changes})


@pytest.fixture(scope="module")
def dataset(settings: Settings) -> Dataset:
    return prepare(recipe(), settings, today=TODAY)


def passages(row: Row) -> dict[int, str]:
    return {int(number): text for _, number, text in _PASSAGE.findall(row.messages[-1]["content"])}


def test_an_answer_is_the_words_of_the_passage_that_it_names(dataset: Dataset) -> None:
    answerable = [row for row in dataset.rows if row.is_answerable]
    assert len(answerable) > 150
    for row in answerable:
        said = re.findall(r"(.+?) \[(\d)\](?: |$)", row.completion, re.DOTALL)
        assert 1 <= len(said) <= 3
        assert {int(number) for _, number in said} == {row.gold}
        (first, _), *_ = said
        told = passages(row)[row.gold or 0]
        assert sum(first in text for text in passages(row).values()) == 1
        places = [told.find(sentence) for sentence, _ in said]
        assert places == sorted(places)
        assert min(places) >= 0


def test_what_nothing_answers_looks_like_the_rest(dataset: Dataset) -> None:
    without = [row for row in dataset.rows if not row.is_answerable]
    assert 0.1 < len(without) / len(dataset.rows) < 0.3
    assert {row.completion for row in without} == {NO_ANSWER}
    # Each asks about the very passages that others of its group ask about.
    groups = {row.group for row in dataset.rows if row.is_answerable}
    assert sum(row.group in groups for row in without) > 0.9 * len(without)


def test_the_right_passage_stands_anywhere(dataset: Dataset) -> None:
    places = [row.gold for row in dataset.of("train") if row.gold]
    assert all(places.count(place) > 0.08 * len(places) for place in range(1, 6))
    assert places.count(1) < 0.6 * len(places)


def test_rows_of_a_group_share_all_but_the_question(dataset: Dataset) -> None:
    by_group: dict[str, list[Row]] = {}
    for row in dataset.rows:
        by_group.setdefault(row.group, []).append(row)
    assert len(dataset.rows) / len(by_group) > 3
    for rows in by_group.values():
        contexts = {row.messages[-1]["content"].rpartition("\n\nQuestion: ")[0] for row in rows}
        assert len(contexts) == 1
        assert {row.split for row in rows} in ({"train"}, {"development"})


def test_no_row_has_an_evaluation_case_or_what_answers_it(dataset: Dataset) -> None:
    cases = load_cases(ROOT / "evals/cases/demo.jsonl")
    asked = {case.question.casefold() for case in cases}
    answering = [case.passage.casefold() for case in cases if case.passage]
    for row in dataset.rows:
        assert row.question.casefold() not in asked
        shown = " ".join(row.messages[-1]["content"].casefold().split())
        assert not any(" ".join(passage.split()) in shown for passage in answering)


def test_documents_are_on_one_side_and_questions_too(dataset: Dataset) -> None:
    shown = {s.id for row in dataset.of("train") for s in row.sources if s.kind == "document"}
    assert not any(is_development(one, 0.1, 7) for one in shown)
    learned = {row.question.casefold() for row in dataset.of("train")}
    assert dataset.of("development")
    assert all(row.question.casefold() not in learned for row in dataset.of("development"))


def test_every_row_knows_its_documents_their_supplier_and_licence(dataset: Dataset) -> None:
    for row in dataset.rows:
        assert row.sources
        documents = [s for s in row.sources if s.kind == "document"]
        assert documents
        assert all(s.digest and s.supplier and s.licence == "internal" for s in documents)
    assert dataset.artifact.facts["licences"]["adapter"]


def test_questions_that_people_wrote_are_asked_as_they_are_of_their_sentences(dataset: Dataset) -> None:
    lines = [orjson.loads(line) for line in QUESTIONS.read_bytes().splitlines()]
    answers = {question: line["answer"] for line in lines for question in line["questions"]}
    written = [row for row in dataset.rows if any(s.kind == "questions" for s in row.sources)]
    assert len(written) > 0.6 * len(dataset.rows)
    assert {row.is_answerable for row in written} == {True, False}
    for row in written:
        assert row.question in answers
        assert not row.is_answerable or row.completion.startswith(f"{answers[row.question]} [{row.gold}]")


def test_the_same_input_gives_the_same_bytes(dataset: Dataset, settings: Settings) -> None:
    again = prepare(recipe(), settings, today=TODAY)
    assert again.artifact.folder == dataset.artifact.folder
    assert prepare(recipe(seed=8), settings, today=TODAY).digest != dataset.digest
    assert str(len(dataset.of("train"))) in told(dataset)


def test_a_damaged_dataset_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(dataset.artifact.folder, folder)
    rows = folder / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-20])
    with pytest.raises(TrainingDataError, match="differs from its manifest"):
        open_dataset(folder)


def scope_with_clearance(folder: Path, **clearance: Any) -> Path:
    raw = yaml.safe_load(SCOPE.read_text())
    raw["collections"]["help"]["clearance"] |= clearance
    raw["collections"]["help"]["sources"] = [str(ROOT / "deploy/demo/help")]
    del raw["collections"]["help"]["index"]["golden"]
    path = folder / "scope.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.mark.parametrize(
    ("clearance", "reason"),
    [
        ({"purposes": ["retrieve"]}, "not cleared for training"),
        ({"expires": "2026-05-31"}, "expired clearance"),
    ],
)
def test_documents_that_are_not_cleared_give_no_row(
    settings: Settings, tmp_path: Path, clearance: dict[str, Any], reason: str
) -> None:
    narrowed = settings.model_copy(update={"scope_file": scope_with_clearance(tmp_path, **clearance)})
    with pytest.raises(TrainingDataError, match=reason):
        prepare(recipe(), narrowed, today=TODAY)


def test_a_licence_that_is_not_allowed_stops_it(settings: Settings, tmp_path: Path) -> None:
    narrowed = settings.model_copy(
        update={"scope_file": scope_with_clearance(tmp_path, licence="CC BY-NC 4.0")}
    )
    with pytest.raises(TrainingDataError, match="CC-BY-NC-4.0"):
        prepare(recipe(), narrowed, today=TODAY)


def test_a_curated_answer_becomes_a_row_beside_what_serving_finds(demo: Demo, tmp_path: Path) -> None:
    made = with_data(demo, tmp_path)
    document = "devices/glow-lamp.html"
    text = CuratedText(
        "support", "How bright does the Glow lamp get?", "It gets bright. Ask us for more.", "en",
        ("What is the brightness of a Glow?",), (CuratedSource("Glow", document),),
    )  # fmt: skip
    put(open_database(made.database()), "bright", text, by="tester")
    found = prepare(recipe(), made, today=TODAY)
    rows = [row for row in found.rows if row.group == "curated/bright"]
    assert {row.question for row in rows} == set(text.phrasings)
    for row in rows:
        assert row.completion == f"It gets bright. [{row.gold}] Ask us for more. [{row.gold}]"
        assert {s.kind for s in row.sources} == {"curated", "document"}
    assert len({row.split for row in rows}) == 1


def with_data(demo: Demo, folder: Path) -> Settings:
    shutil.copytree(demo.data_dir, folder / "data")
    made = Settings(data_dir=folder / "data", scope_file=SCOPE)
    migrate(open_database(made.database()))
    return made


def test_corrections_and_judgements_become_rows_with_their_events(demo: Demo, tmp_path: Path) -> None:
    made = with_data(demo, tmp_path)
    engine = open_database(made.database())
    said = {
        "question": "How often must I change the filter of the Breeze?",
        "answer": "Every year or so [1].",
        "citations": [{"document_id": "devices/breeze-air-purifier.html", "chunk_id": "x", "quote": "y"}],
        "collection": "help",
        "outcome": "answered",
    }
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        session.add(Answer(**{**a_row(id="a1"), **said, "created_at": now}))
    agent = {"answer_id": "a1", "speaker": replace(SOMEBODY, actor_kind="agent"), "consent": "train"}
    correction = an_event(**agent, kind="correction", value=None, correction="Change it every 12 months.")
    write(engine, [correction, an_event(**agent, kind="thumb", value="down")])
    few = {"documents": {**recipe().data.documents.model_dump(), "contexts": 12}}
    sft = prepare(recipe(data=few), made, today=TODAY)
    (row,) = [row for row in sft.rows if any(s.kind == "event" for s in row.sources)]
    assert row.completion == f"Change it every 12 months. [{row.gold}]"
    with pytest.raises(TrainingDataError, match="too few"):
        prepare(recipe(training={"method": "dpo"}), made, today=TODAY)


def test_a_file_of_rows_is_read_and_a_wrong_line_named(
    dataset: Dataset, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    lines = (dataset.artifact.folder / "rows.jsonl").read_bytes().splitlines()[:30]
    path.write_bytes(b"\n".join(lines) + b"\n")
    none = {"documents": {**recipe().data.documents.model_dump(), "contexts": 0}, "files": [str(path)]}
    assert len(prepare(recipe(data=none), settings, today=TODAY).rows) == len(lines)
    path.write_bytes(lines[0] + b"\n" + orjson.dumps({"kind": "sft"}) + b"\n")
    with pytest.raises(TrainingDataError, match="Line 2"):
        prepare(recipe(data=none), settings, today=TODAY)
    with pytest.raises(TrainingDataError, match="can't be read"):
        prepare(recipe(data={**none, "files": [str(tmp_path / "none")]}), settings, today=TODAY)


@pytest.mark.parametrize("change", [{"assistant": "nobody"}, {"data": {"keep_out": ["no/such.jsonl"]}}])
def test_a_recipe_that_does_not_fit_names_what_is_wrong(settings: Settings, change: dict[str, Any]) -> None:
    with pytest.raises(TrainingDataError, match=r"nobody|no/such\.jsonl"):
        prepare(recipe(**change), settings, today=TODAY)
