"""Checks by rule: each looks for one kind of thing in words or sentences."""
