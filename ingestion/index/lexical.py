"""BM25 with one analysis a language, on Tantivy. A text lies in the field of its own language."""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
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


def build_lexical(folder: Path, texts: Iterable[tuple[str, str]], languages: Sequence[str]) -> None:
    """Index `(language, text)` pairs, the position of a pair being its row."""
    place = folder / _FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    index = tantivy.Index(_schema(languages), path=str(place))
    for language in languages:
        index.register_tokenizer(language, analyzer(language))
    writer = index.writer(_WRITER_BYTES, 1)
    for row, (language, text) in enumerate(texts):
        document = tantivy.Document()
        document.add_unsigned("row", row)
        document.add_text(f"body_{language}", text)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()


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
