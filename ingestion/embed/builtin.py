"""The built-in embedder: all-MiniLM-L6-v2, quantised to int8, on OpenVINO. Knows nothing of torch.

The same run of the model gives a text's vector and, through the late-interaction head, its tokens' codes.
"""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
from tokenizers import Encoding, Tokenizer

from ingestion.artifact import Artifact, open_artifact
from ingestion.embed.late_interaction import LATE_DIR, LateHead, load_late_head
from ingestion.embed.runtime import PRECISION, compiled, infer, rounded
from ingestion.embed.values import Embeddings, EncodedQuestion, plain_questions, without_tokens
from ingestion.errors import EmbedderError

BUILTIN_DIR = Path(__file__).parent / "minilm-l6-v2-int8"
REBUILD = "python -m finetune.embedder.export --source FOLDER (extra `models`)."
# Batches of 4 to 16 of like length are enough on a CPU; larger ones gain nothing.
_BATCH = 8
# A lone question is padded to one of these lengths, for which a graph of fixed shape is compiled: 1.0 ms
# where the graph of free shape takes 2.2 ms (two cores, 12 tokens).
_QUERY_TOKENS = (16, 32, 48)
# A few short texts go one by one: three of 12, 15 and 19 tokens take 27 ms, and 32 ms as a batch padded to 32 (no VNNI).
_FEW = 4


class OpenVinoEmbedder:
    """Sentence embeddings from an OpenVINO graph that pools and normalises by itself.

    `embed` may be called from several threads: each call has inference requests of its own.
    """

    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(
        self, artifact: Artifact, tokenizer: Tokenizer, *, threads: int, late: LateHead | None
    ) -> None:
        self.name = artifact.name
        self.late = late
        self.weights_digest = artifact.digest
        digests = f"{artifact.digest}{late.digest if late else ''}{PRECISION}"
        self.digest = hashlib.sha256(digests.encode()).hexdigest()
        self.dimension = int(artifact.facts["dimension"])
        self._folder = artifact.folder
        self._tokenizer = tokenizer
        self._threads = threads
        self._local = threading.local()

    def _model(self, tokens: int) -> openvino.CompiledModel:
        """The graph for one text of `tokens` tokens, or for 0 the one that takes any batch and length.

        Compiled at first use: a run that finds nothing to embed needs none.
        """

        def prepare(graph: openvino.Model) -> None:
            graph.add_outputs([_last_layer(graph)])
            if tokens:
                graph.reshape({0: [1, tokens], 1: [1, tokens]})

        path = self._folder / "model.xml"
        # A question is too short to be shared out: two threads take 1.4 ms where one takes 1.7, and twice the processor
        # time, for they spin while they wait.
        threads = 1 if tokens else self._threads
        return compiled(path, (self.weights_digest, tokens), threads, prepare)

    def _request(self, tokens: int) -> openvino.InferRequest:
        """This thread's inference request for a graph; requests must not be shared."""
        requests: dict[int, openvino.InferRequest] = self._local.__dict__.setdefault("requests", {})
        if tokens not in requests:
            requests[tokens] = self._model(tokens).create_infer_request()
        return requests[tokens]

    def warm(self) -> None:
        """Compile every graph now."""
        for tokens in (*_QUERY_TOKENS, 0):
            self._model(tokens)

    def embed(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, shape `(len(texts), dimension)`; texts are cut at the model's 256 tokens."""
        encodings = self._tokenizer.encode_batch(texts)
        if len(texts) == 1 or (
            0 < len(texts) <= _FEW and all(len(e.ids) <= max(_QUERY_TOKENS) for e in encodings)
        ):
            return np.concatenate([self._run_one(encoding)[0] for encoding in encodings])
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        for rows, _, vectors, _ in self._batches(encodings):
            out[rows] = vectors
        return out

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors of texts and the codes of their tokens, the special ones left out."""
        if self.late is None:
            return without_tokens(self.embed(texts))
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        codes = [np.empty((0, self.late.code_bytes), np.uint8)] * len(texts)
        for rows, encodings, vectors, hidden in self._batches(self._tokenizer.encode_batch(texts)):
            out[rows] = vectors
            lengths = [len(e.ids) - 2 for e in encodings]
            inner = np.concatenate([hidden[i, 1 : 1 + n] for i, n in enumerate(lengths)])
            parts = np.split(self.late.encode(inner), np.cumsum(lengths)[:-1])
            for row, part in zip(rows, parts, strict=True):
                codes[row] = part
        return Embeddings(out, tuple(codes))

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Questions ready to be compared with passages."""
        if self.late is None:
            return plain_questions(self.embed(texts))
        found = []
        for encoding in self._tokenizer.encode_batch(texts):
            vector, hidden = self._run_one(encoding)
            size = len(encoding.ids)
            ids = np.array(encoding.ids[1 : size - 1], np.int64)
            tokens = self.late.project(hidden[1 : size - 1])
            found.append(EncodedQuestion(vector[0], tokens, self.late.weigh(ids)))
        return found

    def hidden(
        self, texts: list[str]
    ) -> tuple[npt.NDArray[np.float32], list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]]:
        """Vectors, and for each text its token ids and last layer, without the special tokens."""
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        found: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = {}
        for rows, encodings, vectors, hidden in self._batches(self._tokenizer.encode_batch(texts)):
            out[rows] = vectors
            for i, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
                size = len(encoding.ids)
                found[row] = (np.array(encoding.ids[1 : size - 1]), hidden[i, 1 : size - 1].copy())
        return out, [found[row] for row in range(len(texts))]

    def _batches(
        self, encodings: list[Encoding]
    ) -> Iterator[tuple[list[int], list[Encoding], npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Rows, encodings, vectors and last layers of a few texts of like length; views, to be used at once."""
        order = sorted(range(len(encodings)), key=lambda i: len(encodings[i].ids))
        request = self._request(0)
        for begin in range(0, len(order), _BATCH):
            rows = order[begin : begin + _BATCH]
            some = [encodings[i] for i in rows]
            infer(request, _inputs(some, width=rounded(max(len(e.ids) for e in some))))
            yield rows, some, request.get_output_tensor(0).data, request.get_output_tensor(1).data

    def _run_one(self, encoding: Encoding) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The vector, shape `(1, dimension)`, and the last layer, shape `(tokens, dimension)`."""
        fitting = [tokens for tokens in _QUERY_TOKENS if tokens >= len(encoding.ids)]
        tokens = min(fitting, default=0)
        request = self._request(tokens)
        infer(request, _inputs([encoding], width=tokens))
        vector: npt.NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return vector, request.get_output_tensor(1).data[0].copy()

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text without special ones; long texts are counted whole."""
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [len(e.ids) + sum(len(part.ids) for part in e.overflowing) for e in encodings]


def _inputs(encodings: list[Encoding], width: int = 0) -> list[npt.NDArray[np.int64]]:
    width = max([width, *(len(e.ids) for e in encodings)])
    ids = np.zeros((len(encodings), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return [ids, mask]


def _last_layer(graph: Any) -> Any:
    """The output that holds every token's vector, before they are pooled."""
    name = "layer.5.output.LayerNorm/aten::layer_norm/Add"
    found = [op for op in graph.get_ordered_ops() if op.get_friendly_name().endswith(name)]
    if len(found) != 1:
        raise EmbedderError(f"The built-in embedder's graph has no single output {name!r}. {REBUILD}")
    return found[0].output(0)


def load_builtin(folder: Path, *, threads: int = 0, with_late: bool = True) -> OpenVinoEmbedder:
    """Load the artefact in `folder` after checking every file against its manifest.

    `threads` of 0 lets OpenVINO decide. Raises `EmbedderError` when files are missing or differ.
    """
    artifact = open_artifact(folder, rebuild=REBUILD)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(int(artifact.facts["max_tokens"]))
    tokenizer.no_padding()
    late = load_late_head(LATE_DIR, artifact.digest) if with_late else None
    return OpenVinoEmbedder(artifact, tokenizer, threads=threads, late=late)
