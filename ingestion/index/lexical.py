"""BM25 with one analysis a language, on Tantivy. A text lies in the field of its own language."""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from ingestion.errors import ReleaseError

_FOLDER = "lexical"
_LONGEST_WORD = 60
_WRITER_BYTES = 64 * 1024 * 1024
# Snowball's names; a language that isn't here is analysed without stems.
_STEMMERS = {
    "en": "english",
    "de": "german",
    "es": "spanish",
    "fr": "french",
    "nl": "dutch",
    "it": "italian",
    "pt": "portuguese",
    "sv": "swedish",
    "da": "danish",
    "no": "norwegian",
    "fi": "finnish",
    "ru": "russian",
    "hu": "hungarian",
}
_MAX_TERMS = 64
# The field of texts in a language that the collection does not declare.
OTHER = "other"


def analyzer(language: str) -> tantivy.TextAnalyzer:
    """Words, lower case, without stop words, stemmed, without accents."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.remove_long(_LONGEST_WORD))
    builder = builder.filter(tantivy.Filter.lowercase())
    name = _STEMMERS.get(language)
    if name:
        builder = builder.filter(tantivy.Filter.stopword(name))
        builder = builder.filter(tantivy.Filter.stemmer(name))
    return builder.filter(tantivy.Filter.ascii_fold()).build()


def _schema(languages: Sequence[str]) -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    for language in languages:
        builder.add_text_field(f"body_{language}", tokenizer_name=language, index_option="freq")
    return builder.build()


class LexicalWriter:
    """Makes the index of a release: from nothing, or from that of another release.

    Files of an index never change, so a copy is made of links and costs no more for a large collection.
    """

    def __init__(
        self,
        folder: Path,
        languages: Sequence[str],
        *,
        base: Path | None = None,
        heap_bytes: int = _WRITER_BYTES,
    ) -> None:
        place = folder / _FOLDER
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        self._languages = frozenset(languages)
        self._schema = _schema(languages)
        if base is None:
            index = tantivy.Index(self._schema, path=str(place))
        else:
            _link(base / _FOLDER, place)
            index = tantivy.Index.open(str(place))
        for language in languages:
            index.register_tokenizer(language, analyzer(language))
        self._writer = index.writer(heap_bytes, 1)

    def add(self, row: int, language: str, text: str) -> None:
        """Index a text; one in an unknown language is analysed without a stemmer."""
        document = tantivy.Document()
        document.add_unsigned("row", row)
        document.add_text(f"body_{language if language in self._languages else OTHER}", text)
        self._writer.add_document(document)

    def remove(self, row: int) -> None:
        """Forget a row."""
        self._writer.delete_documents_by_query(tantivy.Query.term_query(self._schema, "row", row))

    def close(self) -> None:
        """Make it durable, and wait until what is merged has been merged."""
        self._writer.commit()
        self._writer.wait_merging_threads()

    def abandon(self) -> None:
        """Forget what was added."""
        self._writer.rollback()


def _link(old: Path, new: Path) -> None:
    """A folder's files under another name; those that are replaced in place are copied."""
    for path in old.iterdir():
        if path.name.endswith(".lock"):
            continue
        if path.suffix == ".json" or path.name.startswith("."):
            shutil.copyfile(path, new / path.name)
        else:
            os.link(path, new / path.name)


class LexicalIndex:
    """Searches texts. Safe to use from several threads."""

    def __init__(self, folder: Path, languages: Sequence[str]) -> None:
        try:
            self._index = tantivy.Index.open(str(folder / _FOLDER))
        except ValueError as exc:
            raise ReleaseError(f"The lexical index in {str(folder)!r} cannot be read.") from exc
        self._analyzers = {language: analyzer(language) for language in languages}
        for language, one in self._analyzers.items():
            self._index.register_tokenizer(language, one)
        self._schema = self._index.schema
        self._searcher = self._index.searcher()
        self._rows = max(1, self._searcher.num_docs)
        self.rarity = lru_cache(maxsize=50_000)(self._rarity)

    def terms(self, text: str, language: str) -> list[str]:
        """The words of `text` as the index of that language sees them."""
        one = self._analyzers.get(language)
        return list(one.analyze(text)) if one else []

    def search(self, query: str, limit: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Rows and BM25 scores (k1 1.2, b .75), best first; texts in any of the languages."""
        clauses = []
        for language in self._analyzers:
            for term, count in Counter(self.terms(query, language)[:_MAX_TERMS]).items():
                clause = tantivy.Query.term_query(self._schema, f"body_{language}", term, "freq")
                if count > 1:
                    clause = tantivy.Query.boost_query(clause, float(count))
                clauses.append((tantivy.Occur.Should, clause))
        if not clauses:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        found = self._searcher.search(tantivy.Query.boolean_query(clauses), limit, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in found])
        return np.array(rows, np.int64), np.array([score for score, _ in found], np.float32)

    def _rarity(self, term: str, language: str) -> float:
        """Inverse document frequency of a term as BM25 weighs it, 0 for one in every text."""
        frequency = self._searcher.doc_freq(f"body_{language}", term)
        return float(np.log(1 + (self._rows - frequency + 0.5) / (frequency + 0.5)))
