"""One server that speaks OpenAI's protocol: where it is, what it serves, and whether it is well."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from service.answer.generate.chunks import MalformedError, served_of
from service.errors import GeneratorError
from service.metrics import GENERATOR_ERRORS, GENERATOR_UP

MOST_REPLY_BYTES = 8_000_000
# So many failures in a row, and a server is let alone until it has been looked at.
_FAILURES = 3
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the server is and how patient we are with it. `model` of None: the first it lists; `context` in tokens is
    what holds where the server doesn't tell its own."""

    base_url: str
    model: str | None = None
    api_key: str | None = None
    connect_timeout_s: float = 2.0
    first_token_timeout_s: float = 30.0
    idle_timeout_s: float = 20.0
    keep_alive_s: float = 10.0
    retries: int = 2
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says that it serves. `context` is the longest prompt with its answer in tokens, None if untold."""

    models: tuple[str, ...]
    adapters: tuple[str, ...] = ()
    context: int | None = None


@dataclass(slots=True)
class Replica:
    """One of the servers of a generator, by its number: its address is nobody's business. `failures` are those in a row,
    `in_flight` the requests being answered."""

    generator: str
    session: aiohttp.ClientSession
    upstream: Upstream
    number: int = 1
    in_flight: int = 0
    # Fields of a request that the server doesn't take, and what it takes in their place.
    refused: dict[str, str | None] = field(default_factory=dict)
    _served: Served | None = field(default=None, repr=False)
    failures: int = 0
    _rests_until: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether it works, as far as is known."""
        return self.failures < _FAILURES

    @property
    def rest_s(self) -> float:
        """Seconds until one that isn't well should be looked at again."""
        return max(0.0, self._rests_until - time.monotonic())

    @property
    def may_be_asked(self) -> bool:
        """Whether it is well, or has rested."""
        return self.is_well or self.rest_s == 0

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        headers = {"content-type": "application/json"}
        if self.upstream.api_key:
            headers["authorization"] = f"Bearer {self.upstream.api_key}"
        return headers

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a request while it is being answered."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def worked(self) -> None:
        """Note that it did what was asked."""
        self.failures = 0
        GENERATOR_UP.labels(self.generator, str(self.number)).set(1)

    def failed(self, reason: str, *, is_ill: bool = True) -> None:
        """Note that it didn't; after some failures in a row it rests, longer each time, unless it is merely busy."""
        GENERATOR_ERRORS.labels(reason).inc()
        if not is_ill:
            return
        self.failures += 1
        # Another server may be behind the address now.
        self._served = None
        if not self.is_well:
            doubled = _FIRST_REST_S * 2 ** min(self.failures - _FAILURES, 10)
            self._rests_until = time.monotonic() + min(doubled, _LONGEST_REST_S)
            GENERATOR_UP.labels(self.generator, str(self.number)).set(0)

    async def served(self) -> Served:
        """What it serves, asked for once and again after a failure. Raises `GeneratorError`."""
        if self._served is None:
            self._served = await self.ask()
        return self._served

    async def ask(self) -> Served:
        """What it serves now. Raises `GeneratorError` when it can't be asked."""
        timeout = aiohttp.ClientTimeout(total=self.upstream.connect_timeout_s)
        url = f"{self.upstream.base_url}/models"
        try:
            async with self.session.get(url, headers=self.headers, timeout=timeout) as reply:
                if reply.status != 200:
                    raise GeneratorError(f"The generator answered {reply.status} to /models.")
                models, adapters, context = served_of(await read_whole(reply))
        except (aiohttp.ClientError, TimeoutError, MalformedError) as exc:
            raise GeneratorError("The generator can't be reached.") from exc
        self._served = Served(models, adapters, context)
        return self._served

    async def model(self) -> str:
        """The model to ask for. Raises `GeneratorError`."""
        if self.upstream.model is not None:
            return self.upstream.model
        models = (await self.served()).models
        if not models:
            raise GeneratorError("The generator lists no model.")
        return models[0]

    @property
    def known_context(self) -> int | None:
        """The longest prompt with its answer in tokens, as far as it is known without asking."""
        told = self._served.context if self._served else None
        return told or self.upstream.context

    def forget(self) -> bool:
        """Ask again what it serves; False where the settings name the model, so that asking changes nothing."""
        self._served = None
        return self.upstream.model is None

    async def post(
        self, path: str, body: dict[str, Any], *, silence_s: float | None = None
    ) -> aiohttp.ClientResponse:
        """Send a request; the caller closes the reply. Raises what `aiohttp` does."""
        timeout = aiohttp.ClientTimeout(sock_connect=self.upstream.connect_timeout_s, sock_read=silence_s)
        url = f"{self.upstream.base_url}{path}"
        return await self.session.post(url, data=orjson.dumps(body), headers=self.headers, timeout=timeout)


async def read_whole(reply: aiohttp.ClientResponse, most_bytes: int = MOST_REPLY_BYTES) -> bytes:
    """A whole reply. Raises `MalformedError` for one that is too large, and what `aiohttp` does."""
    data = bytearray()
    async for piece in reply.content.iter_any():
        data += piece
        if len(data) > most_bytes:
            raise MalformedError("a reply without an end")
    return bytes(data)
