"""Exact inner-product search with FAISS. Vectors are unit length, so scores are cosines."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from ingestion.errors import ReleaseError

_FILE = "dense.faiss"


def build_dense(folder: Path, vectors: npt.NDArray[np.float32]) -> None:
    """Write an exact index of `vectors`, shape `(rows, dimension)`, into `folder`."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    faiss.write_index(index, str(folder / _FILE))


class DenseIndex:
    """Searches vectors. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        try:
            index: Any = faiss.read_index(str(folder / _FILE), faiss.IO_FLAG_MMAP)
        except RuntimeError as exc:
            raise ReleaseError(f"The dense index in {str(folder)!r} cannot be read.") from exc
        self._index = index
        self.dimension = int(index.d)
        self.rows = int(index.ntotal)
        self._vectors: npt.NDArray[np.float32] = faiss.rev_swig_ptr(
            index.get_xb(), self.rows * self.dimension
        ).reshape(self.rows, self.dimension)

    def search(
        self, queries: npt.NDArray[np.float32], limit: int, allowed: npt.NDArray[np.uint8] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Rows and cosines of the nearest, best first, both of shape `(queries, min(limit, rows))`.

        `allowed` has a bit for each row, the lowest first; where fewer rows are allowed than asked for,
        the rest has row -1.
        """
        limit = min(limit, self.rows)
        if allowed is None:
            scores, rows = self._index.search(queries, limit)
        else:
            bindings: Any = faiss  # their signatures are those of C++
            selector = bindings.IDSelectorBitmap(allowed)
            scores, rows = self._index.search(queries, limit, params=bindings.SearchParameters(sel=selector))
        return rows, scores

    def score(self, query: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Cosines of `query`, shape `(dimension,)`, with some rows."""
        scores: npt.NDArray[np.float32] = self._vectors[rows] @ query
        return scores

    def vectors(self) -> npt.NDArray[np.float32]:
        """All vectors, shape `(rows, dimension)`; a read-only view that lives as long as the index."""
        return self._vectors
