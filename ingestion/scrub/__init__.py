"""Personal data out of texts: detection with Presidio, masks in its place."""

from ingestion.scrub.scrubber import Finding, ScrubbedText, Scrubber

__all__ = ["Finding", "ScrubbedText", "Scrubber"]
