"""How the built-in embedder and its late-interaction head are made."""
