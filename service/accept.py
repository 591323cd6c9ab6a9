"""Connections for several processes that listen on one socket, so that each gets its share.

A process that takes all that wait at once leaves nothing for the others, and a client keeps its connection: of eight
clients one process served seven. Each takes one at a time here, and the more it has the longer it lets the others go
first. The socket stays a shared one, as SO_REUSEPORT's would not be: what waits for a process that dies is taken by
another.
"""

import asyncio
import socket
from collections.abc import Callable, Collection
from typing import Any

import uvloop

from service.logs import get_logger

log = get_logger()
# The longest wait of a process with many connections, and how many make half of it.
_LONGEST_WAIT_S = 0.002
_HALF_AT = 4
# For a process or a system without file descriptors left.
_REST_S = 1.0

MakeProtocol = Callable[[], asyncio.Protocol]


class SharingLoop(uvloop.Loop):
    """A loop whose servers on a given socket take connections in turns with those of other processes."""

    async def create_server(  # type: ignore[override]  # whatever asyncio takes is passed on
        self, protocol_factory: MakeProtocol, *args: Any, **options: Any
    ) -> Any:
        """As asyncio's; on a socket without TLS a `Listener`."""
        sock = options.get("sock")
        if sock is None or options.get("ssl"):
            return await super().create_server(protocol_factory, *args, **options)
        return Listener(self, protocol_factory, sock, options.get("backlog", 100))


class Listener:
    """A server of one socket; uvicorn closes its connections itself."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, make: MakeProtocol, sock: socket.socket, backlog: int
    ) -> None:
        self._loop, self._make, self._sock = loop, make, sock
        self._connections: Collection[object] = ()
        self._begun: set[asyncio.Task[Any]] = set()
        self._waiting: asyncio.TimerHandle | None = None
        self._is_closed = False
        sock.setblocking(False)
        sock.listen(backlog)
        self._listen()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """What it listens on."""
        return () if self._is_closed else (self._sock,)

    def close(self) -> None:
        """Take no more."""
        if not self._is_closed:
            self._is_closed = True
            if self._waiting is not None:
                self._waiting.cancel()
            self._loop.remove_reader(self._sock)
            self._sock.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _listen(self) -> None:
        self._waiting = None
        self._loop.add_reader(self._sock, self._told)

    def _told(self) -> None:
        """Somebody waits."""
        count = len(self._connections) + len(self._begun)
        if count:
            self._rest(_LONGEST_WAIT_S * count / (count + _HALF_AT), self._take_and_listen)
        else:
            self._take()

    def _rest(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._sock)
        self._waiting = self._loop.call_later(seconds, then)

    def _take_and_listen(self) -> None:
        self._listen()
        self._take()

    def _take(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process took it, or the client is gone
        except OSError as exc:
            log.error("accept_failed", error=str(exc))
            self._rest(_REST_S, self._listen)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._begin(connection))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def _begin(self, connection: socket.socket) -> None:
        protocol = self._make()
        # Uvicorn's protocols share the set of those that are connected.
        self._connections = getattr(protocol, "connections", ())
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError as exc:
            connection.close()
            log.info("connection_lost_at_once", error=str(exc))
