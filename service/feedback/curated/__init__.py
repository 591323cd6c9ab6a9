"""Answers that a person wrote for a question: kept, found again by the same question, and cited as curated."""
