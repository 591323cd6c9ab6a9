"""The report as people read it: one HTML body, for the console and for a file of its own. Takes the report's JSON alone."""
