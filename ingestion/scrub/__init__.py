"""Finds personal data in texts with Presidio and puts masks in its place."""

from ingestion.scrub.scrubber import Finding, ScrubbedText, Scrubber

__all__ = ["Finding", "ScrubbedText", "Scrubber"]
