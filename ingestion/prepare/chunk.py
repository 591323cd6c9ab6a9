"""Document to chunks: by structure, sized in the embedder's tokens, with exact offsets. Pure."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingestion.corpus import Chunk, Document, Span
from ingestion.text.sentences import sentence_spans

CountTokens = Callable[[list[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is not divided further: `document.text[start:end]`, under a heading path."""

    start: int
    end: int
    tokens: int
    heading: str
    page: int | None
    section: int


def chunk_document(
    document: Document, *, max_tokens: int, count: CountTokens, header: bool = True
) -> list[Chunk]:
    """Chunks of at most `max_tokens` tokens, in reading order, never across two sections.

    `count` gives the tokens of each of several texts. Blocks stay whole where they fit; longer ones
    are divided at sentences, then at words. Without `header`, title and headings are not embedded with
    the text. `document.text[chunk.start:chunk.end] == chunk.text`.
    """
    chunks: list[Chunk] = []
    for group in _pack(list(_pieces(document, max_tokens, count)), max_tokens):
        text = document.text[group[0].start : group[-1].end]
        ordinal = len(chunks)
        key = "\x1f".join((document.id, document.title, group[0].heading, str(ordinal), text))
        chunks.append(
            Chunk(
                id=hashlib.sha256(key.encode()).hexdigest()[:20],
                document_id=document.id,
                ordinal=ordinal,
                text=text,
                start=group[0].start,
                end=group[-1].end,
                title=document.title,
                source=document.source,
                language=document.language,
                heading=group[0].heading,
                page=group[0].page,
                updated=document.updated,
                superseded=document.superseded_by is not None,
                verdict="flag" if document.flags else "pass",
                has_header=header,
            )
        )
    return chunks


def _pieces(document: Document, max_tokens: int, count: CountTokens) -> Iterator[Piece]:
    """Blocks below their headings; the headings themselves travel as the heading path."""
    path: list[tuple[int, str]] = []
    bodies: list[tuple[Span, str, int]] = []
    section = 0
    for span in document.spans:
        if span.kind == "heading":
            section += 1
            title = document.text[span.start : span.end]
            path = [(level, text) for level, text in path if level < span.level]
            path.append((span.level, title))
        else:
            names = [text for _, text in path if text != document.title]
            bodies.append((span, " › ".join(names), section))
    tokens = count([document.text[span.start : span.end] for span, _, _ in bodies])
    for (span, heading, number), size in zip(bodies, tokens, strict=True):
        whole = Piece(span.start, span.end, size, heading, span.page, number)
        yield from [whole] if size <= max_tokens else _divide(document, whole, max_tokens, count)


def _divide(document: Document, piece: Piece, max_tokens: int, count: CountTokens) -> list[Piece]:
    """A piece at its sentences; a sentence that is still too long at its words."""
    text = document.text[piece.start : piece.end]
    spans = list(sentence_spans(text, document.language))
    if len(spans) <= 1:
        spans = _word_runs(text, max_tokens)
    sizes = count([text[start:end] for start, end in spans])
    parts: list[Piece] = []
    for (start, end), size in zip(spans, sizes, strict=True):
        part = Piece(piece.start + start, piece.start + end, size, piece.heading, piece.page, piece.section)
        shrinks = end - start < len(text)
        parts += _divide(document, part, max_tokens, count) if size > max_tokens and shrinks else [part]
    return parts


def _word_runs(text: str, max_tokens: int) -> list[tuple[int, int]]:
    """Runs of whole words (or of characters, where a word is huge) that are surely small enough.

    A token has at least one character, so runs of `max_tokens` characters always fit.
    """
    runs: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = min(start + max_tokens, len(text))
        if end < len(text):
            space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
            end = space if space > start else end
        piece = text[start:end]
        left, right = len(piece) - len(piece.lstrip()), len(piece.rstrip())
        if right > left:
            runs.append((start + left, start + right))
        start = end if end > start else start + 1
    return runs


def _pack(pieces: Sequence[Piece], max_tokens: int) -> Iterator[list[Piece]]:
    """Neighbours of one section together, as many as fit."""
    group: list[Piece] = []
    used = 0
    for piece in pieces:
        if group and (piece.section != group[0].section or used + piece.tokens > max_tokens):
            yield group
            group, used = [], 0
        group.append(piece)
        used += piece.tokens
    if group:
        yield group
