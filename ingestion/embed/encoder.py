"""An encoder's graph on the CPU: token ids and a mask in, vectors of texts out. Texts of like length go together."""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino
from tokenizers import Encoding

from ingestion.embed.runtime import compiled, infer, rounded
from ingestion.embed.values import Vectors

# Batches of 4 to 16 of like length are enough on a CPU; larger ones gain nothing.
_BATCH = 8
# A few short texts go one by one: three of 12, 15 and 19 tokens take 27 ms, and 32 ms as a batch padded to 32 (no VNNI).
_FEW = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """Which texts went together, and the graph's outputs for them: views, to be used at once."""

    rows: Sequence[int]
    encodings: Sequence[Encoding]
    outputs: Sequence[Vectors]


class Encoder:
    """Runs a graph whose first output are unit vectors, shape `(texts, dimension)`.

    A lone text is padded to one of the lengths `alone`, for which a graph of fixed shape is compiled; `version` says what
    the file and `prepare` make of it. May be used from several threads: each has inference requests of its own.
    """

    def __init__(
        self,
        path: Path,
        version: Hashable,
        *,
        dimension: int,
        threads: int,
        alone: Sequence[int],
        prepare: Callable[[openvino.Model], None] | None = None,
    ) -> None:
        self._path, self._version, self._dimension = path, version, dimension
        self._threads, self._alone, self._prepare = threads, tuple(alone), prepare
        self._local = threading.local()

    def warm(self) -> None:
        """Compile every graph now."""
        for tokens in (*self._alone, 0):
            self._model(tokens)

    def vectors(self, encodings: Sequence[Encoding]) -> Vectors:
        """Unit vectors, shape `(len(encodings), dimension)`."""
        if len(encodings) == 1 or (
            0 < len(encodings) <= _FEW and all(len(e.ids) <= max(self._alone) for e in encodings)
        ):
            return np.concatenate([self.one(encoding)[0] for encoding in encodings])
        out = np.empty((len(encodings), self._dimension), dtype=np.float32)
        for batch in self.batches(encodings):
            out[batch.rows] = batch.outputs[0]
        return out

    def batches(self, encodings: Sequence[Encoding]) -> Iterator[Batch]:
        """The graph's outputs for a few texts of like length at a time."""
        order = sorted(range(len(encodings)), key=lambda i: len(encodings[i].ids))
        request = self._request(0)
        for begin in range(0, len(order), _BATCH):
            rows = order[begin : begin + _BATCH]
            some = [encodings[i] for i in rows]
            infer(request, _inputs(some, width=rounded(max(len(e.ids) for e in some))))
            yield Batch(rows, some, [output.data for output in request.output_tensors])

    def one(self, encoding: Encoding) -> list[Vectors]:
        """The graph's outputs for one text."""
        tokens = min((one for one in self._alone if one >= len(encoding.ids)), default=0)
        request = self._request(tokens)
        infer(request, _inputs([encoding], width=tokens))
        return [output.data.copy() for output in request.output_tensors]

    def _model(self, tokens: int) -> openvino.CompiledModel:
        """The graph for one text of `tokens` tokens, or for 0 the one that takes any batch and length.

        Compiled at first use: a run that finds nothing to embed needs none.
        """

        def prepare(graph: openvino.Model) -> None:
            if self._prepare is not None:
                self._prepare(graph)
            if tokens:
                graph.reshape({0: [1, tokens], 1: [1, tokens]})

        # A question is too short to be shared out: two threads take 1.4 ms where one takes 1.7, and twice the processor
        # time, for they spin while they wait.
        threads = 1 if tokens else self._threads
        return compiled(self._path, (self._version, tokens), threads, prepare)

    def _request(self, tokens: int) -> openvino.InferRequest:
        """This thread's inference request for a graph; requests must not be shared."""
        requests: dict[int, openvino.InferRequest] = self._local.__dict__.setdefault("requests", {})
        if tokens not in requests:
            requests[tokens] = self._model(tokens).create_infer_request()
        return requests[tokens]


def _inputs(encodings: Sequence[Encoding], width: int = 0) -> list[npt.NDArray[np.int64]]:
    width = max([width, *(len(e.ids) for e in encodings)])
    ids = np.zeros((len(encodings), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return [ids, mask]


def count_tokens(encodings: Sequence[Encoding]) -> list[int]:
    """Tokens of each text with what was cut off."""
    return [len(e.ids) + sum(len(part.ids) for part in e.overflowing) for e in encodings]
