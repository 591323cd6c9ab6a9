"""A light load generator: streams over kept-alive connections, timed to the first token."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import orjson

_CONTENT = re.compile(rb'"(?:content|text)":\s*"[^"]')
_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """Result of a round: seconds to the first token (or of the whole reply) of each request, requests a second, failures."""

    first_token_s: tuple[float, ...]
    per_s: float
    errors: int

    def percentile(self, q: float) -> float:
        """Of the first token, in seconds."""
        return float(np.percentile(self.first_token_s, q)) if self.first_token_s else float("nan")


def request_bytes(url: str, body: dict[str, object] | None, key: str | None = None) -> bytes:
    """An HTTP/1.1 request as it goes over the wire: a POST, or without a body a GET."""
    parts = urlsplit(url)
    data = orjson.dumps(body) if body is not None else b""
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [
        f"{'POST' if body is not None else 'GET'} {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
    ]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def drive(url: str, requests: Sequence[bytes], clients: int, *, spread_s: float = 0.0) -> Load:
    """Send all requests, `clients` at a time, each client over one connection.

    The clients begin evenly over `spread_s` seconds.
    """
    parts = urlsplit(url)
    queue = list(reversed(requests))
    firsts: list[float] = []
    errors = 0

    async def client(number: int) -> None:
        nonlocal errors
        await asyncio.sleep(spread_s * number / clients)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            while queue:
                try:
                    firsts.append(await _stream(reader, writer, queue.pop()))
                except (OSError, ValueError, asyncio.IncompleteReadError):
                    errors += 1
                    writer.close()
                    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        finally:
            writer.close()

    begun = time.perf_counter()
    async with asyncio.timeout(_LIMIT_S):
        await asyncio.gather(*(client(number) for number in range(clients)))
    return Load(tuple(firsts), len(firsts) / (time.perf_counter() - begun), errors)


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    """Seconds to the first token of one stream, read to its end. Raises `ValueError` on a failure."""
    begun = time.perf_counter()
    writer.write(request)
    first = None
    seen = b""
    while not seen.endswith(b"0\r\n\r\n"):
        data = await reader.read(65_536)
        if not data:
            raise ValueError("the connection was closed")
        seen += data
        if first is None and _CONTENT.search(seen):
            first = time.perf_counter() - begun
        if b" 200 " not in seen[:16]:
            raise ValueError("not a success")
    if first is None or b"[DONE]" not in seen or b'{"error"' in seen:
        raise ValueError("no whole stream")
    return first


async def ask_json(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """Status and body of one request over a kept-alive connection."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if length is None:
        raise ValueError("the reply doesn't say how long it is")
    return int(head[9:12]), await reader.readexactly(int(length[1]))


async def requests_in_turn(base: str, requests: Sequence[bytes], clients: int) -> Load:
    """Send all requests, `clients` at a time; seconds of each whole reply."""
    parts = urlsplit(base)
    queue = list(reversed(requests))
    times: list[float] = []
    errors = 0

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
        while queue:
            request = queue.pop()
            begun = time.perf_counter()
            status, _ = await ask_json(reader, writer, request)
            times.append(time.perf_counter() - begun)
            errors += status != 200
        writer.close()

    begun = time.perf_counter()
    async with asyncio.timeout(_LIMIT_S):
        await asyncio.gather(*(client() for _ in range(clients)))
    return Load(tuple(times), len(times) / (time.perf_counter() - begun), errors)
