"""Passages that explain what a question asks for by its very name come before those that only mention it."""

import numpy as np

from ingestion.index.identifiers import exact
from ingestion.index.lexical import names, terms
from ingestion.releases.release import Release
from ingestion.search.abbreviations import asked_abbreviation, tells_expansion
from ingestion.search.fusion import Candidates

# What a passage gains whose nearest heading, or a term in it, is the option, setting or code that is asked for: it comes before
# all that only mention it.
_RAISED = 1.0
_TERM_CHARS = 80
# A longer heading is about more than what it names: an article's title holds a gene's name, and explains no gene.
_MOST_HEAD_WORDS = 6


def raise_named(release: Release, found: Candidates, question: str, *, depth: int) -> Candidates:
    """The first `depth` candidates in a new order: those that explain what the question names come earlier, and so do those
    that spell out the abbreviation that it asks for."""
    abbreviation = asked_abbreviation(question)
    if not depth or not (abbreviation or exact(question)):
        return found
    gains = np.zeros(len(found.positions), np.float32)
    chunks = release.chunks(found.positions[:depth])
    named = {language: names(question, language) for language in {chunk.language for chunk in chunks}}
    for number, chunk in enumerate(chunks):
        if abbreviation:
            gains[number] = _RAISED * tells_expansion(chunk.text, abbreviation)
            continue
        heads = [chunk.header.rpartition(" › ")[2], *_terms(chunk.text)]
        short = (head for head in heads if len(head.split()) <= _MOST_HEAD_WORDS)
        explained = {term for head in short for term in terms(head, chunk.language)}
        gains[number] = _RAISED * (not named[chunk.language].isdisjoint(explained))
    return found.order_by((found.final + gains) / (1 + _RAISED)) if gains.any() else found


def _terms(text: str) -> list[str]:
    """What stands before the first colon of each line, as terms do before their explanation."""
    return [line[:_TERM_CHARS].partition(": ")[0] for line in text.split("\n") if ": " in line[:_TERM_CHARS]]
