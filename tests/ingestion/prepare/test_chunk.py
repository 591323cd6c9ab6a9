"""Chunks: exact offsets, sizes, sections."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.corpus import Block, Document
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.preparer import assemble

words = st.lists(
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=30), min_size=1, max_size=120
)


def count_words(parts: Sequence[str]) -> list[int]:
    """A tokenizer for tests: a token for every two characters of a word."""
    return [sum((len(word) + 1) // 2 for word in part.split()) for part in parts]


def document(blocks: Sequence[Block]) -> Document:
    text, spans = assemble(blocks)
    return Document("d", "Title", "d", "digest", "en", text, spans)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from(["heading", "paragraph", "item", "row"]), words), min_size=1, max_size=12
    ),
    st.integers(32, 80),
)
def test_chunks_have_exact_offsets_fit_and_lose_nothing(
    raw: list[tuple[str, list[str]]], max_tokens: int
) -> None:
    doc = document([Block(kind, " ".join(ws), level=2) for kind, ws in raw])  # type: ignore[arg-type]
    chunks = chunk_document(doc, max_tokens=max_tokens, count=count_words)
    assert all(doc.text[c.start : c.end] == c.text for c in chunks)
    assert all(count_words([c.text])[0] <= max_tokens for c in chunks)
    bodies = "".join("".join(ws) for kind, ws in raw if kind != "heading")
    assert "".join("".join(c.text.split()) for c in chunks) == bodies
    assert len({c.id for c in chunks}) == len(chunks)


def test_chunks_stay_within_their_section_and_carry_the_heading_path() -> None:
    doc = document(
        [
            Block("heading", "Returns", level=1),
            Block("paragraph", "Intro."),
            Block("heading", "Costs", level=2),
            Block("paragraph", "Free.", page=3),
        ]
    )
    first, second = chunk_document(doc, max_tokens=200, count=count_words)
    assert (first.text, first.heading, second.text, second.heading) == (
        "Intro.",
        "Returns",
        "Free.",
        "Returns › Costs",
    )
    assert second.page == 3
    assert second.embedded_text == "Title › Returns › Costs\nFree."


def test_chunk_ids_are_stable() -> None:
    doc = document([Block("paragraph", "Same text.")])
    ids = [c.id for c in chunk_document(doc, max_tokens=50, count=count_words)]
    assert ids == [c.id for c in chunk_document(doc, max_tokens=50, count=count_words)]


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from(["term", "paragraph", "item", "code"]), words, st.integers(0, 2)),
        min_size=1,
        max_size=12,
    ),
    st.integers(32, 80),
)
def test_chunks_with_terms_lose_nothing_either(
    raw: list[tuple[str, list[str], int]], max_tokens: int
) -> None:
    doc = document([Block(kind, " ".join(ws), depth=depth) for kind, ws, depth in raw])  # type: ignore[arg-type]
    chunks = chunk_document(doc, max_tokens=max_tokens, count=count_words)
    assert all(doc.text[c.start : c.end] == c.text for c in chunks)
    assert all(count_words([c.text])[0] <= max_tokens for c in chunks)
    assert "".join("".join(c.text.split()) for c in chunks) == "".join(doc.text.split())


SETTINGS = (
    Block("heading", "Memory", level=1),
    Block("paragraph", "These settings say how much memory is used."),
    Block("term", "work_mem (integer)"),
    Block("paragraph", "Sets the memory of one operation. " * 4, depth=1),
    Block("paragraph", "The default is four megabytes.", depth=1),
    Block("term", "huge_pages (enum)"),
    Block("paragraph", "Says whether huge pages are asked for. " * 5, depth=1),
    Block("term", "try", depth=1),
    Block("paragraph", "Asks, and goes on without.", depth=2),
    Block("term", "off", depth=1),
    Block("paragraph", "Never asks.", depth=2),
    Block("paragraph", "All of them need a restart."),
)


def test_a_term_stays_with_its_explanation_and_names_every_part_of_it() -> None:
    chunks = chunk_document(document(SETTINGS), max_tokens=40, count=count_words)
    found = [(chunk.heading, chunk.text.split()[0]) for chunk in chunks]
    assert found[0] == ("Memory", "These")
    assert found[1] == ("Memory › work_mem (integer)", "work_mem")
    named = [chunk.heading for chunk in chunks if "default" in chunk.text]
    assert named == ["Memory › work_mem (integer)"]
    assert chunks[-1].text == "All of them need a restart."
    assert chunks[-1].heading == "Memory"


def test_short_terms_share_a_chunk_under_what_they_belong_to() -> None:
    chunks = chunk_document(document(SETTINGS), max_tokens=80, count=count_words)
    shared = next(chunk for chunk in chunks if "try" in chunk.text)
    assert shared.heading == "Memory › huge_pages (enum)"
    assert shared.text.splitlines() == ["try: Asks, and goes on without.", "", "off: Never asks."]
