"""The same text, the same figures: however far a batch is padded, and on every processor.

Left to itself the runtime computes in bf16 where the processor has it, and its kernels for 17 to 31 tokens in a width
of exactly 32 are wrong there: with `PRECISION = "bf16"` on AMX these tests fail by the figures named below.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from ingestion.embed import Embedder, Vectors
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.embed.late_interaction import Floats
from ingestion.embed.runtime import compiled, infer
from ingestion.scrub.names.labels import shapes_of
from ingestion.scrub.names.model import NAMES_DIR, NameModel
from service.guard.models.cross_encoder import CROSS_ENCODER_DIR, CrossEncoder
from tests.conftest import ROOT
from tests.ingestion.embed.texts import FIXED, KEPT, text_of

LENGTHS, WIDTHS = range(3, 65), range(16, 257, 16)
# All lengths where padding is short, one in ten where it is long; all of them everywhere is for the slow step.
GRID = pytest.mark.parametrize(
    ("widths", "step"),
    [(WIDTHS[:3], 1), (WIDTHS[3:], 10), pytest.param(WIDTHS[3:], 1, marks=pytest.mark.slow)],
    ids=["short", "wide", "all"],
)
_A_BATCH = 7  # and one text that is as long as the batch is wide
# Measured: 1 - 2.3e-4 with VNNI or AMX, 1 - 2.6e-4 without; in bf16 1 - .12. All of it lies between graphs of fixed
# and of free shape, which arrange int8 arithmetic differently.
LEAST_COSINE = 1 - 5e-4
# Measured within the graph of free shape: 0.
PADDING = 1e-5
# Measured: 4e-4 with VNNI or AMX, 0 without; in bf16 .97.
PAIRS = 2e-3
# Measured: 1.7e-3 with VNNI or AMX, 2.1e-3 without; in bf16 .34.
NAMES = 0.01


def padded(embedder: Embedder, texts: Sequence[str], width: int) -> Vectors:
    """Vectors of texts that are embedded in batches of exactly `width` tokens."""
    filler = text_of(width)
    parts = [list(texts[begin : begin + _A_BATCH]) for begin in range(0, len(texts), _A_BATCH)]
    return np.concatenate([embedder.encode([*part, filler]).vectors[:-1] for part in parts])


@GRID
def test_a_vector_is_the_same_alone_and_padded_to_any_width(
    embedder: Embedder, widths: Sequence[int], step: int
) -> None:
    lengths = LENGTHS[::step]
    texts = [text_of(length) for length in lengths]
    assert [count + 2 for count in embedder.count_tokens(texts)] == list(lengths)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    unpadded = np.concatenate([embedder.encode([text]).vectors for text in texts])
    assert (alone * unpadded).sum(axis=1).min() >= LEAST_COSINE
    for width in widths:
        fitting = sum(length <= width for length in lengths)
        found = padded(embedder, texts[:fitting], width)
        cosines = (found * alone[:fitting]).sum(axis=1)
        assert cosines.min() >= LEAST_COSINE, (width, lengths[int(cosines.argmin())], cosines.min())
        np.testing.assert_allclose(found, unpadded[:fitting], atol=PADDING)


class Graph:
    """A model's graph with what a text becomes for it: the rows, without padding."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._request = compiled(folder / "model.xml", digest, 1).create_infer_request()
        self._tokenizer = Tokenizer.from_file(str(BUILTIN_DIR / "tokenizer.json"))
        self._tokenizer.no_padding()

    def pair(self, tokens: int) -> list[list[int]]:
        """A claim and its evidence, together of so many tokens."""
        encoding = self._tokenizer.encode(text_of(tokens // 2), text_of(tokens - tokens // 2 + 1))
        assert len(encoding.ids) == tokens
        return [encoding.ids, encoding.attention_mask, encoding.type_ids]

    def sentence(self, tokens: int) -> list[list[int]]:
        """A sentence that names somebody."""
        text = f"Anna Lindqvist of Oslo wrote that {text_of(tokens)}"
        encoding = self._tokenizer.encode(text)
        shapes = shapes_of(text, encoding.offsets, encoding.word_ids)
        return [encoding.ids, encoding.attention_mask, shapes.tolist()]

    def logits(self, rows: list[list[int]], width: int) -> Floats:
        """What the graph makes of the rows when they are padded to a width."""
        padding = [0] * (width - len(rows[0]))
        infer(self._request, [np.array([row + padding]) for row in rows])
        found: Floats = self._request.get_output_tensor(0).data[0].copy()
        return found


@GRID
def test_a_pair_has_the_same_probability_padded_to_any_width(widths: Sequence[int], step: int) -> None:
    graph = Graph(CROSS_ENCODER_DIR, CrossEncoder(threads=1).digest)
    for rows in map(graph.pair, LENGTHS[4::step]):
        unpadded = 1 / (1 + np.exp(-graph.logits(rows, len(rows[0]))))
        for width in (width for width in widths if width >= len(rows[0])):
            found = 1 / (1 + np.exp(-graph.logits(rows, width)))
            np.testing.assert_allclose(found, unpadded, atol=PAIRS, err_msg=f"{len(rows[0])} in {width}")


@GRID
def test_names_have_the_same_probabilities_padded_to_any_width(widths: Sequence[int], step: int) -> None:
    graph = Graph(NAMES_DIR, NameModel(threads=1).digest)
    for rows in map(graph.sentence, LENGTHS[:-8:step]):
        size = len(rows[0])
        unpadded = softmax(graph.logits(rows, size))
        for width in (width for width in widths if width >= size):
            found = softmax(graph.logits(rows, width)[:size])
            np.testing.assert_allclose(found, unpadded, atol=NAMES, err_msg=f"{size} in {width}")


def softmax(logits: Floats) -> Floats:
    exponents: Floats = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def renew() -> None:
    """Write the vectors of the fixed texts anew."""
    from ingestion.embed import load_embedder

    np.savez_compressed(KEPT, vectors=load_embedder("builtin", threads=1).encode(FIXED).vectors)


def has_vnni() -> bool:
    """Whether int8 products are added up in 32 bits; ONEDNN_MAX_CPU_ISA=AVX2 shows what happens without."""
    capped = os.environ.get("ONEDNN_MAX_CPU_ISA", "") == "AVX2"  # noqa: TID251
    return not capped and "vnni" in Path("/proc/cpuinfo").read_text()


def test_fixed_texts_have_the_vectors_that_are_kept(embedder: Embedder) -> None:
    """Renewed by `python -c 'from tests.ingestion.embed.test_widths import renew; renew()'`, on a processor with VNNI.

    Without VNNI products of int8 are added up in 16 bits, which saturate: vectors are near, and not the same.
    """
    kept = np.load(KEPT)["vectors"]
    alone = np.concatenate([embedder.embed([text]) for text in FIXED])
    together = embedder.encode(FIXED).vectors
    # Measured: together 0 on AVX-512 and AMX, .022 and a cosine of .9896 on AVX2.
    np.testing.assert_allclose(together, kept, atol=1e-3 if has_vnni() else 0.04)
    for found in (alone, together):
        assert (found * kept).sum(axis=1).min() >= (LEAST_COSINE if has_vnni() else 0.985)


@pytest.mark.slow
def test_a_processor_without_vnni_keeps_to_the_same_bounds() -> None:
    """A process of its own, whose runtime may use AVX2 alone."""
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}  # noqa: TID251
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", __file__]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
