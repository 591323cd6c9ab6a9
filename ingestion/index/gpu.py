"""Exact search on a GPU in place of inverted lists, where FAISS was built for one (extra `gpu`).

The GPU's memory holds the vectors in half precision. FAISS has no filters there: it is asked for more positions
than are wanted, and where the caller may see too few of them, the inverted lists are searched instead.
"""

import threading
from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from ingestion.index.dense import Bitmap, DenseIndex, Vectors
from ingestion.index.ivf import IvfIndex, batches

# The most results that FAISS returns on a GPU.
_MOST = 2_048
_MARGIN = 4


class GpuIndex(IvfIndex):
    """Proposes positions by comparing with every vector. Safe to use from several threads, one at a time."""

    def __init__(self, lists: IvfIndex, flat: Any) -> None:
        super().__init__(lists.index, lists.facts, lists.key)
        self._flat = flat
        self._lock = threading.Lock()

    def search(
        self, vector: Vectors, limit: int, allowed: Bitmap | None, share: float
    ) -> npt.NDArray[np.int64]:
        """Positions of the nearest `limit` at least; see `IvfIndex.search`."""
        wanted = limit if allowed is None else int(_MARGIN * limit / max(share, 1e-6))
        wanted = min(wanted, _MOST, self.rows)
        with self._lock:
            positions: npt.NDArray[np.int64] = self._flat.search(vector[None, :], wanted)[1][0]
        if allowed is None:
            return positions
        seen = np.unpackbits(allowed, bitorder="little")[positions].astype(bool)
        if int(seen.sum()) < limit and wanted < self.rows:
            return super().search(vector, limit, allowed, share)
        shown: npt.NDArray[np.int64] = positions[seen]
        return shown


def on_gpu(lists: IvfIndex, stores: Sequence[DenseIndex], like: IvfIndex | None) -> IvfIndex:
    """The index on a GPU if there is one (`like` itself when it holds the same vectors), else the lists."""
    if isinstance(like, GpuIndex) and like.key == lists.key:
        return like
    if faiss.get_num_gpus() == 0:
        return lists
    return GpuIndex(lists, filled(_flat(stores[0].dimension), stores))


def filled(flat: Any, stores: Sequence[DenseIndex]) -> Any:
    """An index with the vectors of all stores, in order."""
    for batch in batches(stores):
        flat.add(batch)
    return flat


def _flat(dimension: int) -> Any:
    bindings: Any = faiss  # built for GPUs, it has more names
    config = bindings.GpuIndexFlatConfig()
    config.useFloat16 = True
    return bindings.GpuIndexFlatIP(bindings.StandardGpuResources(), dimension, config)
