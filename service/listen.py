"""Starts the processes that serve, and says so once all of them can answer. Knows nothing of what they serve."""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

Tell = Callable[[int], None]


class TellingServer(uvicorn.Server):
    """Tells its port when it listens: before that, whoever is told would be refused."""

    def __init__(self, config: uvicorn.Config, tell: Tell) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._tell(port_of([one for server in self.servers for one in server.sockets]))


class TellingSupervisor(Multiprocess):
    """Tells the port when every worker can answer: the first of them listens while the others open their models."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], tell: Tell) -> None:
        super().__init__(config, sockets=sockets)
        self._tell = tell
        self._is_told = False

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self._is_told and self._are_ready():
            self._is_told = True
            self._tell(port_of(self.sockets))

    def _are_ready(self) -> bool:
        patience_s = self.config.timeout_worker_healthcheck
        return not self.should_exit.is_set() and all(one.is_ready(patience_s) for one in self.processes)


def serve(config: uvicorn.Config, tell: Tell) -> int:
    """Serve until a signal; the exit status. `tell` is called once with the port."""
    if config.workers > 1:
        supervisor = TellingSupervisor(config, [config.bind_socket()], tell)
        supervisor.run()
        return 1 if any(one.exitcode == STARTUP_FAILURE for one in supervisor.processes) else 0
    server = TellingServer(config, tell)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    return 0 if server.started else STARTUP_FAILURE


def end_with_the_supervisor() -> None:
    """Let a worker drain and end when the process that started it is gone, killed for instance: nobody would stop it, and it
    would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor", daemon=True).start()


def port_of(sockets: Sequence[socket.socket]) -> int:
    """The port of the first socket: who asks for port 0 gets a free one."""
    port: int = sockets[0].getsockname()[1]
    return port
