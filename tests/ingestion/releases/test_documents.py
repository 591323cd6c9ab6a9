"""The texts of a release: what is known of a document without reading it."""

import sqlite3
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.corpus import Document
from ingestion.index.segment import Entry
from ingestion.releases.build import Change, Recipe, build_release
from ingestion.releases.release import Release
from tests.ingestion.corpora import DIMENSION, Page, entry_of


def entry(name: str, **changes: object) -> Entry:
    made = entry_of(Page(name, ("Turn the valve.",)))
    document: Document = replace(made.document, **changes)  # type: ignore[arg-type]
    return replace(made, document=document)


def built(folder: Path, entries: list[Entry], base: Release | None = None, *removed: str) -> Release:
    recipe = Recipe("tests", "builtin", "tests", "none", DIMENSION, ("en",), "exact")
    return build_release(folder, "c", base, Change(entries, removed), recipe)


@pytest.mark.parametrize("level", ["high", "normal", "low"])
def test_source_and_trust_are_read_without_the_document(tmp_path: Path, level: str) -> None:
    release = built(tmp_path, [entry("a", source_name="crm", clearance={"trust": level})])
    for segment in release.manifest.segments:
        with sqlite3.connect(tmp_path / "segments" / segment / "texts.sqlite") as db:
            db.execute("update documents set body = 'no JSON'")
    again = Release(release.folder)
    assert again.documents.trust("a") == ("crm", level)


def test_trust_is_normal_where_nobody_said_and_low_for_what_is_not_there(tmp_path: Path) -> None:
    release = built(tmp_path, [entry("a", source_name="crm")])
    assert release.documents.trust("a") == ("crm", "normal")
    gone = built(tmp_path, [], release, "a")
    assert gone.documents.trust("a") == ("", "low")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["", "old", "new"]), max_size=4),
            st.lists(st.sampled_from("abcde"), max_size=2, unique=True),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_manifest_counts_the_policies_of_the_documents_that_are_there(
    changes: list[tuple[dict[str, str], list[str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        release = None
        for added, removed in changes:
            entries = [entry(name, pii_policy=policy) for name, policy in added.items()]
            release = built(Path(folder), [*entries, entry("kept", pii_policy="old")], release, *removed)
            there = Counter(document.pii_policy for document in release.documents.all())
            assert release.manifest.pii_policies == dict(there)
            assert sum(there.values()) == release.manifest.documents


def test_trust_is_that_of_the_version_that_is_alive(tmp_path: Path) -> None:
    first = built(tmp_path, [entry("a", source_name="crm", clearance={"trust": "low"})])
    second = built(tmp_path, [entry("a", source_name="web", clearance={"trust": "high"})], first)
    assert second.documents.trust("a") == ("web", "high")
    assert first.documents.trust("a") == ("crm", "low")
