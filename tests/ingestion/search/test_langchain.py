"""Our retriever and embedder inside somebody's own chain."""

from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough

from ingestion.embed import Embedder
from ingestion.errors import EmbedderError, ReleaseError
from ingestion.search.langchain import TouchstoneEmbeddings, TouchstoneRetriever
from tests.conftest import Demo


def test_the_retriever_is_langchains_and_finds_what_the_service_finds(demo: Demo, embedder: Embedder) -> None:
    retriever = TouchstoneRetriever.open(demo.data_dir, "help", embedder=embedder, top_k=3)
    assert isinstance(retriever, BaseRetriever)
    found = retriever.invoke("How many recovery codes do I get?")
    assert len(found) == 3
    assert isinstance(found[0], Document)
    assert found[0].metadata["document_id"] == "accounts/two-step-sign-in.md"
    assert 0 < found[0].metadata["score"] <= 1
    text = demo.release.documents.document("accounts/two-step-sign-in.md")
    assert text is not None
    assert text.text[found[0].metadata["start"] : found[0].metadata["end"]] == found[0].page_content


def test_it_works_in_a_chain_with_a_filter(demo: Demo, embedder: Embedder) -> None:
    retriever = TouchstoneRetriever.open(
        demo.data_dir, "help", embedder=embedder, filter={"language": "de"}, groups=frozenset({"nobody"})
    )
    prompt = ChatPromptTemplate.from_template("{context}\n\n{question}")
    chain = {"context": retriever, "question": RunnablePassthrough()} | prompt
    written = chain.invoke("Was kostet der Versand?").to_string()
    assert "Was kostet der Versand?" in written
    assert {doc.metadata["language"] for doc in retriever.invoke("Versand")} == {"de"}


def test_embeddings_are_the_embedders(embedder: Embedder) -> None:
    embeddings = TouchstoneEmbeddings(embedder)
    assert isinstance(embeddings, Embeddings)
    assert embeddings.embed_documents([]) == []
    documents = embeddings.embed_documents(["a lamp", "a door"])
    np.testing.assert_allclose(documents, embedder.embed(["a lamp", "a door"]), rtol=1e-5)
    assert np.dot(embeddings.embed_query("a lamp"), documents[0]) > 0.97


def test_what_is_missing_is_said(tmp_path: Path, demo: Demo, embedder: Embedder) -> None:
    with pytest.raises(ReleaseError, match="no active release"):
        TouchstoneRetriever.open(tmp_path, "help", embedder=embedder)

    class Other:
        digest = "other"

    with pytest.raises(EmbedderError, match="give that one"):
        TouchstoneRetriever.open(demo.data_dir, "help", embedder=Other())  # type: ignore[arg-type]
