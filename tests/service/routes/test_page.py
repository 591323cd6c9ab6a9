"""The page's files: every word that is used is there in every language, everything it loads is served, nothing else is told."""

import re
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import yaml

from service.auth import create_key
from service.database import open_database
from tests.conftest import ROOT, Gateway, StartGateway, wait_until

PAGE = ROOT / "service" / "page"
CHAT = ("app.js", "answers.js", "feedback.js", "markup.js", "passage.js", "problems.js", "strings.js")


def tables() -> Mapping[str, Mapping[str, str]]:
    """The words by language and name."""
    text = (PAGE / "strings.js").read_text("utf-8")
    found = re.findall(r"^  (\w\w): \{\n(.*?)^  \},", text, re.DOTALL | re.MULTILINE)
    return {
        language: dict(re.findall(r'^    (\w+): "(.*)",$', body, re.MULTILINE)) for language, body in found
    }


def used() -> set[str]:
    """The names of words that the page's files ask for, written out or chosen from a table."""
    code = "".join((PAGE / name).read_text("utf-8") for name in (*CHAT, "index.html"))
    asked = set(re.findall(r'words\("(\w+)"|data-(?:words|label|placeholder)="(\w+)"', code))
    written = set(re.findall(r'"(\w+)"', code))
    return {name for pair in asked for name in pair if name} | (written & tables()["en"].keys())


def test_every_language_has_every_word_with_the_same_values() -> None:
    known = tables()
    assert set(known) == {"en", "de", "es", "fr"}
    for language, words in known.items():
        assert words.keys() == known["en"].keys(), language
        for name, sentence in words.items():
            assert sentence.strip()
            assert re.findall(r"\{\w+\}", sentence) == re.findall(r"\{\w+\}", known["en"][name]), (
                language,
                name,
            )


def test_every_word_that_is_asked_for_is_there_and_every_other_is_gone() -> None:
    assert used() == tables()["en"].keys()


def test_the_words_of_the_file_are_those_of_the_english_table() -> None:
    html = (PAGE / "index.html").read_text("utf-8")
    shown = re.findall(r'data-words="(\w+)"[^>]*>([^<]+)<', html)
    assert len(shown) >= 10
    assert [(name, text) for name, text in shown if tables()["en"][name] != text] == []


def test_everything_that_the_page_loads_is_served(gateway: Gateway) -> None:
    with gateway.client() as client:
        code = "".join((PAGE / name).read_text("utf-8") for name in CHAT)
        for name in {*re.findall(r'from "\./(\S+)"', code), "app.js", "style.css"}:
            reply = client.get(f"/page/{name}")
            assert reply.status_code == 200, name
            assert reply.headers["content-type"].startswith(("text/javascript", "text/css"))


@pytest.fixture
def several(patient_scope: Path, tmp_path: Path) -> Path:
    scope = yaml.safe_load(patient_scope.read_text())
    scope["assistants"]["staff"] = {
        **scope["assistants"]["support"],
        "description": "For the staff",
        "examples": [],
    }
    path = tmp_path / "several.yaml"
    path.write_text(yaml.safe_dump(scope, sort_keys=False))
    return path


def shown(client: httpx.Client, key: str | None = None) -> list[str]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    reply = client.get("/page-config", headers=headers)
    assert reply.status_code == 200
    return [one["name"] for one in reply.json()["assistants"]]


def test_with_keys_the_other_assistants_are_named_to_who_may_ask_alone(
    start_gateway: StartGateway, several: Path
) -> None:
    with start_gateway(scope_file=several) as gateway, gateway.client() as client:
        assert shown(client) == ["support", "staff"]
        engine = open_database(gateway.settings.database())
        asker, other = create_key(engine, "asker", ["answer"]), create_key(engine, "other", ["ingest"])
        engine.dispose()
        wait_until(lambda: client.get("/v1/models").status_code == 401)
        wait_until(lambda: shown(client, asker) == ["support", "staff"])
        assert shown(client) == shown(client, other) == shown(client, "ts-wrong-key") == ["support"]
