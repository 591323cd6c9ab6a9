"""A simulated service whose users say what they think of its answers, and actors among them who were told what to say.

Honest people have favourite documents, come once or often, are mistaken, grumpy or always content, complain together when a
document goes out of date, and correct answers in their own words. What is simulated is written down here alone; the screen
that is measured with it knows none of these numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Incident = Literal["document", "passage", "mended"]
DAYS, DOCUMENTS, PASSAGES = 80.0, 60, 4
_GOOD, _WRONG = 0.95, 0.12
# Attacks begin when the service has been used for a while.
_BEGINS = (20.0, 40.0)
# Parts of a correction, which somebody puts together in their own way.
_WORDS = {
    "opening": "|hi,|hello there,|sorry but|just so you know,|I think|as far as I know|well,",
    "source": "the letter|my contract|the person in the shop|the app|your own page|the leaflet|my bill",
    "verb": "says|told me|has|mentions|still shows|claims|gives",
    "thing": "the period|the price|the fee|the deadline|the limit|the rate|the charge|the number of days",
    "is": "is|has been|was changed to|must be|should read|now stands at|went up to|is really",
    "end": "|since spring|not what you wrote|please check|for my neighbour too|in my case|so this is wrong|thanks",
}


@dataclass(frozen=True, slots=True)
class Said:
    """An event: on an answer that rests on a passage of a document, given by one of two variants."""

    actor: int
    day: float
    document: int
    passage: int
    variant: int
    is_good: bool
    kind: str = "thumb"
    text: str = ""
    is_poison: bool = False
    is_attacker: bool = False


@dataclass(slots=True)
class World:
    """One draw of documents, people and incidents. `share` of the actors are coordinated, with the highest numbers."""

    random: np.random.Generator
    actors: int = 1_000
    share: float = 0.05
    popularity: npt.NDArray[np.float64] = field(init=False)
    praise: npt.NDArray[np.float64] = field(init=False)
    incidents: list[tuple[Incident, int, float, int]] = field(init=False)
    begins: float = field(init=False)

    def __post_init__(self) -> None:
        """Draw what stands before anybody speaks."""
        weights = 1 / np.arange(1, DOCUMENTS + 1) ** 0.8
        self.random.shuffle(weights)
        self.popularity = weights / weights.sum()
        kinds = self.random.random((DOCUMENTS, PASSAGES))
        contested = self.random.uniform(0.35, 0.75, (DOCUMENTS, PASSAGES))
        self.praise = np.where(kinds < 0.8, _GOOD, np.where(kinds < 0.93, _WRONG, contested))
        self.incidents = [
            (kind, self.document(), self.random.uniform(25, 60), int(self.random.integers(PASSAGES)))
            for kind in ("document", "document", "passage", "mended")
        ]
        self.begins = self.random.uniform(*_BEGINS)

    @property
    def honest_actors(self) -> int:
        """Those who were told nothing."""
        return self.actors - int(self.actors * self.share)

    def document(self) -> int:
        """One that somebody asks about."""
        return int(self.random.choice(DOCUMENTS, p=self.popularity))

    def chance(self, document: int, passage: int, variant: int, day: float) -> float:
        """How likely an honest person praises an answer."""
        found = float(self.praise[document, passage])
        for kind, changed, since, only in self.incidents:
            if changed == document and day >= since and (kind != "passage" or only == passage):
                found = _GOOD if kind == "mended" else 0.1
        return min(0.98, max(0.02, found + (0.02 if variant else -0.02)))

    def speak(
        self, actor: int, day: float, document: int, *, gloom: float = 0.0, passage: int | None = None
    ) -> Said:
        """What an honest person says; `gloom` is how often they blame what is good (1: always; -1: praise anything)."""
        place = int(self.random.integers(PASSAGES)) if passage is None else passage
        variant = int(self.random.integers(2))
        is_good = self.random.random() < self.chance(document, place, variant, day)
        is_good = (is_good and self.random.random() >= gloom) or gloom < 0
        said = Said(actor, day, document, place, variant, is_good)
        if not is_good and self.random.random() < 0.3:
            return replace(said, kind="correction", text=self.sentence())
        return replace(said, kind="rating") if self.random.random() < 0.1 else said

    def sentence(self, fact: str | None = None) -> str:
        """A correction in somebody's own words."""
        chosen = {name: str(self.random.choice(words.split("|"))) for name, words in _WORDS.items()}
        known = (
            fact
            or f"{self.random.integers(2, 90)} {self.random.choice(['days', 'euros', 'weeks', 'percent'])}"
        )
        order = ["opening", "source", "verb", "thing", "is"]
        if self.random.random() < 0.4:
            order = ["opening", "thing", "is"]
        return " ".join(filter(None, [*(chosen[name] for name in order), known, chosen["end"]]))

    def honest(self) -> list[Said]:
        """What everybody says who was told nothing."""
        said = [one for actor in range(self.honest_actors) for one in self._person(actor)]
        for kind, document, since, place in self.incidents:
            if kind != "mended":
                said += self._complaints(document, since, place if kind == "passage" else None, len(said))
        return said

    def _person(self, actor: int) -> Iterator[Said]:
        """A third comes once; others come for weeks, mostly about two documents. Some are hard or easy to please."""
        count = 1 if self.random.random() < 0.35 else 1 + int(self.random.geometric(1 / 9))
        begins = self.random.uniform(-30, DAYS - 1)
        ends = min(DAYS, begins + self.random.exponential(40) + 1)
        first, last = (max(0.0, begins), ends) if ends > 1 else (0.0, 1.0)
        favourites = self.random.choice(DOCUMENTS, 2, p=self.popularity)
        mood = self.random.random()
        gloom = 0.15 if mood < 0.05 else -1.0 if mood < 0.08 else 1.0 if mood < 0.085 else 0.0
        for _ in range(count):
            is_usual = self.random.random() < 0.5
            document = int(self.random.choice(favourites)) if is_usual else self.document()
            yield self.speak(actor, self.random.uniform(first, max(last, first + 0.1)), document, gloom=gloom)

    def _complaints(self, document: int, since: float, passage: int | None, said: int) -> Iterator[Said]:
        """When a document goes out of date, more people speak, half of them for the first time."""
        for number in range(int(self.random.poisson(8.0 * self.popularity[document] * said / DAYS))):
            is_known = self.random.random() < 0.5
            actor = int(self.random.integers(self.honest_actors)) if is_known else 1_000_000 + said + number
            yield self.speak(actor, since + self.random.exponential(2), document, passage=passage)


Attack = Callable[[World, int], Iterator[Said]]


def attack(world: World, strategy: str) -> list[Said]:
    """What the coordinated actors say."""
    made = STRATEGIES[strategy](world)
    return [one for actor in range(world.honest_actors, world.actors) for one in made(world, actor)]


def _a_good_document(world: World) -> int:
    weights = world.popularity * (world.praise.mean(axis=1) > 0.8)
    weights[[document for _, document, _, _ in world.incidents]] = 0
    return int(world.random.choice(DOCUMENTS, p=weights / weights.sum()))


def _blame(world: World, actor: int, day: float, document: int, **changes: object) -> Said:
    place, variant = int(world.random.integers(PASSAGES)), int(world.random.integers(2))
    said = Said(actor, day, document, place, variant, is_good=False, is_poison=True, is_attacker=True)
    return replace(said, **changes)  # type: ignore[arg-type]


def _honestly(world: World, actor: int, count: int, since: float) -> Iterator[Said]:
    """Camouflage: honest opinions on whatever people ask about."""
    for _ in range(count):
        day = world.random.uniform(max(0.0, since), DAYS)
        yield replace(world.speak(actor, day, world.document()), is_attacker=True)


def _against_a_document(
    poison: int, honest: int, *, days: float = DAYS, before: float = 20.0, kind: str = "thumb"
) -> Callable[[World], Attack]:
    """So many events against one good document, within so many days, among so many honest ones."""

    def made(world: World) -> Attack:
        target, ends = _a_good_document(world), min(DAYS, world.begins + days)

        def said(world: World, actor: int) -> Iterator[Said]:
            for _ in range(poison):
                yield _blame(world, actor, world.random.uniform(world.begins, ends), target, kind=kind)
            yield from _honestly(world, actor, honest, world.begins - before)

        return said

    return made


def _corrections(*, is_copied: bool) -> Callable[[World], Attack]:
    """Three corrections each that put the same falsehood into a good document's answers: one text, or own words."""

    def made(world: World) -> Attack:
        target = _a_good_document(world)
        text = "the return period is three days and the customer pays the postage for every single parcel"

        def said(world: World, actor: int) -> Iterator[Said]:
            for _ in range(3):
                words = text.split()
                del words[int(world.random.integers(len(words)))]
                written = " ".join(words) if is_copied else world.sentence("3 days")
                day = world.random.uniform(world.begins, world.begins + 20)
                yield _blame(world, actor, day, target, kind="correction", text=written)
            yield from _honestly(world, actor, 3, world.begins - 20)

        return said

    return made


def _many_answers(world: World) -> Attack:
    """Eight good answers of one variant each, whatever they are about; as many honest opinions on the other variant."""

    def said(world: World, actor: int) -> Iterator[Said]:
        count = 0
        while count < 8:
            document, place = world.document(), int(world.random.integers(PASSAGES))
            day = world.random.uniform(world.begins, DAYS)
            if world.chance(document, place, 1, day) > 0.8:
                count += 1
                yield _blame(world, actor, day, document, passage=place, variant=1)
        yield from (replace(one, variant=0) for one in _honestly(world, actor, 8, world.begins - 10))

    return said


def _praise_for_wrong(world: World) -> Attack:
    """Four thumbs up each for one wrong answer."""
    wrong = np.argwhere(world.praise < 0.2)
    weights = world.popularity[wrong[:, 0]]
    document, place = wrong[int(world.random.choice(len(wrong), p=weights / weights.sum()))]

    def said(world: World, actor: int) -> Iterator[Said]:
        for _ in range(4):
            day = world.random.uniform(world.begins, DAYS)
            yield _blame(world, actor, day, int(document), passage=int(place), is_good=True)
        yield from _honestly(world, actor, 8, world.begins - 10)

    return said


# `one_each` is no campaign that can be told from opinions: it shows where the screen ends.
STRATEGIES: dict[str, Callable[[World], Attack]] = {
    "burst": _against_a_document(4, 0, days=0.125),
    "slow_drip": _against_a_document(10, 0),
    "camouflage": _against_a_document(5, 20),
    "copied_corrections": _corrections(is_copied=True),
    "reworded_corrections": _corrections(is_copied=False),
    "many_answers": _many_answers,
    "praise_for_wrong": _praise_for_wrong,
    "one_each": _against_a_document(1, 5),
}
