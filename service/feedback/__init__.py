"""Feedback: what people say of an answer, bound to it by a signed token."""
