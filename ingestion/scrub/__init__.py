"""Finds personal data in texts with Presidio and puts masks in its place."""

from ingestion.scrub.findings import Finding
from ingestion.scrub.scrubber import ScrubbedText, Scrubber

__all__ = ["Finding", "ScrubbedText", "Scrubber"]
