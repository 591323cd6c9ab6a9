"""Indexes over the passages of a segment: vectors, words, tokens; and over those of a whole release."""

from ingestion.index.dense import DenseIndex, build_dense
from ingestion.index.lexical import OTHER, Postings, PostingsWriter
from ingestion.index.tokens import TokenStore, write_tokens

__all__ = ["OTHER", "DenseIndex", "Postings", "PostingsWriter", "TokenStore", "build_dense", "write_tokens"]
