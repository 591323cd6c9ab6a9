"""Evaluation: suites that measure quality, benchmarks that measure speed beside a named peer."""
