"""What waits of a document: all of it, or of a long one the few passages in which a screen found something."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ingestion.corpus import Chunk, Document, Flag
from ingestion.detect.injection import Finding

# With more, or with a larger part of the text, the document is not one that somebody slipped a sentence into.
_MOST_PASSAGES = 3
_MOST_SHARE = 0.1
_LEFT_OUT = "[…]"


def judged(
    document: Document, chunks: Sequence[Chunk], planted: Sequence[Finding]
) -> tuple[Document, tuple[Chunk, ...]]:
    """The document with what each flag holds, and its chunks with their verdicts: `held` for those that wait.

    `planted` are sentences that are suspicious without being flags; their chunks are only flagged.
    """
    if document.flags and not _waits_in_part(document, chunks):
        flags = tuple(replace(flag, holds="document") for flag in document.flags)
        return replace(document, flags=flags), tuple(replace(chunk, verdict="flag") for chunk in chunks)
    held = passages_of(document, chunks, document.flags)
    suspicious = _chunks_at(chunks, ((one.start, one.end) for one in planted))
    verdicts = {**dict.fromkeys(suspicious, "flag"), **dict.fromkeys(held, "held")}
    return document, tuple(replace(chunk, verdict=verdicts.get(chunk.ordinal, "pass")) for chunk in chunks)


def passages_of(document: Document, chunks: Sequence[Chunk], flags: Iterable[Flag]) -> frozenset[int]:
    """Ordinals of the chunks that hold any part of a block in which a flag stands."""
    return _chunks_at(chunks, {_blocks_around(document, flag)[:2] for flag in flags})


def without(document: Document, chunks: Sequence[Chunk], held: frozenset[int]) -> Document:
    """The document with blanks in the place of some chunks, so that offsets stay and nobody reads them."""
    text = document.text
    for chunk in chunks:
        if chunk.ordinal in held:
            blank = _LEFT_OUT.ljust(chunk.end - chunk.start)[: chunk.end - chunk.start]
            text = text[: chunk.start] + blank + text[chunk.end :]
    return replace(document, text=text)


def _waits_in_part(document: Document, chunks: Sequence[Chunk]) -> bool:
    """Whether no flag concerns more than a passage, and the passages are few and a small part of the text."""
    if any(flag.holds == "document" for flag in document.flags):
        return False
    blocks = {_blocks_around(document, flag) for flag in document.flags}
    # Headings are read with all that stands below them.
    if len(blocks) > _MOST_PASSAGES or any(has_heading for _, _, has_heading in blocks):
        return False
    held = passages_of(document, chunks, document.flags)
    size = sum(len(chunk.text) for chunk in chunks if chunk.ordinal in held)
    return bool(held) and size <= _MOST_SHARE * sum(len(chunk.text) for chunk in chunks)


def _blocks_around(document: Document, flag: Flag) -> tuple[int, int, bool]:
    """Where the blocks lie into which a flag reaches, and whether one of them is a heading or a term."""
    first = bisect_right(document.spans, flag.start, key=lambda span: span.end)
    last = bisect_left(document.spans, flag.end, key=lambda span: span.start)
    spans = document.spans[first:last]
    if not spans:
        return flag.start, flag.end, False
    return spans[0].start, spans[-1].end, any(span.kind in ("heading", "term") for span in spans)


def _chunks_at(chunks: Sequence[Chunk], ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    """Ordinals of the chunks, which lie in order, that any of the ranges of the text touches."""
    found: set[int] = set()
    for start, end in ranges:
        first = bisect_right(chunks, start, key=lambda chunk: chunk.end)
        last = bisect_left(chunks, end, key=lambda chunk: chunk.start)
        found.update(chunk.ordinal for chunk in chunks[first:last])
    return frozenset(found)
