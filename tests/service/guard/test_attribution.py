"""Every sentence that leaves says what supports it: the passage that it names, another one, or none."""

from collections.abc import Sequence

import pytest

from service.guard.chain import Verdict
from service.guard.checks.attribution import Attributed, Attribution, Likely
from service.guard.stream.sentences import SentenceStream
from service.scope.policy import Rule

PASSAGES = (
    "Returns › Deadline: Returns are free within 45 days. A refund takes 3 to 5 working days.",
    "Delivery › Express: Express delivery costs €9.90. It does not reach islands.",
    "Hub › Limits: One Hub can manage 128 devices.",
)
QUESTION = "What does express delivery cost?"


class Judge:
    """Says that a passage supports a claim where it is told so, and remembers what it was asked."""

    def __init__(self, *supported: tuple[str, int], error: Exception | None = None) -> None:
        self._supported = supported
        self._error = error
        self.asked: list[tuple[str, list[int]]] = []

    def __call__(self, claim: str, passages: Sequence[str]) -> float:
        numbers = [PASSAGES.index(passage) + 1 for passage in passages]
        self.asked.append((claim, numbers))
        if self._error:
            raise self._error
        return float(any(text in claim and n in numbers for text, n in self._supported))


def attributed(sentence: str, judge: Judge | None = None, action: str = "flag") -> Attributed:
    rule = Rule.model_validate({"action": action, "threshold": 0.3})
    return Attribution(judge or Judge(), PASSAGES, QUESTION, rule).attribute(sentence)


@pytest.mark.parametrize(
    ("sentence", "text", "by"),
    [
        ("Express delivery costs €9.90. [2]", "Express delivery costs €9.90. [2]", "model"),
        ("Express delivery costs €9.90.", "Express delivery costs €9.90. [2]", "service"),
        ("Express delivery costs €9.90. [1] ", "Express delivery costs €9.90. [2] ", "service"),
        ("Express delivery costs €9.90 [1].\n", "Express delivery costs €9.90. [2]\n", "service"),
        (
            "The costs of an express delivery: €9.90. [2]",
            "The costs of an express delivery: €9.90. [2]",
            "model",
        ),
    ],
)
def test_what_a_passage_says_in_these_words_gets_that_passage_without_a_judge(
    sentence: str, text: str, by: str
) -> None:
    judge = Judge()
    found = attributed(sentence, judge)
    assert (found.text, found.citations, found.cited_by, judge.asked) == (text, (2,), by, [])


def test_rows_and_sentences_taken_over_whole_need_no_judge_and_a_changed_one_does() -> None:
    judge = Judge()
    found = attributed(
        "It does not reach islands; returns are free within 45 days; one Hub can manage 128", judge
    )
    assert (found.citations, found.cited_by, judge.asked) == ((2, 1, 3), "service", [])
    assert not attributed("It does not reach islands; returns are free within 60 days", judge).citations
    assert judge.asked


def test_a_row_that_was_cut_off_before_its_negation_is_no_quotation() -> None:
    passages = ["Plus: The trial is free. Opened products of the outlet can be returned in no case."]
    rule = Rule.model_validate({"action": "flag", "threshold": 0.3})
    asked: list[str] = []

    def judge(claim: str, _: Sequence[str]) -> float:
        asked.append(claim)
        return 0.0

    attribution = Attribution(judge, passages, "What can be returned?", rule)
    found = attribution.attribute("The trial is free; opened products of the outlet can be returned")
    assert (found.citations, len(asked)) == ((), 1)


@pytest.mark.parametrize(
    "sentence",
    [
        "Express delivery costs €8.90. [2]",  # another number
        "Express delivery does reach islands. [2]",  # another negation
        "Express delivery costs €9.90 in Norway. [2]",  # a name of which nothing is known
        "Refunds of express delivery take 45 days. [1]",  # the words of one sentence and the number of another
    ],
)
def test_one_wrong_word_is_for_the_judge_to_decide(sentence: str) -> None:
    judge = Judge()
    found = attributed(sentence, judge)
    assert judge.asked
    assert found.citations == ()
    assert "[" not in found.text
    assert [(v.guard, v.verdict, v.rule) for v in found.verdicts] == [("grounding", "flag", "UNSUPPORTED")]


def test_a_paraphrase_gets_the_passage_that_the_judge_finds() -> None:
    found = attributed("You may send express goods for under ten euros.", Judge(("under ten", 2)))
    assert (found.text[-3:], found.cited_by) == ("[2]", "service")
    named = attributed("You may send goods for under ten euros. [2]", Judge(("under ten", 2)))
    assert (named.text, named.cited_by) == ("You may send goods for under ten euros. [2]", "model")


@pytest.mark.parametrize(
    "sentence", ["[2]", "Sure! ", "What does express delivery cost?", "The answer is: […]. [1]", "…"]
)
def test_what_says_nothing_is_no_answer(sentence: str) -> None:
    found = attributed(sentence)
    assert (found.says, found.citations, found.verdicts) == (False, (), ())


def test_a_judge_that_is_late_leaves_what_the_words_tell() -> None:
    late = Judge(error=TimeoutError())
    near = attributed("Express delivery costs all of €9.90, really. [2]", late)
    assert (near.citations, [v.rule for v in near.verdicts]) == ((2,), ["LATE"])
    far = attributed("Customs duties are due for parcels to Mars. [1]", late)
    assert (far.citations, [v.rule for v in far.verdicts]) == ((), ["LATE", "NOTHING_SHARED"])


class Nothing:
    """Finds nothing."""

    name = "nothing"

    def judge(self, sentence: str) -> list[Verdict]:
        return []


def streamed(text: str, size: int, action: str = "flag") -> tuple[str, SentenceStream]:
    rule = Rule.model_validate({"action": action, "threshold": 0.3})
    stream = SentenceStream([Nothing()], Attribution(Judge(), PASSAGES, QUESTION, rule))
    out = "".join(stream.feed(text[i : i + size]) for i in range(0, len(text), size))
    return out + stream.close(), stream


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_nothing_leaves_before_a_sentence_that_is_supported(size: int) -> None:
    said, stream = streamed("Sure! Bananas grow near the sea. Express delivery costs €9.90. Enjoy it. ", size)
    assert said == "Sure! Bananas grow near the sea. Express delivery costs €9.90. [2] Enjoy it. "
    assert stream.is_supported
    said, stream = streamed("Sure! Bananas grow near the sea. They are yellow. ", size)
    assert (said, stream.is_supported) == ("", False)
    said, _ = streamed("Bananas grow near the sea. Express delivery costs €9.90. ", size, "drop")
    assert said == "Express delivery costs €9.90. [2] "


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_what_was_said_before_is_not_said_again(size: int) -> None:
    said, _ = streamed(
        "Express delivery costs €9.90. Express delivery costs €9.90. It does not reach islands. ", size
    )
    assert said == "Express delivery costs €9.90. [2] It does not reach islands. [2] "


def test_places_are_those_of_what_was_sent() -> None:
    said, stream = streamed(
        "Bananas grow near the sea. Express delivery costs €9.90. Bananas are yellow. ", 1_000
    )
    places = [said[start:end] for start, end, one in stream.attributed if one.citations]
    assert places == ["Express delivery costs €9.90. [2] "]
    flagged = [said[v.start : v.end] for v in stream.verdicts if v.start is not None]
    assert flagged == ["Bananas grow near the sea. ", "Bananas are yellow. "]


LIKELY = (
    Likely(2, "Delivery › Express: Express delivery costs €9.90.", 0.8),
    Likely(2, "Delivery › Express: It does not reach islands.", 0.4),
    Likely(1, "Returns › Deadline: Returns are free within 45 days.", 0.3),
)


@pytest.mark.parametrize(
    ("sentence", "answers"),
    [
        ("Express delivery costs €9.90. [2]", True),
        ("The price is €9.90. [2]", True),
        ("It does not reach islands. [2]", False),
        ("Returns are free within 45 days. [1]", False),
        ("Express delivery costs. [2]", False),
        ("Bananas grow near the sea. [2]", False),
    ],
)
def test_an_answer_says_what_the_likeliest_sentences_say(sentence: str, answers: bool) -> None:
    rule = Rule.model_validate({"action": "flag", "threshold": 0.3})
    judge = Judge(("The price", 2))
    found = Attribution(judge, PASSAGES, QUESTION, rule, LIKELY).attribute(sentence)
    assert found.answers is answers


@pytest.mark.parametrize(
    ("language", "passage", "question", "right", "wrong"),
    [
        (
            "de",
            "Versand: Der Expressversand kostet 9,90 Euro. Rücksendungen sind innerhalb von 45 Tagen kostenlos.",
            "Was kostet der Expressversand?",
            "Die Kosten des Expressversands: 9,90 Euro.",
            "Die Kosten des Expressversands: 8,90 Euro.",
        ),
        (
            "zh",
            "配送：快递费用是9.90欧元，第二天送达。45天内可以免费退货。",
            "快递费用是多少？",
            "快递费用为9.90欧元，第二天可以送达。",
            "快递费用为8.90欧元，第二天可以送达。",
        ),
        (
            "th",
            "การจัดส่ง: ค่าจัดส่งด่วน 9.90 ยูโร ถึงในวันถัดไป",
            "ค่าจัดส่งด่วนเท่าไร",
            "ค่าจัดส่งด่วนคือ 9.90 ยูโร",
            "ค่าจัดส่งด่วนคือ 8.90 ยูโร",
        ),
    ],
)
def test_words_are_compared_in_every_script(
    language: str, passage: str, question: str, right: str, wrong: str
) -> None:
    rule = Rule.model_validate({"action": "flag", "threshold": 0.3})
    likely = [Likely(1, passage, 1.0)]

    def attributed_with(score: float, sentence: str) -> Attributed:
        def judge(claim: str, passages: Sequence[str]) -> float:
            return score

        return Attribution(judge, [passage], question, rule, likely, language=language).attribute(sentence)

    found = attributed_with(1.0, right)
    assert (found.citations, found.cited_by, found.answers) == ((1,), "service", True)
    assert not attributed_with(1.0, wrong).answers, "a judge that errs doesn't make a wrong number an answer"
    assert attributed_with(0.0, wrong).citations == ()
