"""One source to a document and its scrubbed, screened chunks."""
