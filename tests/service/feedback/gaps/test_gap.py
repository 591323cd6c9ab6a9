"""People are counted, not repetitions; a decision holds for what is asked the same, until it no longer does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion.embed.fake import HashEmbedder
from service.answer.rewrite import standalone
from service.feedback.gaps.gap import (
    Asked,
    Decision,
    Gap,
    gap_id,
    gaps_of,
    is_open,
    phrasings_of,
    standing_alone,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BIKES, PARIS = "Do you rent electric bikes?", "Is there a shop in Paris?"


def asked(text: str, asker: str = "s1", minute: int = 0, **changes: bool) -> Asked:
    kinds = {"has_abstained": True, "is_rated_badly": False, **changes}
    return Asked(text, asker, NOON + timedelta(minutes=minute), **kinds)


def gaps(questions: list[Asked], decisions: list[Decision] | None = None) -> list[Gap]:
    phrasings = phrasings_of(questions, decisions or [])
    vectors = (
        HashEmbedder().embed([one.text for one in phrasings]) if phrasings else np.empty((0, 64), np.float32)
    )
    return [gap for gap, _ in gaps_of("help", phrasings, vectors, similar=0.6)]


def test_the_rank_counts_people_and_shows_their_questions_beside() -> None:
    loud = [asked(BIKES, "s1", minute) for minute in range(20)]
    many = [asked(PARIS, f"s{number}") for number in range(3)]
    first, second = gaps([*loud, *many])
    assert (first.title, first.askers, first.answers) == (PARIS, 3, 3)
    assert (second.title, second.askers, second.answers) == (BIKES, 1, 20)
    assert (second.first_seen, second.last_seen) == (NOON, NOON + timedelta(minutes=19))


def test_spellings_are_one_question_and_examples_are_others() -> None:
    (gap,) = gaps(
        [asked(BIKES, "a"), asked("do you rent electric BIKES", "b"), asked("Do you rent bikes?", "c")]
    )
    assert gap.askers == 3
    assert len(gap.examples) == 1
    assert gap.title not in gap.examples


def test_shares_tell_abstentions_from_bad_ratings() -> None:
    questions = [
        asked(BIKES, "a"),
        asked(BIKES, "b", is_rated_badly=True),
        asked(BIKES, "c", has_abstained=False, is_rated_badly=True),
    ]
    (gap,) = gaps(questions)
    assert (gap.abstained_share, gap.rated_badly_share) == (2 / 3, 2 / 3)


questions = st.lists(
    st.builds(
        asked,
        st.sampled_from([BIKES, BIKES.upper(), "Do you rent bikes?", PARIS, "Shop in Paris?", "", "?!"]),
        st.sampled_from("abc"),
        st.integers(0, 99),
    ),
    max_size=20,
)


@given(questions, st.randoms())
def test_gaps_do_not_depend_on_the_order_of_the_log(found: list[Asked], chance) -> None:  # type: ignore[no-untyped-def]
    first = gaps(found)
    chance.shuffle(found)
    assert gaps(found) == first
    with_words = [one for one in found if one.text.strip("?!")]
    assert sum(gap.answers for gap in first) == len(with_words)
    assert [gap.askers for gap in first] == sorted((gap.askers for gap in first), reverse=True)


def decision(**changes: object) -> Decision:
    return replace(Decision(BIKES, "dismissed", NOON + timedelta(hours=1), 3, 28), **changes)  # type: ignore[arg-type]


def test_a_dismissed_gap_stays_away_until_twice_as_many_ask_it_a_day() -> None:
    for people, is_back in ((3, False), (5, False), (6, True)):
        (gap,) = gaps([asked(BIKES, f"s{one}") for one in range(people)], [decision()])
        assert is_open(gap, 28) == is_back
        assert is_open(gap, 7) == (people / 7 >= 2 * 3 / 28)


def test_a_decision_holds_for_what_is_asked_in_other_words_too() -> None:
    (gap,) = gaps([asked("Do you rent bikes?")], [decision()])
    assert gap.decision is not None
    assert gap.decision.question == BIKES
    (other,) = gaps([asked(PARIS)], [decision()])
    assert other.decision is None


def test_an_accepted_gap_counts_what_is_asked_afterwards() -> None:
    accepted = decision(verdict="accepted", at=NOON + timedelta(minutes=5))
    assert gaps([asked(BIKES, "a", 1), asked(BIKES, "b", 5)], [accepted]) == []
    (gap,) = gaps([asked(BIKES, "a", 1), asked(BIKES, "b", 6)], [accepted])
    assert (gap.askers, gap.first_seen, is_open(gap, 28)) == (1, NOON + timedelta(minutes=6), True)


def test_the_latest_decision_counts() -> None:
    later = decision(verdict="dismissed", at=NOON + timedelta(hours=3), askers=9)
    (gap,) = gaps([asked(BIKES, minute=70)], [later, decision(verdict="accepted")])
    assert gap.decision == later


def test_an_id_is_that_of_every_spelling_and_of_no_other_collection() -> None:
    assert gap_id("help", BIKES) == gap_id("help", "do you rent electric bikes")
    assert gap_id("help", BIKES) != gap_id("other", BIKES)


def test_a_follow_up_is_counted_with_what_it_leans_on() -> None:
    said = [
        ("c1", "1", "Do you rent electric bikes in Utrecht?"),
        ("c1", "2", "And in Paris?"),
        ("c2", "0", "x"),
    ]
    found = standing_alone([("c1", "2", "And in Paris?"), ("c1", "1", said[0][2])], said, standalone)
    assert found == {"1": said[0][2], "2": "Do you rent electric bikes in Paris?"}
