"""Questions that ask about the same, by their vectors: average linkage, cut at a similarity.

Method: unweighted average linkage (Sokal & Michener 1958) by chains of nearest neighbours (Murtagh 1983). The mean
similarity of two clusters decides, so that no chain of neighbours joins what has nothing in common. The result
depends on the vectors alone, never on chance. 5,000 questions take a quarter of a second and 100 MB.
"""

import numpy as np
import numpy.typing as npt

from ingestion.embed import Vectors
from ingestion.embed.anchors import scale_of

# Chosen on half of banking77's intents: the highest that keeps pairwise F1 within .02 of the best there. The rest of
# banking77, clinc150 and bitext have not been looked at for it: `touchstone evals run gaps`.
SIMILAR = 0.55
MOST = 5_000
_NEVER = np.float32(-2.0)


def similar_for(anchors: Vectors) -> float:
    """The threshold for an embedder, from its vectors of `ANCHORS`: as far from unrelated to equal as `SIMILAR` is."""
    return scale_of(anchors).of_builtin(SIMILAR)


def clusters_of(vectors: Vectors, similar: float = SIMILAR) -> list[list[int]]:
    """Groups of rows whose mean similarity is at least `similar`, each in rising order, by their first row.

    `vectors` are unit vectors. Of more than `MOST` the rest joins the group that it is most similar to on average,
    or stays alone.
    """
    first, rest = vectors[:MOST], vectors[MOST:]
    groups = _linked(first, similar)
    if len(rest):
        groups = _joined(groups, first, rest, similar)
    return sorted(sorted(group) for group in groups)


def _linked(vectors: Vectors, least: float) -> list[list[int]]:
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, _NEVER)
    members = [[row] for row in range(len(vectors))]
    found: list[list[int]] = []
    chain: list[int] = []
    waiting = iter(range(len(vectors)))
    while True:
        if not chain:
            start = next((row for row in waiting if members[row]), None)
            if start is None:
                return found
            chain.append(start)
        top = chain[-1]
        nearest = int(similar[top].argmax())
        before = chain[-2] if len(chain) > 1 else -1
        if before >= 0 and similar[top, before] >= similar[top, nearest]:
            nearest = before
        if similar[top, nearest] < least:
            # Whatever others become, on average they come no nearer.
            found.append(members[top])
            members[top] = []
            _close(similar, chain.pop())
        elif nearest == before:
            del chain[-2:]
            _merge(similar, members, kept=min(top, before), gone=max(top, before))
            chain = chain or [min(top, before)]
        else:
            chain.append(nearest)


def _merge(similar: npt.NDArray[np.float32], members: list[list[int]], *, kept: int, gone: int) -> None:
    """Make one cluster of two: its mean similarity to each other is the mean of theirs by their sizes."""
    one, other = len(members[kept]), len(members[gone])
    row = (one * similar[kept] + other * similar[gone]) / (one + other)
    # What is closed stays closed.
    row[similar[kept] == _NEVER] = _NEVER
    row[kept] = _NEVER
    similar[kept], similar[:, kept] = row, row
    members[kept] += members[gone]
    members[gone] = []
    _close(similar, gone)


def _close(similar: npt.NDArray[np.float32], row: int) -> None:
    similar[row], similar[:, row] = _NEVER, _NEVER


def _joined(groups: list[list[int]], first: Vectors, rest: Vectors, least: float) -> list[list[int]]:
    means = np.stack([first[group].mean(axis=0) for group in groups])
    near = rest @ means.T
    best = near.argmax(axis=1)
    grown = [list(group) for group in groups]
    for number, place in enumerate(best.tolist()):
        row = len(first) + number
        if near[number, place] >= least:
            grown[place].append(row)
        else:
            grown.append([row])
    return grown
