"""Passages that look like variations on one theme: ROUGE-L between pairs (Lin 2004)."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+")
# Longer passages have much in common with others of their document, and poison is short.
_MOST_WORDS = 120
_LEAST_WORDS = 8


def rouge_l(one: Sequence[str], other: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two lists of words, between 0 and 1."""
    return 2 * common_words(one, other) / max(len(one) + len(other), 1)


def common_words(one: Sequence[str], other: Sequence[str]) -> int:
    """Words of the longest common subsequence."""
    places: dict[str, int] = {}
    for i, word in enumerate(one):
        places[word] = places.get(word, 0) | (1 << i)
    # Bit-parallel longest common subsequence (Hyyrö 2004): one word of the other text is one step.
    full = (1 << len(one)) - 1
    state = full
    for word in other:
        hits = state & places.get(word, 0)
        state = ((state + hits) | (state - hits)) & full
    return len(one) - state.bit_count()


def alike(texts: Sequence[str], owners: Sequence[str], threshold: float) -> list[list[int]]:
    """Groups of short texts of different owners, each of which has a ROUGE-L above the threshold with another."""
    words = [_WORD.findall(text.casefold()) for text in texts]
    distinct = [frozenset(one) for one in words]
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i in range(len(texts)):
        for j in range(i):
            sizes = len(words[i]), len(words[j])
            if owners[i] == owners[j] or max(sizes) > _MOST_WORDS or min(sizes) < _LEAST_WORDS:
                continue
            # A common subsequence has no more words than both texts share, and as often as both repeat them.
            repeats = min(sizes[0] - len(distinct[i]), sizes[1] - len(distinct[j]))
            if 2 * (len(distinct[i] & distinct[j]) + repeats) <= threshold * sum(sizes):
                continue
            if rouge_l(words[i], words[j]) > threshold:
                parent[root(i)] = root(j)
    groups: dict[int, list[int]] = {}
    for i in range(len(texts)):
        groups.setdefault(root(i), []).append(i)
    return [group for group in groups.values() if len(group) > 1]
