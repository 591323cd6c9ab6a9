"""The lines of a server's stream, with patience: silence is told apart from an end."""

import asyncio

import aiohttp

from service.answer.generate.chunks import MOST_LINE_BYTES, MalformedError
from service.answer.generate.replica import Upstream


class Lines:
    """The lines of a reply as they come; the last may have no end."""

    def __init__(self, reply: aiohttp.ClientResponse, patience_s: float, upstream: Upstream) -> None:
        self._content = reply.content
        self._patience_s = patience_s
        self._upstream = upstream
        self._rest = b""
        self.is_over = False

    async def next(self) -> list[bytes]:
        """Lines that have come whole; none after a silence of `keep_alive_s`. A server that sends is alive.

        Raises `TimeoutError` when patience ends, `MalformedError` for a line without an end, after the lines before it.
        """
        if len(self._rest) > MOST_LINE_BYTES:
            raise MalformedError("a line without an end")
        wait_s = min(self._upstream.keep_alive_s, self._patience_s)
        try:
            async with asyncio.timeout(wait_s):
                data = await self._content.readany()
        except TimeoutError:
            self._patience_s -= wait_s
            if self._patience_s <= 0:
                raise
            return []
        self._patience_s = self._upstream.idle_timeout_s
        if not data:
            self.is_over = True
            return [self._rest]
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
