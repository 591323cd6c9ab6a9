"""The way of an answer: guard, route, retrieve, prompt, generate, guard, cite, record."""
