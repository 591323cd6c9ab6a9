"""Detectors that ingestion and the gateway share: views of a text, rules, and small heads on sentence vectors."""
