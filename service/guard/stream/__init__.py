"""Guarding text that arrives piece by piece, with a bounded hold-back."""
