"""Limits hold before any pattern reads a word, and what is long is read beside the event loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingestion.scrub import Scrubber
from service.answer.request import RawMessage
from service.answer.understand import HISTORY_MESSAGES, recent, screened
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.guard.input import InputGuards
from service.guard.texts import RawText
from service.scope.policy import policy_of
from tests.conftest import StartGateway
from tests.service.conftest import WatchedScrubber
from tests.upstream import ScriptedUpstream

QUESTION = RawText("What does express delivery cost?")


def input_guards(scrubber: Scrubber, executor: ThreadPoolExecutor, **rules: object) -> InputGuards:
    guards = AssistantGuards(
        policy_of({"input": rules}),
        input_scrubber=scrubber,
        output_scrubber=scrubber,
        models=None,
        executor=executor,
        digests=Digests(b"test"),
        canary="",
    )
    assert guards.input is not None
    return guards.input


def said(*texts: str) -> list[RawMessage]:
    return [RawMessage("user" if i % 2 == 0 else "assistant", RawText(text)) for i, text in enumerate(texts)]


def test_a_long_conversation_loses_its_oldest_messages_first() -> None:
    assert recent(said("a" * 50, "b" * 40, "c" * 60), 100) == said("a" * 50, "b" * 40, "c" * 60)[1:]
    assert recent(said("a", "b", "c"), 100) == said("a", "b", "c")


def test_what_stands_before_a_message_that_is_too_long_is_left_out_with_it() -> None:
    assert recent(said("a", "@" * 101, "c"), 100) == said("a", "b", "c")[2:]


def test_a_conversation_of_many_short_messages_is_bounded_too() -> None:
    messages = said(*(str(i) for i in range(HISTORY_MESSAGES * 2)))
    assert recent(messages, 10_000) == messages[-HISTORY_MESSAGES:]


def test_a_text_beyond_the_length_rule_is_read_by_no_pattern() -> None:
    scrubber = WatchedScrubber()
    with ThreadPoolExecutor(1) as executor:
        guards = input_guards(scrubber, executor, length={"limit": 10})
        result = guards.screen(RawText("jo.doe@mailbox.example"))
    assert [(v.guard, v.verdict) for v in result.verdicts] == [("length", "block")]
    assert (result.text, scrubber.texts) == ("", [])


def test_a_text_beyond_a_length_rule_that_only_flags_is_read() -> None:
    scrubber = WatchedScrubber()
    with ThreadPoolExecutor(1) as executor:
        guards = input_guards(scrubber, executor, length={"limit": 10, "action": "flag"})
        result = guards.screen(RawText("I am jo.doe@mailbox.example"))
    assert result.text == "I am <EMAIL_ADDRESS>"


@pytest.mark.parametrize(
    ("question", "history", "is_inline"),
    [
        (QUESTION, said("Hello"), True),
        (RawText("why " * 500), [], False),
        (QUESTION, said("x " * 900), False),
    ],
    ids=["short", "long question", "long history"],
)
def test_long_texts_are_screened_beside_the_event_loop(
    question: RawText, history: list[RawMessage], is_inline: bool
) -> None:
    scrubber = WatchedScrubber()

    def searched(text: RawText) -> object:
        scrubber.find(text)
        return text

    with ThreadPoolExecutor(1) as executor:
        guards = input_guards(scrubber, executor)
        asyncio.run(screened(guards, searched, question, history))  # type: ignore[arg-type]
    assert (scrubber.threads == {threading.get_ident()}) is is_inline
    assert is_inline or threading.get_ident() not in scrubber.threads


def test_a_client_hears_that_older_messages_were_left_out(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    messages = [
        {"role": "user", "content": "@" * 200_000},
        {"role": "assistant", "content": "What?"},
        {"role": "user", "content": QUESTION},
    ]
    with start_gateway(generator_url=upstream.url) as gateway:
        rag = gateway.ask("", messages=messages).json()["rag"]
        short = gateway.ask("", messages=messages[1:]).json()["rag"]
    told = [(v["guard"], v["verdict"], v["rule"]) for v in rag["guards"]]
    assert ("length", "flag", "HISTORY_TOO_LONG") in told
    assert not any(v["guard"] == "length" for v in short["guards"])
    assert "@@@" not in str(upstream.bodies)
