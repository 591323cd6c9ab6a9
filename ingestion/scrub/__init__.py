"""Personal data out of texts: detection with Presidio, masks in its place."""

from ingestion.scrub.scrubber import Finding, Scrubbed, Scrubber

__all__ = ["Finding", "Scrubbed", "Scrubber"]
