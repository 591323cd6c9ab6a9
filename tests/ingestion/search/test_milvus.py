"""The same searches over Milvus: filters, permissions, versions and scores as in this process."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.filter import parse_filter
from ingestion.releases.release import Release
from ingestion.search.milvus import MilvusIndex
from ingestion.search.retrieve import RetrievalSettings, SearchRequest, retrieve
from ingestion.view import EVERYTHING, View
from tests.ingestion.corpora import Page, question_of, release_of

pytestmark = [
    pytest.mark.milvus,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]
PAGES = [
    Page("a", ("valve wheel lamp", "ring hub"), (), {"product": "hub", "price": 10, "new": True}),
    Page("b", ("lamp lamp cable",), ("staff",), {"product": "Chime", "price": 20.5}),
    Page("c", ("door window lamp",), ("legal", "sales"), {"product": 'lark "x"', "price": "10"}),
    Page("d", ("lamp ring",), (), {"product": "hub"}, superseded=True),
    Page("e", ("cable ring valve",)),
    Page("f", ("wheel wheel lamp",), ("staff", "sales"), {"product": "hub", "new": False}),
]
FILTERS = [
    None,
    {"product": "hub"},
    {"product": {"ne": "hub"}},
    {"product": {"in": ["hub", "Chime"]}},
    {"product": {"nin": ["hub"]}},
    {"product": 'lark "x"'},
    {"product": {"contains": "HI"}},
    {"price": {"gt": 5}},
    {"price": {"gte": 10, "lt": 20}},
    {"price": {"lte": 20.5}},
    {"new": True},
    {"not": {"product": "hub"}},
    {"or": [{"product": "Chime"}, {"new": False}]},
    {"and": [{"product": "hub"}, {"not": {"new": True}}]},
    {"id": ["a", "e"]},
]
GROUPS = [None, frozenset[str](), frozenset({"staff"}), frozenset({"sales", "other"})]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Release, Release]]:
    """The same release twice: once searched here, once by Milvus Lite."""
    pytest.importorskip("milvus_lite", reason="extra `milvus`")
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    folder = tmp_path_factory.mktemp("milvus")
    first = release_of(folder / "c", [*PAGES, Page("gone", ("lamp valve wheel",))])
    changed = replace(PAGES[4], texts=("cable ring valve new",))
    here = release_of(folder / "c", [changed], base=first, removed=["gone"], origin="upload")
    there = Release(here.folder)
    index = MilvusIndex(str(folder / "milvus.db"), "c")
    index.put(first)
    index.put(there)
    index.put(there)
    there.searcher = index.searcher(there)
    yield here, there
    index.close()


def found(release: Release, text: str, view: View, mode: str) -> list[tuple[str, float, dict[str, float]]]:
    settings = RetrievalSettings(mode=mode, top_k=10)  # type: ignore[arg-type]
    hits = retrieve(release, SearchRequest(text, question_of(text), settings=settings, view=view))
    return [
        (hit.chunk.id, round(hit.score, 5), {k: round(v, 5) for k, v in hit.scores.items()}) for hit in hits
    ]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("groups", GROUPS)
def test_milvus_finds_what_this_process_finds(
    releases: tuple[Release, Release], mode: str, groups: frozenset[str] | None
) -> None:
    here, there = releases
    for raw in FILTERS:
        view = View(groups, parse_filter(raw) if raw else None)
        expected = found(here, "lamp wheel ring", view, mode)
        assert found(there, "lamp wheel ring", view, mode) == expected, raw
        old = replace(view, include_superseded=True)
        assert found(there, "lamp ring", old, mode) == found(here, "lamp ring", old, mode), raw


def test_removed_documents_are_gone_and_the_old_release_still_has_them(
    releases: tuple[Release, Release],
) -> None:
    _, there = releases
    names = {name for name, _, _ in found(there, "lamp valve wheel", EVERYTHING, "hybrid")}
    assert "gone-0" not in names
    assert "e-0" in names


def test_a_collection_with_milvus_is_ingested_searched_and_pruned(tmp_path: Path, embedder) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("milvus_lite", reason="extra `milvus`")
    from ingestion.config import CollectionConfig
    from ingestion.embed import load_embedder
    from ingestion.releases.release import open_active
    from ingestion.runs.changes import withdraw
    from ingestion.runs.collection import Collection
    from ingestion.runs.pipeline import run
    from service.corpus.embedders import Embedders
    from service.corpus.live import LiveReleases

    (tmp_path / "docs").mkdir()
    for name in ("lamps", "doors"):
        (tmp_path / "docs" / f"{name}.md").write_text(f"# {name}\n\nAll about {name} and their repair.\n")
    config = CollectionConfig.model_validate(
        {
            "languages": ["en"],
            "clearance": {"supplier": "t", "licence": "t", "legal_basis": "no_personal_data"},
            "index": {"milvus": str(tmp_path / "milvus.db")},
        }
    )
    run(Collection("c", config, embedder, tmp_path / "data"), [tmp_path / "docs"])
    live = LiveReleases(tmp_path / "data", {"c": config}, Embedders({"builtin": embedder}, load_embedder))
    live.refresh()
    release = live.current("c")
    assert type(release.searcher).__name__ == "MilvusSearcher"
    question = embedder.encode_questions(["repair of doors"])[0]
    hits = retrieve(release, SearchRequest("repair of doors", question))
    assert hits[0].chunk.document_id == "doors.md"
    live.close()
    withdraw(Collection("c", config, embedder, tmp_path / "data"), ids=["doors.md"])
    index = MilvusIndex(str(tmp_path / "milvus.db"), "c")
    after = open_active(tmp_path / "data" / "collections" / "c")
    after.searcher = index.searcher(after)
    hits = retrieve(after, SearchRequest("repair of doors", question))
    assert {hit.chunk.document_id for hit in hits} == {"lamps.md"}
    index.close()
