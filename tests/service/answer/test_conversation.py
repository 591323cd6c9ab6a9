"""Follow-ups stand alone before they are searched for; small talk is answered without a search."""

import pytest

from service.answer.prompts import Message
from service.answer.rewrite import by_generator, is_follow_up, standalone
from service.answer.small_talk import is_small_talk
from service.errors import GeneratorError
from tests.conftest import Gateway, StartGateway
from tests.upstream import ScriptedUpstream


@pytest.mark.parametrize(
    "text",
    ["Hi", "Hello there!", "Good morning", "thanks a lot!", "Thank you very much.", "ok, thanks", "Bye!", "Hallo",
     "Vielen Dank für die Hilfe", "¡Hola!", "Muchas gracias", "Merci beaucoup", "How are you?", "Are you a bot?",
     "Hi! How are you?", "Great, thank you", "👋 hello"],
)  # fmt: skip
def test_small_talk_is_told(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    ["Hi, what does Plus cost?", "Thanks. And how do I return it?", "help", "Hello kitty lamp", "What are your hours?",
     "good lamps", "", "?", "ring", "Danke für nichts, wo ist mein Paket?", "thank you cards price", "is it great",
     "x" * 500],
)  # fmt: skip
def test_questions_are_not_small_talk(text: str) -> None:
    assert not is_small_talk(text)


def test_no_real_question_of_support_traffic_is_small_talk(public_data) -> None:  # type: ignore[no-untyped-def]
    import csv

    path = next(iter(sorted((public_data / "banking77").glob("test*.csv"))), None)
    if path is None:
        pytest.skip(f"banking77 is not in {public_data}")
    with path.open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    assert [text for text in texts if is_small_talk(text)] == []


def test_small_talk_gets_the_fixed_reply_and_searches_nothing(gateway: Gateway) -> None:
    body = gateway.ask("Hello!").json()
    assert body["choices"][0]["message"]["content"].startswith("Hello! Ask me")
    assert (body["rag"]["outcome"], body["rag"]["reason"]) == ("answered", "small_talk")
    assert body["rag"]["citations"] == []
    assert "retrieve_s" not in body["rag"]["timings"]


def test_what_a_conversation_carries_on_does_not_grow_with_it() -> None:
    earlier = [" ".join(f"Lamp{turn}x{i}" for i in range(200)) + " and it?" for turn in range(50)]
    assert len(standalone("And it?", earlier)) <= 8_000 + len(" And it?")


def test_a_follow_up_of_a_follow_up_reaches_back_to_the_topic() -> None:
    earlier = ["How long is the warranty of a Chime?", "And for businesses?"]
    assert standalone("And of a Drift?", earlier) == "How long is the warranty of a Drift for businesses?"
    long = "I bought the Larkmoor Hub 2 on Monday, " + "and then something happened to it again " * 20
    carried = standalone("What about that?", [long])
    assert len(carried) < 300
    assert "Larkmoor Hub 2" in carried


@pytest.mark.parametrize(
    "text", ["And abroad?", "Is it free?", "Und für Firmen?", "Why?", "¿Y para empresas?"]
)
def test_what_leans_on_the_conversation_is_told(text: str) -> None:
    assert is_follow_up(text)


def ask(gateway: Gateway, *questions: str) -> dict:  # type: ignore[type-arg]
    messages = []
    for question in questions[:-1]:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": "…"}]
    messages.append({"role": "user", "content": questions[-1]})
    with gateway.client() as client:
        return client.post("/v1/chat/completions", json={"model": "support", "messages": messages}).json()


def test_a_follow_up_finds_what_the_whole_question_would(gateway: Gateway) -> None:
    body = ask(gateway, "What is Larkmoor Plus?", "And what does it cost?")
    assert body["rag"]["outcome"] == "answered"
    assert any("plus" in citation["document_id"] for citation in body["rag"]["citations"])


class Says:
    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    async def complete(self, messages, *, max_tokens: int) -> str:  # type: ignore[no-untyped-def]
        self.asked.append(messages[-1]["content"])
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


HISTORY = (Message("user", "What does Plus cost?"), Message("assistant", "4 euros."))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("What does Plus cost for businesses?", "What does Plus cost for businesses?"),
        ('"What does Plus cost for businesses?"\nBecause…', "What does Plus cost for businesses?"),
        ("Plus costs for businesses <EMAIL_ADDRESS>", "Plus costs for businesses"),
        ("The moon is made of green cheese and nobody knows why", None),
        ("", None),
        (GeneratorError("gone"), None),
        (TimeoutError(), None),
    ],
)
async def test_a_generators_rewriting_is_used_while_it_stays_with_the_matter(
    reply: str | Exception, expected: str | None
) -> None:
    completer = Says(reply)
    assert await by_generator("And for businesses?", HISTORY, completer, deadline_s=1.0) == expected
    assert "What does Plus cost?" in completer.asked[0]


def test_the_gateway_asks_its_generator_for_follow_ups_alone(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    with start_gateway(generator_url=upstream.url) as gateway:
        gateway.ask("What does Larkmoor Plus cost?")
        plain = upstream.requests
        body = ask(gateway, "What is Larkmoor Plus?", "And what does it cost?")
    assert upstream.requests == plain + 2
    assert "stands alone" in str(upstream.bodies[plain])
    assert body["rag"]["timings"]["rewrite_s"] > 0
