"""From questions that found no good answer to gaps: what they ask, how many asked it, since when. Pure."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ingestion.embed import Vectors
from service.feedback.curated.phrasing import normalised
from service.feedback.gaps.clusters import clusters_of

Verdict = Literal["dismissed", "accepted"]
_EXAMPLES = 5
# So many times the askers of a day that a gap had when it was dismissed bring it back.
_BACK_AT = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the answer log that found no good answer; masked, and made to stand alone.

    `asker` is the subject, or the conversation of somebody without a name.
    """

    text: str
    asker: str
    at: datetime
    has_abstained: bool
    is_rated_badly: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a gap, and how many had asked within how many days."""

    question: str
    verdict: Verdict
    at: datetime
    askers: int
    days: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions that ask about the same. `title` is the one that is most like the others.

    `askers` counts people, `answers` their questions; shares are of the questions, of which one may be both.
    """

    id: str
    title: str
    examples: tuple[str, ...]
    askers: int
    answers: int
    first_seen: datetime
    last_seen: datetime
    abstained_share: float
    rated_badly_share: float
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Phrasing:
    """Questions that are spelled alike, the oldest first, and the decisions about one that is."""

    text: str
    asked: tuple[Asked, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def askers(self) -> int:
        """How many people asked it so."""
        return len({one.asker for one in self.asked})


def phrasings_of(asked: Sequence[Asked], decisions: Sequence[Decision]) -> list[Phrasing]:
    """Questions by their spelling, those that most people ask first, and the latest of equals."""
    questions: dict[str, list[Asked]] = defaultdict(list)
    decided: dict[str, list[Decision]] = defaultdict(list)
    for one in sorted(asked, key=lambda one: one.at):
        questions[normalised(one.text)].append(one)
    for decision in decisions:
        decided[normalised(decision.question)].append(decision)
    keys = sorted({*questions, *decided} - {""})
    found = [
        Phrasing(
            questions[key][-1].text if questions[key] else decided[key][0].question,
            tuple(questions[key]),
            tuple(decided[key]),
        )
        for key in keys
    ]
    return sorted(found, key=lambda one: (-one.askers, _last(one)))


def _last(phrasing: Phrasing) -> float:
    return -max((one.at.timestamp() for one in phrasing.asked), default=0.0)


def gaps_of(
    collection: str, phrasings: Sequence[Phrasing], vectors: Vectors, *, similar: float
) -> list[tuple[Gap, frozenset[str]]]:
    """Gaps with the ids of all their questions, those that most people ask first.

    `vectors` are those of the phrasings. A gap that was decided about has the latest decision, and counts what was asked
    after it was accepted.
    """
    found = []
    for group in clusters_of(vectors, similar):
        members = [phrasings[row] for row in group]
        gap = _gap(collection, members, vectors[group])
        if gap is not None:
            found.append((gap, frozenset(gap_id(collection, one.text) for one in members)))
    return sorted(found, key=lambda item: _rank(item[0]))


def _rank(gap: Gap) -> tuple[int, int, float, str]:
    return -gap.askers, -gap.answers, -gap.last_seen.timestamp(), gap.id


def gap_id(collection: str, question: str) -> str:
    """The same for questions that are spelled alike; 16 hexadecimal digits."""
    return hashlib.sha256(f"{collection}\0{normalised(question)}".encode()).hexdigest()[:16]


def _gap(collection: str, members: Sequence[Phrasing], vectors: Vectors) -> Gap | None:
    """One gap; None where nothing was asked, or nothing since it was accepted."""
    decision = max((d for one in members for d in one.decisions), key=lambda d: d.at, default=None)
    since = decision.at if decision is not None and decision.verdict == "accepted" else None
    open_ = [(row, one) for row, one in enumerate(members) if _counted(one, since)]
    if not open_:
        return None
    counted = [asked for _, one in open_ for asked in _counted(one, since)]
    middle = vectors.mean(axis=0)
    title = max(open_, key=lambda item: (float(vectors[item[0]] @ middle), item[1].askers))[1].text
    others = [one.text for _, one in open_ if one.text != title]
    return Gap(
        id=gap_id(collection, title),
        title=title,
        examples=tuple(others[:_EXAMPLES]),
        askers=len({one.asker for one in counted}),
        answers=len(counted),
        first_seen=min(one.at for one in counted),
        last_seen=max(one.at for one in counted),
        abstained_share=sum(one.has_abstained for one in counted) / len(counted),
        rated_badly_share=sum(one.is_rated_badly for one in counted) / len(counted),
        decision=decision,
    )


def _counted(phrasing: Phrasing, since: datetime | None) -> list[Asked]:
    return [one for one in phrasing.asked if since is None or one.at > since]


def is_open(gap: Gap, days: int) -> bool:
    """Whether a person should look at it: it was never dismissed, or twice as many ask a day as then."""
    decision = gap.decision
    if decision is None or decision.verdict == "accepted":
        return True
    return gap.askers / days >= _BACK_AT * decision.askers / decision.days


Standalone = Callable[[str, Sequence[str]], str]


def standing_alone(
    questions: Sequence[tuple[str, str, str]], earlier: Sequence[tuple[str, str, str]], standalone: Standalone
) -> dict[str, str]:
    """Questions by the ids of their answers, each made whole by what it leans on.

    Both lists are of conversation, answer's id and question; ids rise with time. `earlier` holds all questions of the
    conversations.
    """
    said: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for conversation, answer_id, question in sorted(earlier, key=lambda one: one[1]):
        said[conversation].append((answer_id, question))
    return {
        answer_id: standalone(question, [text for other, text in said[conversation] if other < answer_id])
        for conversation, answer_id, question in questions
    }


def languages_of(gap: Gap, guess: Callable[[str], str]) -> list[str]:
    """Languages of its title and examples, the most frequent first."""
    return [language for language, _ in Counter(map(guess, (gap.title, *gap.examples))).most_common()]
