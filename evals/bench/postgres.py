"""A PostgreSQL server of a benchmark's own, where the binaries are there; gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.bench.servers import free_port


def binaries() -> Path | None:
    """The folder with `initdb`, as Debian places it, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server with its default settings, which flushes every commit; its URL. It refuses to run as root."""
    port, data = free_port(), Path(tempfile.mkdtemp(prefix="touchstone-bench-"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(data, "postgres")

    def call(name: str, *arguments: str) -> None:
        command = [*user, str(folder / name), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    call("initdb", "-U", "touchstone", "--auth=trust", "-D", str(data / "db"))
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    call("pg_ctl", "-D", str(data / "db"), "-o", options, "-l", str(data / "log"), "-w", "start")
    try:
        yield f"postgresql://touchstone@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", str(data / "db"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(data)
