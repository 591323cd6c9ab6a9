"""OpenVINO graphs made ready to run on the CPU, the same way for every model that comes with the service."""

import threading
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import openvino

# The runtime keeps kernels for every shape it has met. Lengths rounded up to sixteen make few shapes, so that
# memory stays at 0.4 GB where it grew to 1.2 GB over 240 batches, and run 1.3 times as fast (two cores).
_WIDTH_STEP = 16
_KERNELS = 128
# What is not quantised is computed in f32 on every processor. Left to itself the runtime takes bf16 where the processor
# has it (AMX, AVX-512 bf16): figures fall, and a text of 17 to 31 tokens padded to 32 gets another vector, with a
# cosine down to .63. It costs 1.16 to 1.24 times the time there. The digests of models name it.
PRECISION = "f32"
_known: dict[tuple[Path, Hashable, int], openvino.CompiledModel] = {}
_lock = threading.Lock()


def rounded(tokens: int) -> int:
    """A length that is worth kernels of its own."""
    return -(-tokens // _WIDTH_STEP) * _WIDTH_STEP


def infer(request: openvino.InferRequest, inputs: Sequence[npt.NDArray[Any]]) -> None:
    """Run a graph on arrays that it reads where they lie; the only way to run one here.

    A request that copies its inputs instead writes them into the arrays that another request of the same graph shared
    last, also when those are long freed (seen with OpenVINO 2026.2 and 2026.4): the heap is damaged, and the process
    aborts somewhere else.
    """
    request.infer(list(inputs), share_inputs=True)


def compiled(
    path: Path, version: Hashable, threads: int, prepare: Callable[[openvino.Model], None] | None = None
) -> openvino.CompiledModel:
    """A graph for one request at a time, on so many threads (0: as many as there are cores), changed by `prepare`.

    Compiled once in a process for each `version`, which must say what the file and `prepare` make of it.
    """
    key = (path, version, threads)
    with _lock:
        if key not in _known:
            config: dict[str, str | int] = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": PRECISION,
                "CPU_RUNTIME_CACHE_CAPACITY": _KERNELS,
            }
            if threads:
                config["INFERENCE_NUM_THREADS"] = threads
            core = openvino.Core()
            graph = core.read_model(path)
            if prepare is not None:
                prepare(graph)
            _known[key] = core.compile_model(graph, "CPU", config)
        return _known[key]
