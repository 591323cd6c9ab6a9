"""The built-in embedder: all-MiniLM-L6-v2, quantised to int8, on OpenVINO. Knows nothing of torch.

The same run of the model gives a text's vector and, through the late-interaction head, its tokens' codes.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from ingestion.artifact import Artifact, open_artifact
from ingestion.embed.encoder import Encoder, count_tokens
from ingestion.embed.late_interaction import LATE_DIR, LateHead, load_late_head
from ingestion.embed.runtime import PRECISION
from ingestion.embed.values import Embeddings, EncodedQuestion, plain_questions, without_tokens
from ingestion.errors import EmbedderError

BUILTIN_DIR = Path(__file__).parent / "minilm-l6-v2-int8"
REBUILD = "python -m finetune.embedder.export --source FOLDER (extra `models`)."
# A lone question is padded to one of these lengths, for which a graph of fixed shape is compiled: 1.0 ms
# where the graph of free shape takes 2.2 ms (two cores, 12 tokens).
_QUERY_TOKENS = (16, 32, 48)


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
        self._tokenizer = tokenizer
        self._encoder = Encoder(
            artifact.folder / "model.xml",
            self.weights_digest,
            dimension=self.dimension,
            threads=threads,
            alone=_QUERY_TOKENS,
            prepare=lambda graph: graph.add_outputs([_last_layer(graph)]),
        )

    def warm(self) -> None:
        """Compile every graph now."""
        self._encoder.warm()

    def embed(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, shape `(len(texts), dimension)`; texts are cut at the model's 256 tokens."""
        return self._encoder.vectors(self._tokenizer.encode_batch(texts))

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors of texts and the codes of their tokens, the special ones left out."""
        if self.late is None:
            return without_tokens(self.embed(texts))
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        codes = [np.empty((0, self.late.code_bytes), np.uint8)] * len(texts)
        for batch in self._encoder.batches(self._tokenizer.encode_batch(texts)):
            vectors, hidden = batch.outputs
            out[batch.rows] = vectors
            lengths = [len(e.ids) - 2 for e in batch.encodings]
            inner = np.concatenate([hidden[i, 1 : 1 + n] for i, n in enumerate(lengths)])
            parts = np.split(self.late.encode(inner), np.cumsum(lengths)[:-1])
            for row, part in zip(batch.rows, parts, strict=True):
                codes[row] = part
        return Embeddings(out, tuple(codes))

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Questions ready to be compared with passages."""
        if self.late is None:
            return plain_questions(self.embed(texts))
        found = []
        for encoding in self._tokenizer.encode_batch(texts):
            vector, (hidden,) = self._encoder.one(encoding)
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
        for batch in self._encoder.batches(self._tokenizer.encode_batch(texts)):
            vectors, hidden = batch.outputs
            out[batch.rows] = vectors
            for i, (row, encoding) in enumerate(zip(batch.rows, batch.encodings, strict=True)):
                size = len(encoding.ids)
                found[row] = (np.array(encoding.ids[1 : size - 1]), hidden[i, 1 : size - 1].copy())
        return out, [found[row] for row in range(len(texts))]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text without special ones; long texts are counted whole."""
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return count_tokens(encodings)


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
