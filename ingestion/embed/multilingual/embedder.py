"""Embeddings by multilingual-e5-small: questions and passages of a hundred languages in one space.

Method: Wang et al. 2024, "Multilingual E5 Text Embeddings". The model was trained with `query: ` before questions and
`passage: ` before what answers them.
"""

import hashlib
from pathlib import Path

from tokenizers import Tokenizer

from ingestion.artifact import Artifact, open_artifact
from ingestion.embed.encoder import Encoder, count_tokens
from ingestion.embed.late_interaction import LateHead
from ingestion.embed.runtime import PRECISION
from ingestion.embed.values import Embeddings, EncodedQuestion, Vectors, plain_questions, without_tokens
from ingestion.errors import EmbedderError

MULTILINGUAL_DIR = Path(__file__).parent.parent / "multilingual-e5-small"
REBUILD = "make multilingual"
MODEL_FILE, TOKENIZER_FILE = "model.xml", "tokenizer.json"
# A change here makes other vectors of the same weights, and releases are built anew.
RECIPE = "q4-table int8-rows 1"
_QUESTION, _PASSAGE = "query: ", "passage: "
# A graph of fixed shape for each takes memory of its own; most questions have fewer tokens than the second.
_QUERY_TOKENS = (16, 32)
# ISO 639-1 codes of what XLM-R, from which the model was made, was trained on (Conneau et al. 2020, table 6).
LANGUAGES = frozenset(
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it ja jv"
    " ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my nb ne nl nn no om or pa pl ps pt ro ru sa sd si sk sl so sq sr su"
    " sv sw ta te th tl tr ug uk ur uz vi xh yi zh".split()
)


class MultilingualEmbedder:
    """Vectors of multilingual-e5-small. `embed` may be called from several threads."""

    languages: frozenset[str] | None = LANGUAGES
    late: LateHead | None = None

    def __init__(self, artifact: Artifact, tokenizer: Tokenizer, *, threads: int) -> None:
        self.name = artifact.name
        # Of what the vectors come from, not of the files: those differ between versions of the runtime, which writes them.
        self.weights_digest = weights_digest(str(artifact.facts["source"]["sha256"]))
        self.digest = hashlib.sha256(f"{self.weights_digest}{PRECISION}".encode()).hexdigest()
        self.dimension = int(artifact.facts["dimension"])
        self._tokenizer = tokenizer
        self._encoder = Encoder(
            artifact.folder / MODEL_FILE,
            artifact.digest,
            dimension=self.dimension,
            threads=threads,
            alone=_QUERY_TOKENS,
        )

    def warm(self) -> None:
        """Compile every graph now."""
        self._encoder.warm()

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors of passages, shape `(len(texts), dimension)`; texts are cut at the model's 512 tokens."""
        return self._encoder.vectors(self._tokenizer.encode_batch([_PASSAGE + text for text in texts]))

    def encode(self, texts: list[str]) -> Embeddings:
        """Vectors alone: there is no late interaction."""
        return without_tokens(self.embed(texts))

    def encode_questions(self, texts: list[str]) -> list[EncodedQuestion]:
        """Vectors of questions: the model tells them from passages."""
        encodings = self._tokenizer.encode_batch([_QUESTION + text for text in texts])
        return plain_questions(self._encoder.vectors(encodings))

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text without special ones; long texts are counted whole."""
        return count_tokens(self._tokenizer.encode_batch(texts, add_special_tokens=False))


def weights_digest(source: str) -> str:
    """Tells the vectors that `RECIPE` makes of a file of weights with the digest `source` from any others."""
    return hashlib.sha256(f"{source} {RECIPE}".encode()).hexdigest()


def load_multilingual(folder: Path = MULTILINGUAL_DIR, *, threads: int = 0) -> MultilingualEmbedder:
    """Load the artefact in `folder` after checking every file against its manifest.

    `threads` of 0 lets OpenVINO decide. Raises `EmbedderError` when it was not built yet, was built otherwise, or differs.
    """
    if not folder.is_dir():
        raise EmbedderError(
            f"The embedder 'multilingual' is not built: there is no {str(folder)!r}. Run `{REBUILD}` once (it fetches 91 MB"
            " and needs no torch), or set the collection's `embedder` to builtin."
        )
    artifact = open_artifact(folder, rebuild=REBUILD)
    if artifact.facts.get("recipe") != RECIPE:
        raise EmbedderError(f"{str(folder)!r} was built by another version of Touchstone. Run `{REBUILD}`.")
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.enable_truncation(int(artifact.facts["max_tokens"]))
    tokenizer.no_padding()
    return MultilingualEmbedder(artifact, tokenizer, threads=threads)
