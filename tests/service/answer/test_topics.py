"""Follow-ups over documents: the right thing is found, a new topic brings nothing of the old one, the unknown is declined."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from evals.corpora import built_release
from evals.harness import Answered, answer_all
from ingestion.embed import Embedder
from ingestion.releases.release import Release
from service.answer.request import RawMessage
from service.guard.texts import RawText
from service.scope import load_scope
from tests.conftest import SCOPE, Gateway

EXPRESS = ("How much is express delivery to Spain?", "Express delivery to Spain costs €9.90. [1]")
SPEAKERS = [
    ("murmur", "Murmur", "The Murmur weighs 900 grams."),
    ("mini", "Murmur Mini", "The Murmur Mini weighs 320 grams."),
    ("lamp", "Glow", "The Glow weighs 250 grams."),
]
WORKSHOP = [
    (
        "drift",
        "Drift in the workshop",
        "Thermostats go to Utrecht, where a repair of the Drift takes eight days.",
    ),
    ("chime", "Chime in the workshop", "A repair of the Chime takes three days."),
    (
        "glow",
        "Glow in the workshop",
        "Lamps are mended in Ghent; for the Glow reckon with five days of repair.",
    ),
]


def messages(*texts: str) -> list[RawMessage]:
    return [RawMessage("assistant" if i % 2 else "user", RawText(text)) for i, text in enumerate(texts)]


def told(release: Release, embedder: Embedder, *texts: str) -> Answered:
    (answered,) = answer_all(load_scope(SCOPE), "support", release, embedder, [messages(*texts)])
    return answered


def sources(gateway: Gateway, texts: Sequence[str]) -> set[str]:
    said = [{"role": one.role, "content": one.content} for one in messages(*texts)]
    rag = gateway.ask("", messages=said).json()["rag"]
    return {citation["source"] for citation in rag["citations"]}


@pytest.mark.parametrize(
    ("question", "among"),
    [
        ("Opening hours business desk?", ("opening-hours", "business-orders", "contact")),
        ("Are there shops in Belgium?", ("stores",)),
        ("Is there a shop in Utrecht?", ("stores",)),
        ("Who collects a returned parcel at home?", ("how-to-return",)),
    ],
)
def test_a_new_topic_brings_nothing_of_the_old_one(
    gateway: Gateway, question: str, among: tuple[str, ...]
) -> None:
    found = sources(gateway, (*EXPRESS, question))
    assert found == sources(gateway, (question,))
    assert any(name in source for source in found for name in among)
    assert not any("shipping" in source for source in found)


def test_the_second_one_is_that_of_the_reply(embedder: Embedder, tmp_path: Path) -> None:
    release = built_release("speakers", SPEAKERS, embedder, tmp_path)
    said = ("Which speakers do you sell?", "The Murmur and the Murmur Mini.")
    assert "320" in told(release, embedder, *said, "And the second one, what does it weigh?").reply.text
    assert "900" in told(release, embedder, *said, "And the first one, what does it weigh?").reply.text


def test_it_is_what_the_assistant_named(embedder: Embedder, tmp_path: Path) -> None:
    release = built_release("workshop", WORKSHOP, embedder, tmp_path)
    said = ("Which device did I buy on 3 March?", "On 3 March you bought a Chime doorbell.")
    assert "three days" in told(release, embedder, *said, "How long does a repair of it take?").reply.text


def test_an_unknown_thing_in_the_place_of_a_known_one_is_declined(gateway: Gateway) -> None:
    said = ("How bright is the Glow E27?", "1,055 lumen. [1]")
    known = [{"role": one.role, "content": one.content} for one in messages(*said, "And the Glow E14?")]
    other = [{"role": one.role, "content": one.content} for one in messages(*said, "And the Glow E40?")]
    assert "470" in gateway.ask("", messages=known).json()["choices"][0]["message"]["content"]
    assert gateway.ask("", messages=other).json()["rag"]["outcome"] == "abstained"
