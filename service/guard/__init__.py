"""Guards: checks in the zones input, retrieved and output, each with a verdict."""
