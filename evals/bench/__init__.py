"""Benchmarks: each measures us and a named peer in the same run."""
