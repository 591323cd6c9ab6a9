"""When the model of grounding has no time, a sentence that shares nothing with its passages is told all the same."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.guard.checks.sentences import GroundingGuard
from service.guard.failure import TimedJudges
from service.guard.stream.background import AdvisoryGuards, BackgroundQueue
from service.scope.policy import Rule

PASSAGES = [
    "Express delivery costs €9.90. Orders before noon arrive the next working day.",
    "Returns are free.",
]
INVENTED = "The customs duties for parcels to Mars are high [1]. "
TRUE = "Deliveries by express arrive on the next day [1]. "


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def grounding(gate: threading.Event, rule: Rule) -> GroundingGuard:
    def support(claim: str, passages: Sequence[str]) -> float:
        gate.wait(60)
        return 0.0

    return GroundingGuard(support, PASSAGES, rule)


@pytest.mark.parametrize(
    ("sentence", "is_told"),
    [
        (INVENTED, True),
        (TRUE, False),
        ("It costs 9 euros in all [1]. ", False),  # the number is in the passage
        ("It costs 77 euros in all [1]. ", True),
        ("So it is then. ", False),  # nothing rare to compare
        ("Returned products are free [2]. ", False),
        ("Express arrives tomorrow [2]. ", True),  # what it cites says nothing of it
    ],
)
def test_what_shares_no_rare_word_number_or_name_is_told_without_the_model(
    gate: threading.Event, sentence: str, is_told: bool
) -> None:
    found = grounding(gate, Rule(action="drop")).judge_cheaply(sentence)
    assert [(v.rule, v.verdict) for v in found] == ([("NOTHING_SHARED", "drop")] if is_told else [])


@pytest.mark.parametrize("action", ["flag", "drop"])
def test_a_late_model_that_decides_leaves_the_plainest_cases_to_the_cheap_test(
    gate: threading.Event, action: str
) -> None:
    rule = Rule.model_validate({"action": action, "deadline_s": 0.02})
    with ThreadPoolExecutor(1) as executor:
        judges = TimedJudges([(rule, grounding(gate, rule))], executor, 30)
        invented, true = judges.judge(INVENTED), judges.judge(TRUE)
        gate.set()
    assert [(v.rule, v.verdict) for v in invented] == [("LATE", "flag"), ("NOTHING_SHARED", action)]
    assert [v.rule for v in true] == ["LATE"]


async def test_a_late_model_that_only_tells_leaves_them_to_it_too(gate: threading.Event) -> None:
    rule = Rule(action="flag")
    with ThreadPoolExecutor(1) as executor:
        queue = BackgroundQueue(executor, limit=4)
        guards = AdvisoryGuards([(rule, grounding(gate, rule))], queue, 0.02)
        guards.feed(TRUE + INVENTED)
        await guards.close()
        verdicts = guards.verdicts
        gate.set()
    assert [v.rule for v in verdicts] == ["LATE", "NOTHING_SHARED"]
    told = verdicts[1]
    assert (TRUE + INVENTED)[told.start : told.end] == INVENTED


async def test_a_sentence_that_the_model_has_told_is_not_told_again(gate: threading.Event) -> None:
    gate.set()
    rule = Rule(action="flag")
    with ThreadPoolExecutor(1) as executor:
        guards = AdvisoryGuards([(rule, grounding(gate, rule))], BackgroundQueue(executor, limit=4), 30)
        guards.feed(INVENTED)
        await guards.close()
    assert [v.rule for v in guards.verdicts] == ["UNSUPPORTED"]
