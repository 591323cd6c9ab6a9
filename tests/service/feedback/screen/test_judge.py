"""Campaigns are told from people: from a document that turns, one that becomes popular, and one that people disagree about."""

import random
from collections.abc import Callable, Iterator

import pytest

from service.feedback.screen.judge import judge
from service.feedback.screen.opinion import BAD, GOOD, Opinion, verdict_of
from service.feedback.screen.surge import Traffic, find_surge

DAYS, DOCUMENTS = 60.0, 20


class Service:
    """People who say what they think of documents, one document at a time."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.said: list[Opinion] = []
        self.told: set[str] = set()
        for document in range(DOCUMENTS):
            for _ in range(80):
                self.say(self.somebody(), self.chance.uniform(0, DAYS), document, praise=0.93)

    def somebody(self) -> str:
        """Most come once or twice."""
        return f"person {self.chance.randrange(1_200)}"

    def say(self, actor: str, at: float, document: int, *, praise: float, is_told: bool = False) -> None:
        name, passage = f"e{len(self.said)}", f"{document}/{self.chance.randrange(3)}"
        verdict = GOOD if self.chance.random() < praise else BAD
        self.said.append(Opinion(name, actor, at, verdict, str(document), passage, self.chance.choice("ab")))
        if is_told:
            self.told.add(name)

    def shares(self) -> tuple[float, float]:
        """Of what was told the share that is not found, and of the rest the share that is."""
        found = judge(self.said)
        honest = [one.event_id for one in self.said if one.event_id not in self.told]
        kept = sum(name not in found for name in self.told) / max(len(self.told), 1)
        return kept, sum(name in found for name in honest) / len(honest)


@pytest.fixture
def service() -> Service:
    return Service()


def campaign(service: Service, actors: int, each: int, begins: float, ends: float) -> None:
    for number in range(actors):
        for _ in range(each):
            at = service.chance.uniform(begins, ends)
            service.say(f"told {number}", at, 3, praise=0.0, is_told=True)


def test_people_alone_are_left_alone(service: Service) -> None:
    assert judge(service.said) == {}


@pytest.mark.parametrize(("each", "begins", "ends"), [(4, 30.0, 30.1), (4, 20.0, 60.0), (2, 30.0, 40.0)])
def test_a_campaign_is_found_however_slowly_it_goes(
    service: Service, each: int, begins: float, ends: float
) -> None:
    campaign(service, 40, each, begins, ends)
    kept, lost = service.shares()
    assert kept <= 0.02
    assert lost <= 0.01


def test_honest_opinions_beside_it_hide_nobody(service: Service) -> None:
    campaign(service, 40, 3, 20.0, 60.0)
    for number in range(40):
        for _ in range(12):
            at, document = service.chance.uniform(0, DAYS), service.chance.randrange(DOCUMENTS)
            service.say(f"told {number}", at, document, praise=0.93)
    kept, lost = service.shares()
    assert kept <= 0.02
    assert lost <= 0.01


def turned(service: Service) -> None:
    """A document goes out of date: everybody who comes later says so."""
    service.said = [one for one in service.said if one.document != "3" or one.at < 30]
    for _ in range(120):
        service.say(service.somebody(), service.chance.uniform(30, DAYS), 3, praise=0.1)


def popular(service: Service) -> None:
    """A document is in the news."""
    for _ in range(300):
        service.say(service.somebody(), service.chance.uniform(30, 40), 3, praise=0.93)


def disputed(service: Service) -> None:
    """One half likes it, the other half doesn't."""
    for _ in range(200):
        service.say(service.somebody(), service.chance.uniform(0, DAYS), 3, praise=0.5)


def loved(service: Service) -> None:
    """Regulars who praise it again and again, as everybody does."""
    for _ in range(300):
        service.say(
            f"regular {service.chance.randrange(40)}", service.chance.uniform(0, DAYS), 3, praise=0.93
        )


@pytest.mark.parametrize("change", [turned, popular, disputed, loved])
def test_what_happens_to_honest_documents_is_no_campaign(
    service: Service, change: Callable[[Service], None]
) -> None:
    change(service)
    _, lost = service.shares()
    assert lost <= 0.01


def test_who_contradicts_everybody_everywhere_is_set_aside(service: Service) -> None:
    for number in range(30):
        for _ in range(10):
            at, document = service.chance.uniform(0, DAYS), service.chance.randrange(DOCUMENTS)
            service.say(f"told {number}", at, document, praise=0.0, is_told=True)
    kept, lost = service.shares()
    assert kept <= 0.02
    assert lost <= 0.01


def test_the_same_opinions_are_judged_the_same(service: Service) -> None:
    campaign(service, 40, 4, 20.0, 60.0)
    assert judge(service.said) == judge(service.said)
    assert judge([]) == judge(service.said[:1]) == {}


def test_a_busy_week_of_the_whole_service_is_no_surge(service: Service) -> None:
    for _ in range(4_000):
        service.say(
            service.somebody(),
            service.chance.uniform(30, 37),
            service.chance.randrange(DOCUMENTS),
            praise=0.93,
        )
    traffic = Traffic(service.said)
    surges = [
        find_surge([o for o in service.said if o.document == str(d)], GOOD, traffic) for d in range(DOCUMENTS)
    ]
    assert surges == [None] * DOCUMENTS


def test_what_an_event_says() -> None:
    def said() -> Iterator[int | None]:
        for kind, value in (
            ("thumb", "up"),
            ("thumb", "down"),
            ("correction", None),
            ("comment", None),
            ("outcome", "resolved"),
        ):
            yield verdict_of(kind, value)
        yield from (verdict_of("rating", str(stars)) for stars in range(1, 6))

    assert list(said()) == [GOOD, BAD, BAD, None, None, BAD, BAD, None, GOOD, GOOD]
