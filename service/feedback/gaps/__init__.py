"""Gaps: questions that the documents do not answer, by what they ask, and what a person decided about them."""
