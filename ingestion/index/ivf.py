"""An IVF index over many segments: inverted lists with small codes propose candidates for exact cosines.

Inverted files with product-quantised codes of four bits, scanned in registers (Jégou et al. 2011; André et
al. 2017). Codes are 96 numbers of four bits at 384 dimensions, a sixteenth of the half-precision
vectors, so more lists can be probed in the same time; recall is lost mostly in the choice of lists.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from ingestion.atomic import sync, write_atomically, writing
from ingestion.errors import ReleaseError
from ingestion.index.dense import Bitmap, DenseIndex, Vectors

_FILE, _FACTS = "coarse.faiss", "coarse.json"
Kind = Literal["exact", "ivf"]


@dataclass(frozen=True, slots=True)
class IvfFacts:
    """What an IVF index covers: the first segments of a release, by id, and their rows."""

    segments: tuple[str, ...]
    rows: int
    lists: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How an IVF index is built and probed. Measured at 1,000,000 x 384, see `evals bench search`."""

    rows_a_list: int = 244
    training_rows_a_list: int = 40
    probes: int = 256


PLAN = Plan()
# Exact search over half-precision vectors takes 2 ms at 50,000 rows and grows with them; probing takes 1 ms.
IVF_ABOVE = 50_000
_BATCH_ROWS = 50_000
_FEWEST_LISTS = 16
# The nearest vectors that a filter leaves are further away: where a tenth is left, four times the lists hold .98 of them.
_MOST_MORE = 6.0
# Codes rank roughly; exact cosines choose among so many.
_FEWEST_PROPOSALS = 200


class IvfIndex:
    """Proposes positions for exact scoring. Safe to use from several threads."""

    def __init__(self, index: Any, facts: IvfFacts, key: tuple[int, int]) -> None:
        self.index = index
        self.facts = facts
        self.key = key
        self.segments = len(facts.segments)
        self.rows = facts.rows

    def search(
        self, vector: Vectors, limit: int, allowed: Bitmap | None, share: float
    ) -> npt.NDArray[np.int64]:
        """Positions that may be among the nearest `limit`, in any order.

        `allowed` has a bit for each position; `share` of all is allowed, and the fewer, the more lists are probed.
        """
        bindings: Any = faiss
        probes = min(self.facts.lists, int(PLAN.probes * min(_MOST_MORE, share**-0.6)))
        chosen = bindings.SearchParametersIVF(
            nprobe=probes, **({"sel": bindings.IDSelectorBitmap(allowed)} if allowed is not None else {})
        )
        proposals = max(_FEWEST_PROPOSALS, 2 * limit)
        _, positions = self.index.search(vector[None, :], proposals, params=chosen)
        found: npt.NDArray[np.int64] = positions[0][positions[0] >= 0]
        return found


def open_ivf(folder: Path, like: IvfIndex | None = None) -> IvfIndex | None:
    """The IVF index in a release's folder, if it has one; `like` when that is the same file."""
    path = folder / _FILE
    if not path.is_file():
        return None
    found = path.stat()
    key = (found.st_dev, found.st_ino)
    if like is not None and like.key == key:
        return like
    try:
        facts = json.loads((folder / _FACTS).read_text("utf-8"))
        index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (OSError, ValueError, RuntimeError) as exc:
        raise ReleaseError(f"The IVF index in {str(folder)!r} cannot be read.") from exc
    return IvfIndex(index, IvfFacts(tuple(facts["segments"]), facts["rows"], facts["lists"]), key)


def link_ivf(old: Path, new: Path) -> None:
    """The same IVF index in another release's folder: links, since the files never change."""
    for name in (_FILE, _FACTS):
        os.link(old / name, new / name)


def build_ivf(
    collection_folder: Path, folder: Path, segments: Sequence[str], kind: Literal["auto", "exact", "ivf"]
) -> bool:
    """Build an IVF index over all segments, if the kind or their size asks for one; whether it did."""
    stores = [DenseIndex(collection_folder / "segments" / name) for name in segments]
    rows = sum(store.rows for store in stores)
    if not rows or kind == "exact" or (kind == "auto" and rows < IVF_ABOVE):
        return False
    lists = max(_FEWEST_LISTS, min(rows // PLAN.rows_a_list, 65_536))
    if rows < lists:
        return False
    index = train(_sample(stores, lists * PLAN.training_rows_a_list), lists)
    for batch in batches(stores):
        index.add(batch)
    with writing(folder / _FILE):
        faiss.write_index(index, str(folder / _FILE))
    sync(folder / _FILE)
    facts = IvfFacts(tuple(segments), rows, lists)
    write_atomically(folder / _FACTS, json.dumps(asdict(facts)))
    return True


def train(sample: Vectors, lists: int) -> Any:
    """An empty index of `lists` lists, trained on vectors of shape `(rows, dimension)`."""
    dimension = sample.shape[1]
    bindings: Any = faiss
    quantizer = bindings.IndexFlatIP(dimension)
    index = bindings.IndexIVFPQFastScan(
        quantizer, dimension, lists, _parts(dimension), 4, faiss.METRIC_INNER_PRODUCT
    )
    index.by_residual = False
    index.cp.spherical = True
    index.cp.niter = 10
    index.cp.min_points_per_centroid = 1
    index.train(sample)
    return index


def _parts(dimension: int) -> int:
    """Numbers of four bits a vector: one for every four dimensions, or as near as divides them."""
    return next(parts for parts in range(dimension // 4, 0, -1) if dimension % parts == 0)


def _sample(stores: Sequence[DenseIndex], count: int) -> Vectors:
    """Vectors spread over all rows, the same ones each time."""
    rows = sum(store.rows for store in stores)
    chosen = np.sort(np.random.default_rng(0).choice(rows, min(rows, count), replace=False))
    parts = []
    begin = 0
    for store in stores:
        own = chosen[(chosen >= begin) & (chosen < begin + store.rows)] - begin
        parts.append(store.take(own))
        begin += store.rows
    return np.concatenate(parts)


def batches(stores: Sequence[DenseIndex]) -> Iterator[Vectors]:
    """All vectors in order, some at a time."""
    for store in stores:
        for begin in range(0, store.rows, _BATCH_ROWS):
            yield store.take(np.arange(begin, min(store.rows, begin + _BATCH_ROWS)))
