"""The index and the embedder as a retriever and embeddings for a LangChain chain (extra `langchain`).

retriever = TouchstoneRetriever.open("var", "help", top_k=5)
chain = {"context": retriever, "question": RunnablePassthrough()} | prompt | model
"""

from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, PrivateAttr

from ingestion.corpus import Hit
from ingestion.embed import Embedder, load_embedder
from ingestion.errors import EmbedderError
from ingestion.filter import parse_filter
from ingestion.releases.release import Release, active_id, collection_folder, open_active
from ingestion.search.asking import asked_part
from ingestion.search.rerank import load_reranker
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from ingestion.view import View, view_groups


class TouchstoneEmbeddings(Embeddings):
    """The embedder of a collection. Questions and documents go through the same model."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder or load_embedder("builtin")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of texts."""
        vectors: list[list[float]] = self._embedder.embed(texts).tolist() if texts else []
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of a question."""
        vector: list[float] = self._embedder.encode_questions([text])[0].vector.tolist()
        return vector


class TouchstoneRetriever(BaseRetriever):
    """Passages of a collection's active release as documents, with their scores as metadata.

    `groups` are those of the person who asks, and None shows everything: a chain that serves several
    people makes a retriever for each. `filter` is the filter language of the API.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    folder: Path
    settings: RetrievalSettings = RetrievalSettings()
    groups: frozenset[str] | None = None
    filter: dict[str, Any] | None = None
    _release: Release = PrivateAttr()
    _embedder: Embedder = PrivateAttr()
    _tools: Tools = PrivateAttr()

    @classmethod
    def open(
        cls,
        data_dir: Path | str,
        collection: str,
        *,
        embedder: Embedder | None = None,
        groups: frozenset[str] | None = None,
        filter: dict[str, Any] | None = None,
        **settings: Any,
    ) -> "TouchstoneRetriever":
        """Open a collection; other keywords are those of the retrieval settings, such as `top_k`.

        Raises `ReleaseError` when there is no index yet, `EmbedderError` when it needs another model.
        """
        folder = collection_folder(Path(data_dir), collection)
        made = cls(folder=folder, settings=RetrievalSettings(**settings), groups=groups, filter=filter)
        made._release = open_active(folder)
        manifest = made._release.manifest
        made._embedder = embedder or load_embedder(manifest.embedder)
        if made._embedder.digest != manifest.embedder_digest:
            raise EmbedderError(
                f"The collection {collection!r} was built with the embedder {manifest.embedder_name!r}; give that one."
            )
        name = made.settings.rerank
        rerankers = {} if name in ("late", "none") else {name: load_reranker(name)}
        made._tools = Tools(made._embedder.languages, made._embedder.late, rerankers)
        return made

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        if active_id(self.folder) != self._release.manifest.id:
            self._release = open_active(self.folder, self._release)
        chosen = parse_filter(self.filter) if self.filter else None
        groups = None if self.groups is None else view_groups(self.groups)
        question = self._embedder.encode_questions([asked_part(query)])[0]
        request = SearchRequest(query, question, settings=self.settings, view=View(groups, chosen))
        hits = retrieve(self._release, request, self._tools)
        return [_document(hit) for hit in hits]


def _document(hit: Hit) -> Document:
    chunk = hit.chunk
    metadata = {
        "document_id": chunk.document_id,
        "title": chunk.title,
        "source": chunk.source,
        "heading": chunk.heading,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "language": chunk.language,
        "score": hit.score,
        "scores": dict(hit.scores),
    }
    return Document(page_content=chunk.text, metadata=metadata, id=chunk.id)
