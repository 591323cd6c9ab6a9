"""Document to chunks: by structure, sized in the embedder's tokens, with exact offsets. Pure."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingestion.corpus import Chunk, Document
from ingestion.text.sentences import sentence_spans

CountTokens = Callable[[list[str]], list[int]]
# A term with its explanation is a section of its own; those that are shorter share a chunk with their neighbours.
_SHORT_TOKENS = 32
_LONGEST_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is not divided further: `document.text[start:end]`, under a heading path.

    `around` is the heading path of the section in which a term is explained; None for what explains no term.
    """

    start: int
    end: int
    tokens: int
    heading: str
    page: int | None
    section: int
    around: str | None = None


@dataclass(frozen=True, slots=True)
class _Body:
    """Where a block lies that is no heading, and under what."""

    start: int
    end: int
    page: int | None
    heading: str
    section: int
    around: str | None


def chunk_document(
    document: Document, *, max_tokens: int, count: CountTokens, header: bool = True
) -> list[Chunk]:
    """Chunks of at most `max_tokens` tokens, in reading order, never across two sections.

    `count` gives the tokens of each of several texts. Blocks stay whole where they fit; longer ones
    are divided at sentences, then at words. Without `header`, title and headings are not embedded with
    the text. `document.text[chunk.start:chunk.end] == chunk.text`.
    """
    chunks: list[Chunk] = []
    for group in _shared(_pack(list(_pieces(document, max_tokens, count)), max_tokens), max_tokens):
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
                has_header=header,
            )
        )
    return chunks


def _pieces(document: Document, max_tokens: int, count: CountTokens) -> Iterator[Piece]:
    """Blocks below their headings; the headings themselves travel as the heading path."""
    bodies = _bodies(document)
    tokens = count([document.text[body.start : body.end] for body in bodies])
    for body, size in zip(bodies, tokens, strict=True):
        whole = Piece(body.start, body.end, size, body.heading, body.page, body.section, body.around)
        yield from [whole] if size <= max_tokens else _divide(document, whole, max_tokens, count)


def _bodies(document: Document) -> list[_Body]:
    """A term is a heading of what explains it, and stands before its explanation too."""
    path: list[tuple[int, str]] = []
    terms: list[str] = []
    bodies: list[_Body] = []
    section = 0
    waits = False  # a term for its explanation
    for span in document.spans:
        text = document.text[span.start : span.end]
        if span.kind == "boilerplate":
            continue
        if span.kind == "heading":
            section += 1
            path = [(level, title) for level, title in path if level < span.level]
            path.append((span.level, text))
            terms, waits = [], False
            continue
        if waits and span.kind in ("paragraph", "item") and span.depth == len(terms):
            bodies[-1] = replace(bodies[-1], end=span.end)
            waits = False
            continue
        section += span.kind == "term" or span.depth < len(terms)
        terms = terms[: span.depth]
        names = [title for _, title in path if title != document.title]
        around = " › ".join([*names, *(terms if span.kind == "term" else terms[:-1])])
        waits = span.kind == "term"
        if waits:
            terms = [*terms, _name(text)]
        heading = " › ".join([*names, *terms])
        bodies.append(_Body(span.start, span.end, span.page, heading, section, around if terms else None))
    return bodies


def _name(term: str) -> str:
    """A term as part of a heading path, where it has one line and no sentence's length."""
    line = " ".join(term.split())
    return line if len(line) <= _LONGEST_NAME_CHARS else line[:_LONGEST_NAME_CHARS].rpartition(" ")[0] or line


def _divide(document: Document, piece: Piece, max_tokens: int, count: CountTokens) -> list[Piece]:
    """A piece at its sentences; a sentence that is still too long at its words."""
    text = document.text[piece.start : piece.end]
    spans = list(sentence_spans(text, document.language))
    if len(spans) <= 1:
        spans = _word_runs(text, max_tokens)
    sizes = count([text[start:end] for start, end in spans])
    parts: list[Piece] = []
    for (start, end), size in zip(spans, sizes, strict=True):
        part = replace(piece, start=piece.start + start, end=piece.start + end, tokens=size)
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


def _shared(groups: Iterable[list[Piece]], max_tokens: int) -> Iterator[list[Piece]]:
    """Chunks of terms that are explained in a few words, side by side, share one under the heading of them all."""
    groups = list(groups)
    parts = Counter(group[0].section for group in groups)
    shared: list[Piece] = []
    for group in groups:
        short = _as_neighbour(group) if parts[group[0].section] == 1 else []
        used = sum(piece.tokens for piece in shared)
        if shared and short and shared[0].around == short[0].around:
            if used + sum(piece.tokens for piece in short) <= max_tokens:
                shared += short
                continue
        if shared:
            yield shared
        shared = short
        if not short:
            yield group
    if shared:
        yield shared


def _as_neighbour(group: list[Piece]) -> list[Piece]:
    """A short term as it stands beside others; nothing for what stands alone."""
    around = group[0].around
    if around is None or sum(piece.tokens for piece in group) > _SHORT_TOKENS:
        return []
    return [replace(piece, heading=around) for piece in group]
