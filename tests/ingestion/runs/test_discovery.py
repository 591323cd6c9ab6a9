"""What a run asks of its sources: others can write meanwhile, pages are fetched when they must be, and a source that
fails loses nothing."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingestion.__main__ import main
from ingestion.corpus import Source
from ingestion.errors import IngestionError, SourceError
from ingestion.prepare.preparer import Plan
from ingestion.runs.pipeline import run
from ingestion.runs.state import Outcome, RunState
from ingestion.runs.workers import InlineWorkers, Result
from tests.ingestion.load.test_discover import ALLOWED, PAGES, Site, page, site
from tests.ingestion.runs.test_admission import CLEARANCE, Place, place

__all__ = ["place"]
LOADER = "loader:tests.ingestion.runs.test_discovery."
LETTERS = "abcdef"


class Numbered(BaseLoader):
    """Pages by number, as many as wanted; it fails after some, if wanted."""

    def __init__(self, count: int, fails_after: int = -1) -> None:
        self.count, self.fails_after = count, fails_after

    def lazy_load(self) -> Iterator[Document]:
        for number in range(self.count):
            if number == self.fails_after:
                raise ConnectionError("the line went dead")
            text = f"Page {number} of the loader tells of matter {number * 7}."
            yield Document(page_content=text, metadata={"source": f"{number}"})


class Writing(BaseLoader):
    """Writes into the collection's memory, as an upload or an approval does, between two of its pages."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def lazy_load(self) -> Iterator[Document]:
        for number in range(3):
            yield Document(
                page_content=f"Page {number} is about something.", metadata={"source": f"{number}"}
            )
            other = RunState(self.folder)
            with other.batch():
                other.outcomes.note(f"upload-{number}", "upload:x", Outcome("failed", "x", "d", "r"))
            other.close()


def test_while_a_source_is_listed_others_can_write(place: Place) -> None:
    arguments = {"folder": str(place.folder)}
    place.configure(sources=[{"path": f"{LOADER}Writing", "name": "slow", "arguments": arguments}])
    assert place.run().documents == 3
    state = RunState(place.folder)
    assert sorted(state.outcomes.of("upload:x")) == ["upload-0", "upload-1", "upload-2"]
    state.close()


# Pages of a site.


def sitemap(url: str) -> dict[str, object]:
    return {"path": f"sitemap+{url}/sitemap.xml", "name": "site", **ALLOWED}


def tags_sent() -> set[str]:
    return {path for path, tag in Site.asked if tag}


def test_a_page_that_needs_work_for_another_reason_is_fetched_whole(place: Place) -> None:
    with site(PAGES) as url:
        place.configure(sources=[sitemap(url)])
        place.run()
        ids, before = place.ids, place.release.manifest.recipe
        place.configure(sources=[sitemap(url)], pii={"names": "none", "action": "keep", "actions": {}})
        Site.asked.clear()
        report = place.run()
        assert tags_sent() == set(), "what must be made anew is asked for whole"
        assert not set(ids) & set(report.failures)
        assert (place.ids, place.release.manifest.recipe != before) == (ids, True)
        Site.asked.clear()
        assert place.run().changed is False
        assert tags_sent() == set(PAGES)


def test_a_run_that_ends_between_listing_and_finishing_fetches_its_pages_again(place: Place) -> None:
    class Killed(InlineWorkers):
        def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
            raise KeyboardInterrupt(f"with {len(list(sources))} pages in hand")

    with site(PAGES) as url:
        place.configure(sources=[sitemap(url)])
        with pytest.raises(KeyboardInterrupt, match="with 2 pages"):
            run(place.collection, workers=Killed())
        report = place.run()
        assert len(place.ids) == len(PAGES)
        assert not set(place.ids) & set(report.failures)


def test_a_page_that_could_not_be_read_is_not_fetched_until_it_changes(place: Place) -> None:
    with site({**PAGES, "/empty": "<html><body><main></main></body></html>"}) as url:
        place.configure(sources=[sitemap(url)])
        first = place.run()
        Site.asked.clear()
        assert place.run().failures == first.failures
        assert "/empty" in tags_sent()


def test_pages_below_an_unchanged_page_of_a_crawl_stay(place: Place) -> None:
    crawl = {"arguments": {"allow_private": True, "crawl": True}, "pages_per_s": 100}
    with site(PAGES) as url:
        place.configure(sources=[{"path": f"{url}/", "name": "site", **crawl}])
        place.run()
        before = place.ids
        assert len(before) == 2
        assert place.run().changed is False
        Site.pages["/deep/two"] = page("Two", "The second page tells of hazelnuts.")
        assert place.run().embedded_chunks == 1
        del Site.pages["/"]
        place.run()
        assert place.ids == before, "a site whose first page fails shows nothing, which says nothing"


# Sources that fail.


def two_sources(place: Place) -> Path:
    more = place.root / "more"
    more.mkdir()
    for name in "ab":
        place.write(f"{name}.md", f"# {name}\n\nThe first source has page {name}.")
        (more / f"{name}{name}.md").write_text(f"# {name}{name}\n\nThe second source has page {name}{name}.")
    place.configure(sources=["docs", "more"])
    assert place.run().documents == 4
    return more


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_source_that_is_empty_or_gone_keeps_its_documents_and_is_named(place: Place, is_gone: bool) -> None:
    more = two_sources(place)
    before = place.ids
    for path in more.iterdir():
        path.unlink()
    if is_gone:
        more.rmdir()
    place.write("c.md", "# C\n\nMeanwhile the first source has another page.")
    report = place.run()
    assert place.ids == sorted([*before, "c.md"])
    assert "--allow-empty" in report.failures["more"]
    assert "remove the source from the scope" in report.failures["more"]
    assert run(place.collection, allow_empty=True).failures == {}
    assert place.ids == ["a.md", "b.md", "c.md"]
    place.configure(sources=["docs"])
    assert place.run().failures == {}


def test_the_only_source_must_be_there_unless_it_may_be_empty(place: Place) -> None:
    place.write("a.md", "# A\n\nThe only page.")
    place.run()
    (place.docs / "a.md").unlink()
    with pytest.raises(SourceError, match="--allow-empty"):
        place.run()
    assert place.ids == ["a.md"]
    report = run(place.collection, allow_empty=True)
    assert (report.documents, place.ids) == (0, [])


def test_the_flag_is_an_argument_of_run_and_watch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = place.root / "scope.yaml"
    scope.write_text(
        "collections: {c: {sources: [docs], languages: [en], pii: {names: none},"
        " clearance: {supplier: tests, licence: internal, legal_basis: no_personal_data}}}"
    )
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(place.root / "data"))
    place.write("a.md", "# A\n\nThe only page.")
    assert main(["--scope", str(scope), "run"]) == 0
    (place.docs / "a.md").unlink()
    assert main(["--scope", str(scope), "run"]) == 1
    assert main(["--scope", str(scope), "watch", "--times", "1", "--every", "0", "--allow-empty"]) == 0
    assert place.ids == []


def test_a_source_that_fails_half_way_keeps_what_it_had_and_gives_what_was_read(place: Place) -> None:
    loader = {"path": f"{LOADER}Numbered", "name": "loaded", "arguments": {"count": 70}}
    place.write("a.md", "# A\n\nA page.")
    place.configure(sources=["docs", loader], deduplicate=False)
    place.run()
    before = place.ids
    place.write("a.md", "# A\n\nA page that was changed.")
    loader = {**loader, "arguments": {"count": 70, "fails_after": 66}}
    place.configure(sources=["docs", loader], deduplicate=False)
    report = place.run()
    assert place.ids == before
    assert "the line went dead" in report.failures["loaded"]
    document = place.release.documents.document("a.md")
    assert document
    assert "changed" in document.text


def test_when_all_sources_fail_the_release_stays_and_all_are_named(place: Place) -> None:
    more = two_sources(place)
    for folder in (place.docs, more):
        for path in folder.iterdir():
            path.unlink()
    before = place.release.manifest.id
    with pytest.raises(SourceError, match="'docs'.*'more'"):
        place.run()
    assert place.release.manifest.id == before


def test_a_document_of_a_failed_source_gives_its_id_to_no_other(place: Place) -> None:
    place.write("a.md", "# A\n\nThe first source had it first.")
    more = place.root / "more"
    more.mkdir()
    (more / "a.md").write_text("# A\n\nThe second source has one of the same name.")
    place.configure(sources=["docs", "more"])
    assert not place.run().failures
    assert place.ids == ["a.md", "more/a.md"]
    (place.docs / "a.md").unlink()
    place.run()
    document = place.release.documents.document("a.md")
    assert document
    assert document.source_name == "docs"
    run(place.collection, allow_empty=True)
    assert place.ids == ["more/a.md"], "an id that was given stays"


def test_an_id_stays_whichever_source_comes_first(place: Place) -> None:
    more = place.root / "more"
    more.mkdir()
    (more / "a.md").write_text("# A\n\nThe second source had it first.")
    place.write("b.md", "# B\n\nSomething else.")
    place.configure(sources=["docs", "more"])
    place.run()
    assert place.ids == ["a.md", "b.md"]
    place.write("a.md", "# A\n\nThe first source has one of the same name now.")
    assert not place.run().failures
    assert place.ids == ["a.md", "b.md", "docs/a.md"]
    document = place.release.documents.document("a.md")
    assert document
    assert document.source_name == "more"
    (more / "a.md").unlink()
    (more / "c.md").write_text("# C\n\nA third text.")
    place.run()
    assert place.ids == ["b.md", "c.md", "docs/a.md"]


def test_what_lies_in_a_damaged_archive_or_a_closed_folder_stays(place: Place) -> None:
    from tests.ingestion.load.test_hostile import zipped

    place.write("closed/deep/b.md", "# B\n\nIn a folder of a folder.")
    place.write("c.md", "# C\n\nBeside them.")
    (place.docs / "pack.zip").write_bytes(zipped({"a.md": b"# A\n\nIn an archive."}))
    place.run()
    before = place.ids
    (place.docs / "pack.zip").write_bytes(b"PK\x03\x04 half of it")
    (place.docs / "closed").chmod(0)
    try:
        is_closed = not next((place.docs / "closed").iterdir(), None)
    except PermissionError:
        is_closed = True
    report = place.run()
    (place.docs / "closed").chmod(0o755)
    assert place.ids == before
    assert "pack.zip" in report.failures
    assert ("closed" in report.failures) == is_closed
    (place.docs / "pack.zip").unlink()
    place.run()
    assert place.ids == ["c.md", "closed/deep/b.md"]


def test_with_a_new_embedder_a_failed_source_stops_the_run(place: Place) -> None:
    class Another:
        def __init__(self, inner: object) -> None:
            self._inner, self.digest = inner, "another"

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

    more = two_sources(place)
    before = place.release.manifest.id
    for path in more.iterdir():
        path.unlink()
    place.embedder = Another(place.embedder)  # type: ignore[assignment]
    with pytest.raises(SourceError, match="made anew"):
        place.run()
    assert place.release.manifest.id == before


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_sources_fail_no_document_of_theirs_leaves(
    place: Place, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = Place(tmp_path_factory.mktemp("p"), place.embedder)
    names = data.draw(st.lists(st.sampled_from(LETTERS), min_size=2, max_size=4, unique=True))
    place.configure(sources=[{"path": name, "clearance": CLEARANCE} for name in names], deduplicate=False)
    for _ in range(2):
        write_sources(place, names, data)
        before = holders(place)
        failing = data.draw(st.sets(st.sampled_from(names)))
        for name in failing:
            (place.root / name).rename(place.root / f".{name}")
        try:
            report = place.run()
        except IngestionError:
            report = None
        after = holders(place)
        for document_id, source_name in before.items():
            if source_name in failing:
                assert after.get(document_id) == source_name
                assert report is None or source_name in report.failures
        for name in failing:
            (place.root / f".{name}").rename(place.root / name)


def write_sources(place: Place, names: list[str], data: st.DataObject) -> None:
    """Some pages in each folder, of names that may be those of another, and run once."""
    for name in names:
        folder = place.root / name
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for letter in data.draw(st.sets(st.sampled_from("xyz"), min_size=1)):
            text = f"# {letter}\n\nThe page {letter} of {name} says {data.draw(st.integers(0, 9))}."
            (folder / f"{letter}.md").write_text(text)
    place.run()


def holders(place: Place) -> dict[str, str]:
    release = place.release
    return {document.id: document.source_name for document in release.documents.all()}
