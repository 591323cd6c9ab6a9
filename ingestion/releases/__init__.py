"""Index releases: immutable versions of a collection, made of segments."""
