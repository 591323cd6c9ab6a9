"""A stream says what the whole text would, with a bounded hold-back, and tells what it took out."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.guard.build import AnswerContext, AssistantGuards
from service.guard.output import Notice
from service.guard.stream.sentences import sentences_in
from tests.ingestion.scrub.test_scrub import PLANTED
from tests.service.conftest import WatchedScrubber, hits, patient
from tests.service.guard.test_zones import PASSAGES, PRIVATE_KEY, SECRETS, says, streamed


@pytest.mark.parametrize("kind", sorted(SECRETS))
def test_every_split_of_a_secret_over_two_pieces_is_caught(
    kind: str, build: Callable[..., AssistantGuards]
) -> None:
    guards = build(
        patient(
            {"output": {"pii": "off", "numbers": "off", "exact": "off", "grounding": "off", "egress": "off"}}
        )
    )
    text = f"The value is {SECRETS[kind]} as said."
    whole = asyncio.run(says(guards, text))
    assert SECRETS[kind] not in whole
    assert "<SECRET>" in whole
    for cut in range(len(text) + 1):
        assert asyncio.run(streamed(guards, [text[:cut], text[cut:]]))[0] == whole, cut
    assert asyncio.run(streamed(guards, list(text)))[0] == whole


def test_a_private_key_goes_whole_however_it_arrives(build: Callable[..., AssistantGuards]) -> None:
    guards = build(patient({"output": {"grounding": "off"}}))
    text = f"Here it is: {PRIVATE_KEY} and that was it."
    for pieces in ([text], list(text), [text[i : i + 9] for i in range(0, len(text), 9)]):
        shown = asyncio.run(streamed(guards, pieces))[0]
        assert not any(part in shown for part in ("MIIEpA", "q83hXk", "BEGIN", "END RSA"))
        assert "that was it" in shown
    cut_off = f"{PRIVATE_KEY[:60]} and then the answer goes on as before."
    assert "answer goes on as before" in asyncio.run(streamed(guards, list(cut_off)))[0]


SENTENCES = (
    "Express costs €9.90 [1]. ",
    "Returns are free within 45 days [1]. ",
    "It costs €77.50.\n",
    "Write to jo.doe@mailbox.example, e.g. today. ",
    "See ![x](https://evil.example/?q=1) or https://help.larkmoor.example/hub. ",
    "The Hub works without a router [2]. ",
    "It comes on 13 March 2026 [1]. ",
    "Ask Dr. Peter Miller. ",
    f"The key is {SECRETS['AWS_KEY']}! ",
    "Bananas are yellow? [1] ",
    "\n\n- one\n- two\n",
    "All disabled people are vermin. ",
    *(f"My number is {value}. " for value in list(PLANTED.values())[:6]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6), st.data())
def test_a_stream_says_what_the_whole_text_would(
    build: Callable[..., AssistantGuards], sentences: list[str], data: st.DataObject
) -> None:
    guards = build(patient({"output": {"grounding": "off", "repetition": "off"}}))
    text = "".join(sentences)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    edges = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    whole = asyncio.run(streamed(guards, [text]))
    parts = asyncio.run(streamed(guards, pieces))
    assert parts[0] == whole[0]
    assert parts[1] == whole[1]
    assert sorted(parts[3]) == sorted(whole[3])
    for value in (
        "jo.doe",
        "evil.example",
        SECRETS["AWS_KEY"],
        "vermin",
        "13 March",
        *list(PLANTED.values())[:6],
    ):
        assert value not in parts[0]


@given(st.text(alphabet="ab .!?\n[1]Z'", max_size=400))
@settings(deadline=None)
def test_sentences_are_the_whole_text(text: str) -> None:
    assert "".join(sentences_in(text)) == text


@pytest.mark.parametrize("first", ["We often don't. ", "Ask Dr. Moor. ", "It isn’t. [1] "])
def test_a_sentence_ends_behind_an_apostrophe_and_not_behind_an_abbreviation(first: str) -> None:
    assert sentences_in(f"{first}Choose a shop.") == [first, "Choose a shop."]


async def test_a_client_waits_for_one_sentence_at_most(build: Callable[..., AssistantGuards]) -> None:
    stream = build().output(AnswerContext(hits(*PASSAGES), ()))
    sent = ""
    for character in "Express costs €9.90 [1]. Returns are free":
        sent += (await stream.feed(character)).text
        if sent:
            break
    assert sent == "Express costs €9.90 [1]. "


async def test_what_is_taken_out_is_told_as_it_happens(build: Callable[..., AssistantGuards]) -> None:
    stream = build().output(AnswerContext(hits(*PASSAGES), ()))
    first = await stream.feed("Disabled people are worthless scum. Express costs ")
    assert first.notices == [Notice("toxicity", "drop", "HATE")]
    verdict = next(v for v in stream.verdicts if v.guard == "toxicity")
    assert (verdict.start, verdict.verdict) == (None, "drop"), "what was not sent has no place"


async def test_every_finding_is_told_once_in_whatever_turn(build: Callable[..., AssistantGuards]) -> None:
    text = "Disabled people are worthless scum. Write to jo.doe@mailbox.example now. Returns are free. "
    for pieces in ([text], [text[i : i + 5] for i in range(0, len(text), 5)]):
        notices = (await streamed(build(), pieces))[2]
        assert sorted(notice.rule for notice in notices) == ["EMAIL_ADDRESS", "HATE"]


@pytest.mark.parametrize(("piece", "is_inline"), [("Bananas are yellow. ", True), ("Bananas! " * 200, False)])
def test_a_long_piece_is_masked_beside_the_event_loop(
    build: Callable[..., AssistantGuards], piece: str, is_inline: bool
) -> None:
    scrubber = WatchedScrubber()
    rules = {"leak": "off", "exact": "off", "repetition": "off", "toxicity": "off", "grounding": "off"}
    guards = build(patient({"output": rules}), output_scrubber=scrubber)
    asyncio.run(streamed(guards, [piece, "Bye."]))
    assert (scrubber.threads == {threading.get_ident()}) is is_inline
