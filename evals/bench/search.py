"""Search at scale: a million vectors beside hnswlib and exact search, and hybrid search over HTTP beside txtai.

The first half builds a real release of synthetic passages and asks its index; the second serves 100,000
passages of public texts. Activations under load are measured with two small releases.
"""

from pathlib import Path

from evals.bench import search_activations, search_http, search_vectors
from evals.metrics import Figure


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """All three parts; the second needs public texts."""
    figures = search_vectors.measure(is_quick=is_quick)
    figures |= search_activations.measure(is_quick=is_quick)
    if data is not None:
        figures |= search_http.measure(data, is_quick=is_quick)
    return figures
