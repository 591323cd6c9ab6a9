"""What a run suggests to whoever keeps the scope file. Nothing of it keeps a release from being served."""

from ingestion.embed import MULTILINGUAL, Embedder
from ingestion.releases.release import Release


def advice_on(release: Release, embedder: Embedder) -> list[str]:
    """A sentence where documents are in languages that the embedder was not trained for."""
    if embedder.languages is None:
        return []
    declared = [one for one in release.manifest.languages if len(one) == 2]
    if embedder.languages.issuperset(declared):
        return []
    counts = release.documents.languages()
    strange = sorted(one for one in counts if one not in embedder.languages)
    if not strange:
        return []
    return [
        f"{sum(counts[one] for one in strange)} of {counts.total()} documents are in {', '.join(strange)}, for which the"
        f" embedder {embedder.name!r} was not trained: their words are found, hardly their meaning. `embedder: {MULTILINGUAL}`"
        " of the collection knows a hundred languages; `make multilingual` builds it once."
    ]
