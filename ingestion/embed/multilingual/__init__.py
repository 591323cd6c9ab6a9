"""The multilingual embedder: multilingual-e5-small, built from a package's weights without torch and without a model hub."""
