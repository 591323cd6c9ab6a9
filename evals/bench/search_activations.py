"""Two hundred activations under fifty requests a second: nothing fails, nothing is mixed, memory stays."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from evals.bench.load import ask_json, request_bytes
from evals.bench.servers import gateway
from evals.metrics import Figure
from ingestion.config import CollectionConfig
from ingestion.corpus import Chunk, Document
from ingestion.embed import Embedder, load_embedder
from ingestion.index.segment import Entry
from ingestion.releases.build import Change, build_release
from ingestion.releases.release import point_to
from ingestion.runs.collection import Collection

_ACTIVATIONS, _PER_S = 200, 50
_WARM = 20
_DOCUMENTS = 500
_CONNECTIONS = 10


def measure(*, is_quick: bool) -> dict[str, Figure]:
    """Failures, replies that hold passages of another release than they name, and growth of memory."""
    count = 20 if is_quick else _ACTIVATIONS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = CollectionConfig.model_validate({"languages": ["en"]})
        collection = Collection("c", config, load_embedder("builtin"), folder / "var")
        collection.folder.mkdir(parents=True)
        ids = [
            build_release(
                collection.folder, "c", None, Change(_entries(mark, collection.embedder)), collection.recipe
            ).manifest.id
            for mark in ("amber", "birch")
        ]
        marks = dict(zip(ids, ("amber", "birch"), strict=True))
        point_to(collection.folder, ids[0])
        with gateway(folder) as (base, pid):
            asyncio.run(_swap(base, collection.folder, ids, marks, _WARM))
            before = _memory_bytes(pid)
            failed, mixed, asked, served = asyncio.run(_swap(base, collection.folder, ids, marks, count))
            after = _memory_bytes(pid)
    return {
        "search.activations": Figure(count),
        "search.activations.requests": Figure(asked),
        "search.activations.served_by_both": Figure(served),
        "search.activations.failed": Figure(failed),
        "search.activations.mixed": Figure(mixed),
        "search.activations.memory_growth": Figure(after / before),
    }


async def _swap(
    base: str, folder: Path, ids: list[str], marks: dict[str, str], count: int
) -> tuple[int, int, int, int]:
    """Failures, mixed replies, requests, and how many releases were seen to answer."""
    port = int(base.rsplit(":", 1)[1])
    request = request_bytes(f"{base}/v1/search", {"query": "wooden chairs and tables", "top_k": 20})
    done = asyncio.Event()
    seen: set[str] = set()
    tally = {"failed": 0, "mixed": 0, "asked": 0}

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        pause_s = _CONNECTIONS / _PER_S
        await asyncio.sleep(pause_s * number / _CONNECTIONS)
        while not done.is_set():
            begun = time.perf_counter()
            tally["asked"] += 1
            status, body = await ask_json(reader, writer, request)
            if status != 200:
                tally["failed"] += 1
            else:
                reply = json.loads(body)
                seen.add(reply["release"])
                texts = [result["text"] for result in reply["results"]]
                tally["mixed"] += not texts or any(marks[reply["release"]] not in text for text in texts)
            await asyncio.sleep(max(0.0, pause_s - (time.perf_counter() - begun)))
        writer.close()

    clients = [asyncio.create_task(client(number)) for number in range(_CONNECTIONS)]
    for number in range(count):
        await asyncio.to_thread(point_to, folder, ids[(number + 1) % 2])
        await asyncio.sleep(0.05)
    done.set()
    await asyncio.gather(*clients)
    return tally["failed"], tally["mixed"], tally["asked"], len(seen)


def _entries(mark: str, embedder: Embedder) -> Iterator[Entry]:
    things = ("chairs", "tables", "shelves", "lamps", "desks")
    texts = [
        f"The {mark} catalogue, page {number}: wooden {things[number % 5]} and {things[(number * 3 + 1) % 5]}."
        for number in range(_DOCUMENTS)
    ]
    found = embedder.encode(texts)
    for number, text in enumerate(texts):
        name = f"{mark}-{number}"
        document = Document(name, "", name, name, "en", text, ())
        chunk = Chunk(name, name, 0, text, 0, len(text), "", name, "en")
        vectors = found.vectors[number : number + 1]
        yield Entry(document, (chunk,), (0,), vectors, (), found.codes[number : number + 1])


def _memory_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system doesn't say how much memory a process has")
