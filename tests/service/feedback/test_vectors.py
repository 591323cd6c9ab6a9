"""Questions are embedded in the model's thread, a few at a time, each once, and as retrieval embeds them."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ingestion.embed import Embedder, Vectors
from ingestion.embed.fake import HashEmbedder
from service.feedback.vectors import QuestionVectors


class WatchedEmbedder(HashEmbedder):
    """Remembers what it read, and in which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()

    def embed(self, texts: list[str]) -> Vectors:
        self.batches.append(texts)
        self.threads.add(threading.get_ident())
        return super().embed(texts)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def test_others_get_their_turn_between_a_few_questions(thread: ThreadPoolExecutor) -> None:
    embedder, order = WatchedEmbedder(), list[str]()
    vectors = QuestionVectors({"help": embedder}, thread)

    async def somebody() -> None:
        await asyncio.get_running_loop().run_in_executor(thread, order.append, "somebody")

    async def many() -> None:
        await vectors.of("help", [f"question {number}" for number in range(100)])
        order.append("many")

    await asyncio.gather(many(), somebody())
    assert order == ["somebody", "many"]
    assert max(map(len, embedder.batches)) <= 16
    assert threading.get_ident() not in embedder.threads


async def test_a_question_is_embedded_once_for_each_embedder(thread: ThreadPoolExecutor) -> None:
    one, other = WatchedEmbedder(), WatchedEmbedder()
    other.digest = "another"
    vectors = QuestionVectors({"help": one, "shop": other}, thread)
    for _ in range(2):
        found = await vectors.of("help", ["a", "b", "a"])
        assert (found[0] == found[2]).all()
    await vectors.of("shop", ["a"])
    assert (one.batches, other.batches) == ([["a", "b"]], [["a"]])
    assert (await vectors.of("help", [])).shape == (0, one.dimension)


async def test_a_vector_is_the_one_that_retrieval_has(embedder: Embedder, thread: ThreadPoolExecutor) -> None:
    questions = [f"What does Plus cost for {number} lamps and a hub in the garden?" for number in range(20)]
    found = await QuestionVectors({"help": embedder}, thread).of("help", questions)
    asked = np.stack([one.vector for one in embedder.encode_questions(questions)])
    assert (found * asked).sum(axis=1).min() > 0.999
