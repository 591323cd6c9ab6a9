"""What this machine computes with: its precision, threads and free memory. Knows no recipe."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Precision = Literal["float32", "bfloat16"]

_PROCESSOR = Path("/proc/cpuinfo")
_MEMORY = Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
# Without either, bfloat16 takes 2.8 times as long as float32; with AMX less than half of it, with AVX-512 six sevenths.
_FAST = frozenset({"amx_bf16", "avx512_bf16"})
# Of glibc's mallopt.
_MMAP_THRESHOLD, _ONE_MIB = -3, 2**20


def set_environment() -> None:
    """What torch reads when it is first imported: waiting threads sleep, since on a busy machine spinning ones starve
    those that work; and CUDA's products are the same in every run."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # noqa: TID251
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # noqa: TID251
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # noqa: TID251


def precision_of(wanted: Literal["auto", "float32", "bfloat16"]) -> Precision:
    """The precision that is computed in: `auto` is bfloat16 where the GPU or the processor is faster with it."""
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if _FAST & _flags() else "float32"


def _flags() -> frozenset[str]:
    try:
        lines = _PROCESSOR.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split() for line in lines if line.startswith("flags")), ()))


def free_bytes() -> int:
    """Memory that this process may still take: the GPU's where there is one, else what machine and container leave."""
    import torch

    if torch.cuda.is_available():
        free: int = torch.cuda.mem_get_info()[0]
        return free
    lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        return min(free, int(_LIMIT.read_text()) - int(_USED.read_text()))
    except (OSError, ValueError):
        return free


def save_memory() -> None:
    """From now on, what a tensor took goes back to the system when it is freed.

    Otherwise freed pieces lie between those that are kept until the backward pass, and a training takes up to twice the
    memory that it uses; returning them costs a sixth more time. Without effect where there is no glibc.
    """
    try:
        ctypes.CDLL("libc.so.6").mallopt(_MMAP_THRESHOLD, _ONE_MIB)
    except (OSError, AttributeError):
        return


@contextmanager
def steady(threads: int, seed: int) -> Iterator[None]:
    """The same numbers in every run on the same machine: so many threads (0 for all cores), deterministic algorithms."""
    import torch

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.set_num_threads(threads or os.cpu_count() or 1)
    torch.use_deterministic_algorithms(True)
    # Filling memory that is written anyway takes a sixth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled
