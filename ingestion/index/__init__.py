"""Indexes over the rows of a release: dense (FAISS) and lexical (BM25). Rows count from 0."""

from ingestion.index.dense import DenseIndex, build_dense
from ingestion.index.lexical import LexicalIndex, build_lexical

__all__ = ["DenseIndex", "LexicalIndex", "build_dense", "build_lexical"]
