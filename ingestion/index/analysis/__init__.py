"""What a text's words are, in every script: how a run of letters is cut depends on its script, how a word is stemmed on the
language. Knows nothing of identifiers and of the index.
"""

from ingestion.index.analysis.letters import folded, readable
from ingestion.index.analysis.scripts import without_runs
from ingestion.index.analysis.words import terms_of_text, terms_of_word

__all__ = ["folded", "readable", "terms_of_text", "terms_of_word", "without_runs"]
