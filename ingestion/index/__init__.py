"""Indexes over the rows of a release: dense (FAISS) and lexical (BM25)."""

from ingestion.index.dense import DenseIndex, build_dense
from ingestion.index.lexical import LexicalIndex, LexicalWriter

__all__ = ["DenseIndex", "LexicalIndex", "LexicalWriter", "build_dense"]
