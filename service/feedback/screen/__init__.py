"""Feedback that looks made up: set aside from figures and datasets, never deleted."""
