"""Offsets of verdicts are characters of the answer as it was sent, or there are none."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.guard.build import AnswerContext, AssistantGuards
from service.guard.chain import Verdict
from service.guard.stream.offsets import Offsets
from tests.service.conftest import hits, patient

pieces = st.lists(
    st.tuples(st.text("abc ", min_size=1, max_size=6), st.sampled_from(["same", "gone", "cut", "other"]))
)


def outcome_of(text: str, fate: str) -> str:
    return {"same": text, "gone": "", "cut": text[: len(text) // 2], "other": "XYZ"}[fate]


@given(pieces, st.integers(0, 40), st.integers(0, 10))
def test_what_is_found_again_is_what_was_pointed_at(
    raw: list[tuple[str, str]], start: int, size: int
) -> None:
    offsets = Offsets()
    before = after = ""
    for text, fate in raw:
        out = outcome_of(text, fate)
        offsets.add(text, out)
        before, after = before + text, after + out
    found = offsets.find(start, start + size)
    assert offsets.out == len(after)
    if found is not None:
        assert 0 <= found[0] <= found[1] <= len(after)
        first = before[start : start + size]
        assert after[found[0] : found[1]].startswith(first[:1])
    if all(fate == "same" for _, fate in raw) and start < len(before):
        assert found == (start, min(start + size, len(before)))


PASSAGES = ("Express costs €9.90 and takes one day. Write to the shop for help.",)
ANSWER = (
    "  Express costs €9.90 [1]. Mail bo@other.example or call the shop today [1]. It does not cost €9.90 here [1]."
    " Ask Wilhelmina Brandt about it [1]."
)


async def judged(guards: AssistantGuards, size: int) -> tuple[str, list[Verdict]]:
    stream = guards.output(AnswerContext(hits(*PASSAGES), ("What does express cost?",)))
    parts = [await stream.feed(ANSWER[i : i + size]) for i in range(0, len(ANSWER), size)]
    parts.append(await stream.close())
    return "".join(part.text for part in parts), stream.verdicts


@pytest.mark.parametrize("size", [1, 4, 17, 1_000])
async def test_flags_point_at_the_words_that_they_are_about(
    build: Callable[..., AssistantGuards], size: int
) -> None:
    flagged = {"pii": "flag", "numbers": "flag", "exact": "flag", "toxicity": "off", "grounding": "off"}
    text, verdicts = await judged(build(patient({"output": flagged})), size)
    assert text == ANSWER
    at = {
        verdict.rule: text[verdict.start : verdict.end] for verdict in verdicts if verdict.start is not None
    }
    assert at["EMAIL_ADDRESS"] == "bo@other.example"
    assert at["NAME"] == "Wilhelmina"
    assert at["NEGATION"].strip() == "It does not cost €9.90 here [1]."
    assert all(0 <= v.start < (v.end or 0) <= len(text) for v in verdicts if v.start is not None)


@pytest.mark.parametrize("size", [1, 4, 17, 1_000])
async def test_what_was_taken_out_has_no_place_and_what_follows_keeps_its_own(
    build: Callable[..., AssistantGuards], size: int
) -> None:
    policy = patient({"output": {"exact": "drop", "toxicity": "off", "grounding": "off", "numbers": "flag"}})
    text, verdicts = await judged(build(policy), size)
    assert "Brandt" not in text
    assert "<EMAIL_ADDRESS>" in text
    taken = [verdict for verdict in verdicts if verdict.verdict in ("redact", "drop")]
    assert {verdict.rule for verdict in taken} >= {"EMAIL_ADDRESS", "NAME"}
    assert [(v.start, v.end) for v in taken] == [(None, None)] * len(taken)


async def test_the_askers_own_data_put_back_moves_what_follows(build: Callable[..., AssistantGuards]) -> None:
    policy = patient(
        {
            "input": {"pii": {"restore": True}},
            "output": {"exact": "flag", "toxicity": "off", "grounding": "off"},
        }
    )
    guards = build(policy)
    originals = {"<EMAIL_ADDRESS>": {"jo.doe@mailbox.example"}}
    stream = guards.output(AnswerContext(hits(*PASSAGES), ("x",), frozenset(), originals))
    parts = [await stream.feed(t) for t in ("We wrote to <EMAIL_ADDRESS>. ", "Ask Mr Brandt now. ", "Bye.")]
    parts.append(await stream.close())
    text = "".join(part.text for part in parts)
    assert "jo.doe@mailbox.example" in text
    places = [(v.rule, text[v.start : v.end]) for v in stream.verdicts if v.start is not None]
    assert ("NAME", "Mr") in places or ("NAME", "Brandt") in places
