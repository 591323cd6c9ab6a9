"""Search over segments: exact where it says so, and blind to what a caller may not see."""

import tempfile
from collections import Counter
from dataclasses import replace
from math import log
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.corpus import Hit
from ingestion.filter import Compare
from ingestion.index.gpu import GpuIndex
from ingestion.index.lexical import terms
from ingestion.releases.candidates import K1, B
from ingestion.releases.release import Release
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, retrieve
from ingestion.view import EVERYTHING, View, view_groups
from tests.ingestion.corpora import Page, question_of, release_of, vector_of

WORDS = ["valve", "wheel", "lamp", "hub", "ring", "cable", "door", "window"]
NAMES = ["staff", "legal", "sales"]

pages = st.lists(
    st.tuples(
        st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=3),
        st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        st.sampled_from(["hub", "chime", "lark"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def pages_of(drawn: list) -> list[Page]:
    return [
        Page(
            f"p{number:02d}",
            tuple(f"{' '.join(words)} p{number}" for words in texts),
            tuple(groups),
            {"product": product, "number": number},
            is_old,
        )
        for number, (texts, groups, product, is_old) in enumerate(drawn)
    ]


def shown(hits: list[Hit]) -> list[tuple[str, str, float, dict[str, float]]]:
    return [(h.chunk.id, h.chunk.text, h.score, dict(h.scores)) for h in hits]


@settings(max_examples=60, deadline=None)
@given(
    pages,
    st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    st.sampled_from(["hybrid", "dense", "lexical"]),
    st.sampled_from([None, Compare("product", "eq", "hub"), Compare("number", "lt", 5)]),
)
def test_denied_is_the_same_as_not_there(drawn: list, groups: list, words: list, mode: str, chosen) -> None:  # type: ignore[no-untyped-def]
    everything = pages_of(drawn)
    view = View(view_groups(frozenset(groups)), chosen)
    allowed = [page for page in everything if not page.groups or set(page.groups) & set(groups)]
    text = " ".join(words)
    asked = RetrievalSettings(mode=mode, top_k=6, candidates=4)  # type: ignore[arg-type]
    request = SearchRequest(text, question_of(text), settings=asked, view=view)
    with tempfile.TemporaryDirectory() as folder:
        whole = release_of(Path(folder) / "whole", everything)
        found = shown(retrieve(whole, request))
        count, ids = whole.index.count(view), whole.documents.visible_ids(view)
        rarity = [whole.index.rarity(term, "en", view) for term in terms(text, "en")]
        if not allowed:
            assert (found, count, ids) == ([], 0, [])
            return
        part = release_of(Path(folder) / "part", allowed)
        assert found == shown(retrieve(part, replace(request, view=View(None, chosen))))
        assert count == part.index.count(View(None, chosen))
        assert ids == part.documents.visible_ids(View(None, chosen))
        assert rarity == [part.index.rarity(term, "en") for term in terms(text, "en")]


@settings(max_examples=40, deadline=None)
@given(pages, st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
def test_word_scores_are_bm25_over_what_is_alive(drawn: list, words: list) -> None:
    everything = pages_of(drawn)
    text = " ".join(words)
    with tempfile.TemporaryDirectory() as folder:
        first = release_of(Path(folder), [*everything, Page("gone", ("valve wheel lamp valve",))])
        release = release_of(Path(folder), [], base=first, removed=["gone"])
        positions = release.index.positions(View(include_superseded=True))
        texts = [Counter(terms(chunk.embedded_text, "en")) for chunk in release.chunks(positions)]
        mean = sum(sum(t.values()) for t in texts) / len(texts)
        expected = np.zeros(len(texts))
        for term, times in Counter(terms(text, "en")).items():
            frequency = sum(term in t for t in texts)
            rarity = log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
            for number, t in enumerate(texts):
                length = K1 * (1 - B + B * sum(t.values()) / mean)
                expected[number] += times * rarity * t[term] * (K1 + 1) / (t[term] + length)
        got = release.index.words(text, EVERYTHING).at(positions)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def clustered(count: int) -> list[Page]:
    return [
        Page(f"d{number:04d}", tuple(f"{WORDS[number % 8]} text {number} {part}" for part in range(4)),
             metadata={"bucket": number % 100})
        for number in range(count)
    ]  # fmt: skip


def nearest(release: Release, text: str, view: View, limit: int = 10) -> list[str]:
    positions, _ = release.index.search_dense(vector_of(text), limit, view)
    return [chunk.id for chunk in release.chunks(positions)]


def test_an_ivf_index_finds_what_exact_search_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.releases.candidates._EXACT_BELOW", 0)
    release = release_of(tmp_path, clustered(1_500), kind="ivf")
    assert release.manifest.kind == "ivf"
    assert release.ivf is not None
    for view in (
        EVERYTHING,
        View(filter=Compare("bucket", "lt", 10)),
        View(filter=Compare("bucket", "eq", 7)),
    ):
        shares = []
        for number in range(30):
            vector = vector_of(f"question {number}")
            found, cosines = release.index.search_dense(vector, 10, view)
            exact, _ = release.index.search_dense_exactly(vector, 10, view)
            shares.append(len(np.intersect1d(found, exact)) / 10)
            np.testing.assert_allclose(cosines, release.index.cosines(vector, found), rtol=1e-5)
            chunks = release.chunks(found)
            assert view.filter is None or all(int(c.document_id[1:]) % 100 < 10 for c in chunks)
        assert np.mean(shares) > 0.8  # vectors at random are the hardest to code


def test_an_ivf_index_stays_while_documents_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.releases.candidates._EXACT_BELOW", 0)
    first = release_of(tmp_path, clustered(600), kind="ivf")
    new = Page("new", ("a text that came later",))
    second = release_of(tmp_path, [new], base=first, removed=["d0003"], kind="ivf", origin="upload")
    assert second.ivf is first.ivf, "the same file, opened once"
    assert nearest(second, "a text that came later", EVERYTHING, 1) == ["new-0"]
    assert "d0003-0" in nearest(first, f"{WORDS[3]} text 3 0", EVERYTHING)
    assert "d0003-0" not in nearest(second, f"{WORDS[3]} text 3 0", EVERYTHING)
    more = [Page(f"m{n}", (f"more {n}", f"and more {n}")) for n in range(400)]
    third = release_of(tmp_path, more, base=second, kind="ivf")
    assert third.ivf is not None
    assert third.ivf.rows > first.ivf.rows  # type: ignore[union-attr]
    assert nearest(third, "a text that came later", EVERYTHING, 1) == ["new-0"]


def test_a_gpus_index_answers_in_the_place_of_the_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAISS' flat index on the CPU has the interface of that on a GPU; only the memory differs."""
    monkeypatch.setattr("ingestion.releases.candidates._EXACT_BELOW", 0)
    monkeypatch.setattr("ingestion.index.gpu.faiss.get_num_gpus", lambda: 1)
    monkeypatch.setattr("ingestion.index.gpu._flat", faiss.IndexFlatIP)
    first = release_of(tmp_path, clustered(1_500), kind="ivf")
    new = Page("new", ("a text that came later",))
    release = release_of(tmp_path, [new], base=first, removed=["d0003"], kind="ivf", origin="upload")
    assert isinstance(first.ivf, GpuIndex)
    assert release.ivf is first.ivf, "not copied again for one document"
    for view in (EVERYTHING, View(filter=Compare("bucket", "lt", 10))):
        for number in range(10):
            vector = vector_of(f"question {number}")
            exact, _ = release.index.search_dense_exactly(vector, 10, view)
            assert release.index.search_dense(vector, 10, view)[0].tolist() == exact.tolist()
    monkeypatch.setattr("ingestion.index.gpu._MOST", 10)
    few = View(filter=Compare("bucket", "eq", 7))
    found, _ = release.index.search_dense(vector_of("question"), 10, few)
    assert len(found) == 10, "where the filter hides what the GPU proposes, the lists answer"


def test_a_small_collection_is_searched_exactly_whatever_its_kind_could_be(tmp_path: Path) -> None:
    assert release_of(tmp_path, clustered(5), kind="auto").manifest.kind == "exact"
