"""Sentences as input of the heads: their vectors, and features of their place in the document. Knows no verdicts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.text.sentences import sentence_spans

Floats = npt.NDArray[np.float32]
# Longer pieces are cut at spaces, so that the model truncates nothing.
_MOST_CHARS = 600
_LEAST_CHARS = 3
_CLOSING = " \"'”’)"

_REPLY = re.compile(
    r"\b(?:your|the|every|each|any|final|next)\s+(?:\w+\s+)?(?:answer|reply|replies|response|output|message|summary|explanation)s?\b"
    r"|\b(?:respond|reply|answer)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^\W*(?:please\s+|kindly\s+|now\s+|can you\s+|could you\s+|would you\s+)?(?:write|give|tell|explain|describe|list|show|provide|create|compose|draft"
    r"|recommend|suggest|summari[sz]e|translate|analy[sz]e|compare|help|define|discuss|outline|name|generate|develop|design|classify|determine|rate"
    r"|identify|convert|encode|encrypt|reverse|replace|use|render|modify|change|add|include|insert|append|integrate|enhance|embed|mention|repeat|print"
    r"|ignore|disregard|forget|override|pretend|imagine|act|say|answer|reply|respond|send|forward|call|delete|make|break down|calculate|find|plan|put)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"^\W*(?:what|who|when|where|why|how|which|whose|is|are|was|were|does|do|did|can|could|would|should|will|has|have)\b",
    re.IGNORECASE,
)
_SECOND = re.compile(r"\byou(?:r|rs|rself)?\b", re.IGNORECASE)
_FIRST = re.compile(r"\b(?:i|we|me|us|my|our|i'm|we're|i've|we've)\b", re.IGNORECASE)
_MODEL = re.compile(
    r"\b(?:assistant|chat ?bot|ai|language model|llm|user|users|prompt|system)\b", re.IGNORECASE
)
_SPOKEN_TO = re.compile(r"\b(?:assistant|chat ?bot|ai|language model|llm|prompt)\b", re.IGNORECASE)
_LINK = re.compile(r"https?://|www\.|\b\w+\.(?:com|org|net|io|xyz|info|example)\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“'‘][^\"”'’]{3,1000}[\"”'’]")
_CUES = (_REPLY, _ASKS, _QUESTION, _SECOND, _FIRST, _MODEL, _LINK, _QUOTED)
_ASKING = (_REPLY, _ASKS, _QUESTION, _MODEL)
_MOST_LENGTH = 400
_LEAST_REQUEST = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence: `text[start:end]` of what it was taken from."""

    text: str
    start: int
    end: int


def pieces_of(text: str, language: str = "en") -> list[Piece]:
    """Every sentence, long ones cut; only scraps of up to two characters are left out."""
    found: list[Piece] = []
    scrap = (-1, -1)
    for start, end in sentence_spans(text, language):
        if scrap[1] == start:
            start = scrap[0]
        while end - start > _MOST_CHARS:
            space = text.rfind(" ", start + _MOST_CHARS // 2, start + _MOST_CHARS)
            cut = space if space > start else start + _MOST_CHARS
            found.append(Piece(text[start:cut], start, cut))
            start = cut
        if end - start >= _LEAST_CHARS:
            found.append(Piece(text[start:end], start, end))
        else:
            scrap = (start, end)
    return found


def is_request(text: str) -> bool:
    """Whether a sentence may be a request: a question, an order, or a mention of a reply or of a model."""
    if len(text) < _LEAST_REQUEST or text.count(" ") < 2:
        return False
    return text.rstrip(_CLOSING).endswith("?") or any(cue.search(text) for cue in _ASKING)


def is_statement(text: str) -> bool:
    """Whether all that makes a sentence a possible request is that it names a system or users, as every manual does."""
    if text.rstrip(_CLOSING).endswith("?") or _SPOKEN_TO.search(text):
        return False
    return not any(cue.search(text) for cue in (_REPLY, _ASKS, _QUESTION, _SECOND))


def request_words(text: str) -> int:
    """How many words of a request a text has: orders, questions, mentions of a reply, of a model and of the reader."""
    return sum(len(cue.findall(text)) for cue in (*_ASKING, _SECOND))


def cue_features(texts: Sequence[str]) -> Floats:
    """Features of wording, shape `(len(texts), 10)`."""
    rows = [
        [
            *(bool(cue.search(text)) for cue in _CUES),
            text.rstrip(_CLOSING).endswith("?"),
            min(len(text), _MOST_LENGTH) / _MOST_LENGTH,
        ]
        for text in texts
    ]
    return np.array(rows, np.float32).reshape(len(texts), len(_CUES) + 2)


def context_features(texts: Sequence[str], vectors: Floats) -> Floats:
    """Features of wording of each sentence of a document, and its distance from the other sentences.

    Shape `(len(texts), 17)`. A planted instruction is a request whose subject differs from that of its
    surroundings.
    """
    count = len(texts)
    cues = cue_features(texts)
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, 0.0)
    others = max(count - 1, 1)
    total = vectors.sum(axis=0)
    rest = total - vectors
    norms = np.maximum(np.linalg.norm(rest, axis=1), 1e-6)
    centre = np.einsum("ij,ij->i", vectors, rest) / norms
    nearest = similar.max(axis=1) if count > 1 else np.zeros(1, np.float32)
    before = np.concatenate([[0.0], np.diagonal(similar, 1)]) if count > 1 else np.zeros(1)
    after = np.concatenate([np.diagonal(similar, 1), [0.0]]) if count > 1 else np.zeros(1)
    size = np.full(count, min(np.log1p(count) / 4, 1.0))
    mean_rest = similar.sum(axis=1) / others
    alone = np.full(count, count == 1)
    rest_of = np.stack([centre, nearest, before, after, mean_rest, size, alone], axis=1)
    return np.concatenate([cues, rest_of.astype(np.float32)], axis=1)
