"""What a generator is told: the prompts by name, an assistant's own instructions, an example of an answer."""

from pathlib import Path

import pytest
import yaml

from ingestion.errors import ScopeError
from service.answer.prompts import Marking, Message, load_prompt, prompt_names, render
from service.guard.texts import MaskedText
from service.scope.file import Variant
from tests.conftest import StartGateway, scope_with
from tests.upstream import ScriptedUpstream

QUESTION = "What does express delivery cost?"
FRIENDLY = "Call the customer by name if you know it. Write to people who have never seen a router before."


def test_every_prompt_can_be_chosen_and_a_wrong_name_is_told() -> None:
    chosen = Variant.model_fields["prompt"].annotation
    assert sorted(chosen.__args__) == prompt_names()  # type: ignore[union-attr]
    with pytest.raises(ScopeError, match="'short'.*'brief', 'cited'"):
        load_prompt("short")


def test_an_example_is_a_turn_before_the_conversation_in_the_same_fence() -> None:
    history = [Message("user", MaskedText("Hi")), Message("assistant", MaskedText("Hello."))]
    messages = render(load_prompt("brief"), "Why?", history, [], Marking("77aa"))
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[1]["content"].count("<passage-77aa number=") == 2
    assert messages[2]["content"].endswith("[2]")
    assert len(render(load_prompt("brief"), "Why?", [], [], form={"type": "json_object"})) == 2


def test_instructions_stand_below_the_rules_and_change_the_digest() -> None:
    plain, told = load_prompt("cited"), load_prompt("cited", FRIENDLY)
    assert told.rules.startswith(plain.rules)
    assert told.rules.endswith(FRIENDLY)
    assert len({plain.digest, told.digest, load_prompt("brief").digest}) == 3
    assert load_prompt("cited", " \n") == plain


def test_an_assistants_instructions_reach_its_generator_and_never_the_client(
    start_gateway: StartGateway, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    path = scope_with(tmp_path)
    raw = yaml.safe_load(path.read_text())
    raw["assistants"]["support"]["instructions"] = FRIENDLY
    raw["variants"][raw["assistants"]["support"]["variant"]]["prompt"] = "brief"
    path.write_text(yaml.safe_dump(raw))
    with start_gateway(generator_url=upstream.url, scope_file=path) as gateway:
        assert gateway.ask(QUESTION).json()["rag"]["outcome"] == "answered"
        sent = upstream.bodies[-1]["messages"]
        assert sent[0]["content"].startswith(load_prompt("brief", FRIENDLY).rules)
        upstream.tokens = ["Express costs €9.90. [1] ", FRIENDLY, " The end."]
        body = gateway.ask(QUESTION).json()
    assert body["rag"]["outcome"] == "refused"
    assert FRIENDLY not in body["choices"][0]["message"]["content"]
