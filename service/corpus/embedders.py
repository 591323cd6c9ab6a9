"""Embedding models by what releases were built with, so that a new model and an old release can live together."""

import threading
from collections.abc import Callable, Mapping

from ingestion.embed import Embedder
from ingestion.errors import EmbedderError
from ingestion.releases.release import Manifest, Release
from ingestion.search.rerank import Reranker
from ingestion.search.retrieve import Tools


class Embedders:
    """The models of the scope file, and those of releases that are older than it, loaded when needed."""

    def __init__(
        self,
        known: Mapping[str, Embedder],
        load: Callable[[str], Embedder],
        rerankers: Mapping[str, Reranker] | None = None,
    ) -> None:
        """`known` by the name in the scope file; `load` gets such a name."""
        self._by_digest = {embedder.digest: embedder for embedder in known.values()}
        self._load = load
        self._rerankers = dict(rerankers or {})
        self._lock = threading.Lock()

    def admit(self, manifest: Manifest) -> Embedder:
        """The model of a release. Raises `EmbedderError` when it can't be had or is another one now."""
        with self._lock:
            if manifest.embedder_digest not in self._by_digest:
                found = self._load(manifest.embedder)
                if found.digest != manifest.embedder_digest:
                    raise EmbedderError(
                        f"Release {manifest.id!r} was built with the embedder {manifest.embedder!r} as it was then;"
                        " it has changed since. Run the ingestion again."
                    )
                self._by_digest[found.digest] = found
            return self._by_digest[manifest.embedder_digest]

    def of(self, release: Release) -> Embedder:
        """The model of a release that was admitted."""
        return self._by_digest[release.manifest.embedder_digest]

    def tools(self, release: Release) -> Tools:
        """What retrieval from a release needs."""
        embedder = self.of(release)
        return Tools(embedder.languages, embedder.late, self._rerankers)
