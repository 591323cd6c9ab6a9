"""What is asked for by its very name comes before what mentions it."""

import pytest

from ingestion.embed import Embedder
from ingestion.releases.release import Release
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, Tools, retrieve
from tests.ingestion.corpora import Page, release_of

OPTIONS = tuple(
    f"-{letter}, --{name}: {said}"
    for letter, name, said in (
        ("a", "data-only", "Leave out the definitions."),
        ("c", "clean", "Drop what is there before."),
        ("n", "schema", "Take one schema alone."),
    )
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Release:
    about = "The program dumpall makes a copy of a database. What dumpall does, it does while others read and write."
    pages = [
        Page("about", (about, "Call dumpall -a or dumpall -c with care, since what dumpall does is final.")),
        Page("options", OPTIONS, heading=("data", "clean", "schema")),
        Page(
            "toast",
            (
                "TOAST keeps large values. A TOAST table has chunks.",
                "This is about TOAST (The Oversized-Attribute Storage Technique).",
            ),
        ),
        Page(
            "codes", ("60: The certificate is unknown.", "61: The encoding is unknown."), heading=("60", "61")
        ),
    ]
    return release_of(tmp_path_factory.mktemp("named"), pages, embedder=embedder)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("What does dumpall -a do?", "Leave out"),
        ("What does dumpall -c do?", "Drop what"),
        ("What does dumpall --schema do?", "Take one"),
        ("What does error code 60 of dumpall mean?", "certificate"),
        ("What does TOAST stand for?", "Oversized"),
        ("What does error code 61 of dumpall mean?", "encoding"),
    ],
)
def test_the_passage_that_explains_a_name_is_first(
    release: Release, embedder: Embedder, asked: str, says: str
) -> None:
    question = embedder.encode_questions([asked])[0]
    request = SearchRequest(asked, question, settings=RetrievalSettings(top_k=3, join=False))
    hits = retrieve(release, request, Tools(embedder.languages, embedder.late))
    assert says in hits[0].chunk.text
    assert all(0 <= hit.score <= 1 for hit in hits)
