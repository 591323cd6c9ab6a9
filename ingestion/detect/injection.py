"""Prompt injection in prompts and documents: rules and heads, with a span and a score for every finding.

A prompt is judged sentence by sentence, in runs of three sentences and as a whole. A document is judged by its
sentences and by how far each differs from the others: a planted request has nothing to do with its surroundings.
Published classifiers miss attacks inside long documents when they read them whole; sentences keep them in sight.

Rules read all of a prompt. The model reads at most `MOST_UNITS` of its parts: those with the most words of a request,
and of equals some from everywhere, so that a prompt of any length costs about a second.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

from ingestion.detect.cues import attack_features
from ingestion.detect.decodings import Decoding, decodings_of
from ingestion.detect.heads import Floats, Head, load_head
from ingestion.detect.rules import Match, every_match, matches_in
from ingestion.detect.sentences import (
    Piece,
    context_features,
    cue_features,
    is_request,
    is_statement,
    pieces_of,
    request_words,
)
from ingestion.embed.builtin import BUILTIN_DIR, load_builtin
from ingestion.embed.cached import SentenceEmbedder

T = TypeVar("T")
PROMPT, DOCUMENT = "prompt", "document"
PROMPT_DIR = Path(__file__).parent / "prompt-minilm-l6-v2"
DOCUMENT_DIR = Path(__file__).parent / "document-minilm-l6-v2"
_TAG = re.compile(r"<!--|-->|</?[a-zA-Z][^<>]{0,300}>|[{}]|(?m:^[^\S\n]*(?:#|//|\*)+)")
# What a user pastes: marked-up text, code, or a long quotation.
_PASTED = re.compile(r"<[a-z!/][^<>]{0,200}>|```|[:,] ?['\"“{][^'\"”]{60,}|^>", re.IGNORECASE | re.MULTILINE)
_WINDOW, _STEP = 40, 32
_CONTEXT_SENTENCES = 6
_RUN = 3
MOST_UNITS = 256
# Windows of what was pasted into a prompt, of forty sentences each.
_MOST_WINDOWS = 8
# A classifier is ten times as slow as a head.
_WHOLE_FOR_CLASSIFIERS_CHARS, _SENTENCES_FOR_CLASSIFIERS = 10_000, 64
_WHOLE_CHARS = 1_000
# A letter or a greeting: no language says an order in three.
_LEAST_ATTACK_CHARS = 4
# Places of a rule in each view of a document: one more than any document has that isn't an attack from end to end.
_MOST_MATCHES = 20
# The largest of many harmless scores grows with the logarithm of their number: in logits by the mean excess of the tail, which
# is 1.3 to 1.9 in harmless public documents (XQuAD, SciFact, CovidQA, mails). Mails have up to sixteen sentences.
_TAIL = 1.5
_FEW_SENTENCES = 16
_LEAST_SCORE = 1e-9
_INPUT, _PASTE, _RETRIEVED = frozenset({"input"}), frozenset({"input", "pasted"}), frozenset({"retrieved"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Text at `start:end` of the text as written that addresses a model; `rule` is a rule's id or `model`."""

    rule: str
    start: int
    end: int
    score: float
    is_disguised: bool = False


def by_rules(text: str, decodings: Sequence[Decoding], *, is_document: bool) -> list[Finding]:
    """Findings of the rules: deterministic, no model."""
    zones = _RETRIEVED if is_document else _PASTE if _PASTED.search(text) else _INPUT
    return [_finding(match) for match in matches_in(decodings, zones)]


def all_by_rules(text: str, decodings: Sequence[Decoding]) -> list[Finding]:
    """Every place of a document at which a rule matches, so that none is left when the first is taken out."""
    return [_finding(match) for match in every_match(decodings, _RETRIEVED, most=_MOST_MATCHES)]


def _finding(match: Match) -> Finding:
    return Finding(match.rule, match.start, match.end, 1.0, match.is_disguised)


class InjectionModel:
    """The model tier. `heads` are those of `load_heads`, for the weights of this embedder."""

    def __init__(self, embedder: SentenceEmbedder, heads: Mapping[str, Head]) -> None:
        self._embedder = embedder
        self._prompt, self._document = heads[PROMPT], heads[DOCUMENT]

    def judge_prompt(self, text: str, decodings: Sequence[Decoding] | None = None) -> Finding | None:
        """The part of a prompt that looks most like an attack, whatever its score; None for an empty one."""
        read = [d for d in decodings or decodings_of(text) if d.kind != "plain" or len(d.text) != len(text)]
        units = [
            (number, unit)
            for number, d in enumerate(read)
            for unit in units_of(d.text)
            if len(unit.text.strip()) >= _LEAST_ATTACK_CHARS
        ]
        chosen = likeliest(units, [unit.text for _, unit in units], MOST_UNITS)
        found: list[Finding] = []
        for number, group in groupby(chosen, key=lambda one: one[0]):
            own = [unit for _, unit in group]
            scores = self._prompt.scores(prompt_rows([unit.text for unit in own], self._embedder))
            best = int(scores.argmax())
            start, end = read[number].span(own[best].start, own[best].end)
            found.append(Finding("model", start, end, float(scores[best])))
        if _PASTED.search(text):
            found += self._judge([_pasted_windows(text)])[0][:1]
        return max(found, key=lambda finding: finding.score, default=None)

    def judge_documents(self, texts: Sequence[str], language: str = "en") -> list[list[Finding]]:
        """For each text its suspicious sentences above the lowest threshold, the worst first.

        A score is what it would be worth in a short document: a long one has more sentences of which one may be mistaken.
        """
        pieces = [pieces_of(text, language) for text in texts]
        judged = self._judge([_worth_judging(windows_of(own)) for own in pieces])
        return [
            self._weighed(text, own, found) for text, own, found in zip(texts, pieces, judged, strict=True)
        ]

    def _weighed(self, text: str, pieces: Sequence[Piece], found: Sequence[Finding]) -> list[Finding]:
        least = min(self._document.thresholds.values(), default=0.5)
        requests = [one for one in found if not is_statement(text[one.start : one.end])]
        weighed = [replace(one, score=weighed_score(one.score, len(pieces))) for one in requests]
        return [one for one in weighed if one.score >= least]

    def _judge(self, texts: Sequence[list[list[Piece]]]) -> list[list[Finding]]:
        """The same for the windows of each text."""
        windows = [(number, chosen) for number, of_text in enumerate(texts) for chosen in of_text]
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


def weighed_score(score: float, sentences: int) -> float:
    """A score, lowered by as much as the largest of so many harmless scores is expected to be higher."""
    if sentences <= _FEW_SENTENCES:
        return score
    kept = min(max(score, _LEAST_SCORE), 1 - _LEAST_SCORE)
    logit = math.log(kept / (1 - kept)) - _TAIL * math.log(sentences / _FEW_SENTENCES)
    return 1 / (1 + math.exp(-logit))


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


def likeliest(items: Sequence[T], texts: Sequence[str], most: int) -> list[T]:
    """At most so many of the items, in their order: those whose texts have the most words of a request.

    Of equals every n-th is taken, and what is said twice counts once: neither the beginning nor a flood of harmless
    requests hides the rest for sure.
    """
    if len(items) <= most:
        return list(items)
    by_count: dict[int, list[int]] = {}
    for i in {text: i for i, text in reversed(list(enumerate(texts)))}.values():
        by_count.setdefault(request_words(texts[i]), []).append(i)
    chosen: list[int] = []
    for count in sorted(by_count, reverse=True):
        same = sorted(by_count[count])
        step = max(1, -(-len(same) // max(most - len(chosen), 1)))
        chosen += same[::step][: most - len(chosen)]
    return [items[i] for i in sorted(chosen)]


def prompt_rows(texts: list[str], embedder: SentenceEmbedder) -> Floats:
    """Features of parts of prompts."""
    return np.concatenate([embedder.embed(texts), cue_features(texts), attack_features(texts)], axis=1)


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


def _worth_judging(windows: Iterable[list[Piece]]) -> list[list[Piece]]:
    """The windows with a sentence that can be found: statements set aside whatever their score cost no embedding."""
    return [
        window
        for window in windows
        if any(is_request(piece.text) and not is_statement(piece.text) for piece in window)
    ]


def likeliest_part(text: str) -> str:
    """A text of up to 10,000 characters; of a longer one the 64 sentences with the most words of a request."""
    if len(text) <= _WHOLE_FOR_CLASSIFIERS_CHARS:
        return text
    pieces = pieces_of(text)
    return "\n".join(
        likeliest([p.text for p in pieces], [p.text for p in pieces], _SENTENCES_FOR_CLASSIFIERS)
    )


def _pasted_windows(text: str) -> list[list[Piece]]:
    """The windows of what was pasted, some of them where there are many."""
    windows = windows_of(pieces_of(_unmarked(text)))
    return likeliest(windows, [" ".join(piece.text for piece in one) for one in windows], _MOST_WINDOWS)


def _unmarked(text: str) -> str:
    """The text with markup replaced by line ends: same offsets, and what stands in a comment is a line of its own."""
    return _TAG.sub(lambda found: "\n" * len(found[0]), text)
