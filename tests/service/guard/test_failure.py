"""A model that fails, or is late, has the consequence that the policy names, and holds nobody up."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.guard.build import AssistantGuards
from service.guard.chain import Verdict
from service.guard.failure import TimedJudges
from service.guard.input import InputGuards
from service.guard.stream.background import BackgroundQueue
from service.scope.policy import Rule
from tests.service.conftest import patient
from tests.service.guard.test_zones import spoken, streamed

# So that a law that is broken fails and does not hang.
_PATIENCE_S = 300


class Held:
    """A model that says nothing before it is let go, however busy the machine is."""

    name = "grounding"

    def __init__(self) -> None:
        self._is_over = threading.Event()

    def __call__(self, *_: object) -> float:
        self._is_over.wait(_PATIENCE_S)
        return 0.0

    def is_asked(self, sentence: str) -> bool:
        return True

    def judge(self, sentence: str) -> list[Verdict]:
        self._is_over.wait(_PATIENCE_S)
        return []

    def let_go(self) -> None:
        self._is_over.set()


@pytest.fixture
def held(build: Callable[..., AssistantGuards]) -> Iterator[Held]:
    judge = Held()
    yield judge
    judge.let_go()


def broken(text: str) -> float:
    raise RuntimeError("no model")


@pytest.mark.parametrize(
    ("fail", "disposition"), [("open", "pass"), ("degrade", "degrade"), ("closed", "block")]
)
@pytest.mark.parametrize("rule", ["LATE", "FAILED"])
async def test_a_model_that_fails_has_the_consequence_that_the_policy_wants(
    fail: str,
    disposition: str,
    rule: str,
    held: Held,
    build: Callable[..., AssistantGuards],
) -> None:
    policy = patient(
        {
            "input": {
                "injection_model": {"fail": fail, "deadline_s": 0.02 if rule == "LATE" else 30},
                "toxicity": "off",
            },
        }
    )
    guards = build(policy)
    assert guards.input is not None
    guards.input._judges = {"injection_model": held if rule == "LATE" else broken}
    judged = await guards.input.judge(["hello"])
    assert judged.disposition == disposition
    assert [v.rule for v in judged.verdicts] == [rule]


@pytest.mark.parametrize(
    ("score", "disposition", "verdicts"),
    [
        (0.49, "pass", []),
        (0.5, "degrade", [("SUSPECTED", "flag")]),
        (0.89, "degrade", [("SUSPECTED", "flag")]),
        (0.9, "block", [("MODEL", "block")]),
    ],
)
async def test_a_lower_score_leaves_the_answer_to_the_documents(
    score: float, disposition: str, verdicts: list[tuple[str, str]]
) -> None:
    policy = patient({"input": {"injection_model": {"threshold": 0.9, "degrade_threshold": 0.5}}})
    with ThreadPoolExecutor(1) as executor:
        guards = InputGuards(policy, lambda _: [], {"injection_model": lambda _: score}, executor)
        judged = await guards.judge(["hello", "and before"])
    assert judged.disposition == disposition
    assert [(v.rule, v.verdict) for v in judged.verdicts] == verdicts


async def test_all_models_of_a_zone_share_one_deadline(
    held: Held, build: Callable[..., AssistantGuards]
) -> None:
    guards = build(patient({"deadline_s": 0.05}))
    assert guards.input is not None
    guards.input._judges = {"injection_model": held, "toxicity": held}
    judged = await guards.input.judge(["hello"])
    assert [v.rule for v in judged.verdicts] == ["LATE", "LATE"]


async def test_a_judgement_that_nobody_waits_for_is_not_begun() -> None:
    held = Held()
    judged: list[str] = []

    def score(text: str) -> float:
        judged.append(text)
        return held(text)

    policy = patient({"deadline_s": 0.02, "input": {"toxicity": "off"}})
    with ThreadPoolExecutor(1) as executor:
        guards = InputGuards(policy, lambda _: [], {"injection_model": score}, executor)
        found = await guards.judge(["the question", "an earlier one", "the first one"])
        held.let_go()
    assert [v.rule for v in found.verdicts] == ["LATE"]
    assert not {"an earlier one", "the first one"} & set(judged)


class Broken:
    """A sentence guard that breaks."""

    name = "grounding"

    def is_asked(self, sentence: str) -> bool:
        return True

    def judge(self, sentence: str) -> list[Verdict]:
        raise RuntimeError("no model")


@pytest.mark.parametrize(("fail", "verdict"), [("open", "flag"), ("degrade", "drop"), ("closed", "drop")])
@pytest.mark.parametrize("rule", ["LATE", "FAILED"])
def test_a_sentence_waits_no_longer_for_its_judges_than_the_policy_says(
    fail: str, verdict: str, rule: str
) -> None:
    is_late, held = rule == "LATE", Held()
    late = Rule.model_validate({"action": "drop", "fail": fail, "deadline_s": 0.02 if is_late else 30})
    with ThreadPoolExecutor(1) as executor:
        judges = TimedJudges([(late, held if is_late else Broken())], executor, 30)
        found = judges.judge("The fee is 4 euros.")
        held.let_go()
    assert [(v.guard, v.rule, v.verdict) for v in found] == [("grounding", rule, verdict)]


def test_the_judges_of_a_sentence_share_one_deadline() -> None:
    rule, held = Rule(action="drop", deadline_s=30), Held()
    with ThreadPoolExecutor(1) as executor:
        found = TimedJudges([(rule, held)] * 2, executor, 0.05).judge("The fee is 4 euros.")
        held.let_go()
    assert [v.rule for v in found] == ["LATE", "LATE"]


async def test_an_answer_asks_models_within_the_deadline(
    held: Held, build: Callable[..., AssistantGuards]
) -> None:
    guards = build(
        patient({"deadline_s": 0.02, "output": {"toxicity": "off", "grounding": {"fail": "closed"}}})
    )
    guards._support = held
    text, _, _, rules = await streamed(
        guards, ["A router is what the Hub always wants. ", "You may bring a thing back for some weeks."]
    )
    assert (text, set(rules) - {"UNSUPPORTED", "NOTHING_SHARED"}) == ("", {"LATE"})


async def test_what_a_passage_says_in_these_words_needs_no_judge(
    held: Held, build: Callable[..., AssistantGuards]
) -> None:
    guards = build(patient({"deadline_s": 0.02, "output": {"toxicity": "off", "grounding": "drop"}}))
    guards._support = held
    text, _, _, rules = await streamed(guards, ["The Hub does not work without a router."])
    assert (text, rules) == ("The Hub does not work without a router. [2]", [])


async def test_a_judge_that_only_tells_holds_nobody_up(build: Callable[..., AssistantGuards]) -> None:
    guards = build(patient({"output": {"grounding": "off", "toxicity": {"action": "flag"}}}))
    is_free = threading.Event()

    def waits(sentence: str) -> float:
        is_free.wait(_PATIENCE_S)
        return 1.0

    guards._output_toxicity = waits
    stream = guards.output(spoken("How does the Hub work?"))
    sent = await stream.feed("The Hub does not work without a router. Returns are free within 45 days.")
    assert sent.text.startswith("The Hub does not work without a router.")
    assert not stream.verdicts
    is_free.set()
    await stream.close()
    assert [(v.rule, v.verdict) for v in stream.verdicts] == [("HATE", "flag")] * 2


async def test_what_only_tells_is_waited_for_no_longer_than_the_policy_says(
    build: Callable[..., AssistantGuards],
) -> None:
    guards = build(
        patient({"deadline_s": 0.05, "output": {"grounding": "off", "toxicity": {"action": "flag"}}})
    )
    is_free = threading.Event()
    guards._output_toxicity = lambda sentence: float(is_free.wait(_PATIENCE_S))
    with ThreadPoolExecutor(1) as apart:
        guards._advisory = BackgroundQueue(apart, limit=4)
        text, stopped, _, rules = await streamed(guards, ["Returns are free within 45 days. They are quick."])
        is_free.set()
    assert (text, stopped) == ("Returns are free within 45 days. They are quick.", None)
    assert rules == ["LATE"]


async def test_rules_that_break_refuse(
    build: Callable[..., AssistantGuards], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.guard.input.decodings_of", broken)
    guards = build()
    assert guards.input is not None
    assert guards.input.screen("hello").is_blocked
