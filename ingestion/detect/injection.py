"""Prompt injection in prompts and documents: rules and heads, with a span and a score for every finding.

A prompt is judged sentence by sentence, in runs of three sentences and as a whole. A document is judged by its
sentences and by how far each differs from the others: a planted request has nothing to do with its surroundings.
Published classifiers miss attacks inside long documents when they read them whole; sentences keep them in sight.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingestion.detect.decodings import Decoding, decodings_of
from ingestion.detect.heads import Floats, Head, load_head
from ingestion.detect.rules import matches_in
from ingestion.detect.sentences import (
    Piece,
    context_features,
    cue_features,
    is_request,
    pieces_of,
)
from ingestion.embed.builtin import BUILTIN_DIR, load_builtin
from ingestion.embed.cached import SentenceEmbedder

PROMPT, DOCUMENT = "prompt", "document"
PROMPT_DIR = Path(__file__).parent / "prompt-minilm-l6-v2"
DOCUMENT_DIR = Path(__file__).parent / "document-minilm-l6-v2"
_TAG = re.compile(r"<!--|-->|</?[a-zA-Z][^<>]{0,300}>|[{}]|(?m:^\s*(?:#|//|\*)+)")
# What a user pastes: marked-up text, code, or a long quotation.
_PASTED = re.compile(r"<[a-z!/][^<>]{0,200}>|```|[:,] ?['\"“{][^'\"”]{60,}|^>", re.IGNORECASE | re.MULTILINE)
_WINDOW, _STEP = 40, 32
_CONTEXT_SENTENCES = 6
_RUN = 3
_WHOLE_CHARS = 1_000
_INPUT, _PASTE, _RETRIEVED = frozenset({"input"}), frozenset({"input", "pasted"}), frozenset({"retrieved"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Text at `start:end` of the text as written that addresses a model; `rule` is a rule's id or `model`."""

    rule: str
    start: int
    end: int
    score: float


def by_rules(text: str, decodings: Sequence[Decoding], *, is_document: bool) -> list[Finding]:
    """Findings of the rules: deterministic, no model."""
    zones = _RETRIEVED if is_document else _PASTE if _PASTED.search(text) else _INPUT
    return [Finding(m.rule, m.start, m.end, 1.0) for m in matches_in(decodings, zones)]


class InjectionModel:
    """The model tier. `heads` are those of `load_heads`, for the weights of this embedder."""

    def __init__(self, embedder: SentenceEmbedder, heads: Mapping[str, Head]) -> None:
        self._embedder = embedder
        self._prompt, self._document = heads[PROMPT], heads[DOCUMENT]

    def judge_prompt(self, text: str, decodings: Sequence[Decoding] | None = None) -> Finding | None:
        """The part of a prompt that looks most like an attack, whatever its score; None for an empty one."""
        found: list[Finding] = []
        for decoding in decodings or decodings_of(text):
            if decoding.kind == "plain" and len(decoding.text) == len(text):
                continue
            units = units_of(decoding.text)
            if units:
                scores = self._prompt.scores(prompt_rows([u.text for u in units], self._embedder))
                best = int(scores.argmax())
                span = decoding.span(units[best].start, units[best].end)
                found.append(Finding("model", *span, float(scores[best])))
        if _PASTED.search(text):
            found += self.judge_documents([_unmarked(text)])[0][:1]
        return max(found, key=lambda finding: finding.score, default=None)

    def judge_documents(self, texts: Sequence[str], language: str = "en") -> list[list[Finding]]:
        """For each text its suspicious sentences above the lowest threshold, the worst first."""
        windows = [
            (number, chosen)
            for number, text in enumerate(texts)
            for chosen in windows_of(pieces_of(text, language))
        ]
        wanted = [piece.text for _, chosen in windows for piece in chosen]
        unique = list(dict.fromkeys(wanted))
        rows = dict(zip(unique, self._embedder.embed(unique), strict=True)) if unique else {}
        least = min(self._document.thresholds.values(), default=0.5)
        found: list[dict[tuple[int, int], Finding]] = [{} for _ in texts]
        for number, chosen in windows:
            vectors = np.stack([rows[piece.text] for piece in chosen])
            scores = self._document.scores(document_rows([p.text for p in chosen], vectors))
            for piece, score in zip(chosen, scores.tolist(), strict=True):
                if score >= least and is_request(piece.text):
                    known = found[number].get((piece.start, piece.end))
                    if known is None or known.score < score:
                        found[number][piece.start, piece.end] = Finding(
                            "model", piece.start, piece.end, score
                        )
        return [sorted(one.values(), key=lambda finding: -finding.score) for one in found]


def load_injection_model(*, threads: int = 1) -> InjectionModel:
    """The model tier on an embedder of its own. Raises `EmbedderError`."""
    embedder = load_builtin(BUILTIN_DIR, threads=threads, with_late=False)
    return InjectionModel(embedder, load_heads(embedder.weights_digest))


def load_heads(weights_digest: str) -> dict[str, Head]:
    """The heads for prompts and documents, by name, for the embedder of these weights. Raises `EmbedderError`."""
    return {
        name: load_head(folder, weights_digest)
        for name, folder in ((PROMPT, PROMPT_DIR), (DOCUMENT, DOCUMENT_DIR))
    }


def units_of(text: str) -> list[Piece]:
    """The parts of a prompt that the head scores: sentences, runs of three, and its beginning as a whole."""
    sentences = pieces_of(text)
    units = list(sentences)
    for i in range(0, len(sentences) - _RUN + 1, 2):
        start, end = sentences[i].start, sentences[i + _RUN - 1].end
        units.append(Piece(text[start:end], start, end))
    if len(sentences) != 1 and text.strip():
        units.append(Piece(text[:_WHOLE_CHARS], 0, min(len(text), _WHOLE_CHARS)))
    return units


def prompt_rows(texts: list[str], embedder: SentenceEmbedder) -> Floats:
    """Features of parts of prompts."""
    return np.concatenate([embedder.embed(texts), cue_features(texts)], axis=1)


def document_rows(texts: Sequence[str], vectors: Floats) -> Floats:
    """Features of sentences that stand in one window of a document."""
    return np.concatenate([vectors, context_features(texts, vectors)], axis=1)


def windows_of(sentences: Sequence[Piece]) -> list[list[Piece]]:
    """The sentences to score, with some of their surroundings, in windows of a document.

    Most sentences request nothing and are not scored. Each request is scored beside its neighbours and a few other
    sentences, which show what the window is about.
    """
    found: list[list[Piece]] = []
    for begin in range(0, max(len(sentences) - (_WINDOW - _STEP), 1), _STEP):
        window = sentences[begin : begin + _WINDOW]
        asking = [i for i, piece in enumerate(window) if is_request(piece.text)]
        if not asking:
            continue
        chosen = {j for i in asking for j in (i - 1, i, i + 1) if 0 <= j < len(window)}
        others = [i for i in range(len(window)) if i not in chosen]
        step = max(1, -(-len(others) // _CONTEXT_SENTENCES))
        chosen.update(others[::step])
        found.append([window[i] for i in sorted(chosen)])
    return found


def _unmarked(text: str) -> str:
    """The text with markup replaced by line ends: same offsets, and what stands in a comment is a line of its own."""
    return _TAG.sub(lambda found: "\n" * len(found[0]), text)
