"""Gateways forked from a process that has loaded the models, one a line of standard input: a start takes a second and not ten.

Each is the whole command `serve` with the arguments of this one: database, journal, release and sockets are opened anew. It
tells its process id, and when it has ended. Run as `python -m tests.service.answer.forked --port=8000`.
"""

import os
import sys

import presidio_analyzer  # noqa: F401 - takes seconds to import

from ingestion.embed import load_embedder
from service.__main__ import main as service
from service.app import worker  # noqa: F401 - as above
from service.guard.models.cross_encoder import CrossEncoder

# With one thread the runtime starts none of its own, which would be missing in a process that is forked.
THREADS = 1


def main() -> None:
    """Fork a gateway for each line, and wait until it is killed."""
    load_embedder("builtin", threads=THREADS).warm()
    CrossEncoder(threads=THREADS)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(service(["serve", *sys.argv[1:]]))
        os.write(1, b"%d\n" % child)
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main()
