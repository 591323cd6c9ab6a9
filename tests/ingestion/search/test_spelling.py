"""Words put right: by the documents' words alone, and never a name, a number or an identifier."""

import pytest

from ingestion.releases.release import Release
from ingestion.search.spelling import Vocabulary, respelled
from ingestion.view import EVERYTHING, View
from tests.ingestion.corpora import Page, release_of

PAGES = (
    Page("memory", ("The default of work_mem is four megabytes.", "What is allowed is in the other table.")),
    Page("relation", ("The maximum size of a relation is 32 TB.", "The default size is what nobody sets.")),
    Page("more", ("A relation has a maximum of columns.", "Files are found by grep in hours or days.")),
    Page("again", ("The grep of files takes hours where they were modified.", "Modified files are found.")),
    Page("secret", ("The zeppelin leaves at nine.", "A zeppelin is no aeroplane."), groups=("crew",)),
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return release_of(tmp_path_factory.mktemp("spelling"), PAGES)


def put_right(release: Release, text: str, view: View = EVERYTHING) -> str:
    return respelled(text, Vocabulary(release.index, release.index.languages, view))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("waht is teh defualt of work_mem", "what is the default of work_mem"),
        ("maximun realtion size", "maximum relation size"),
        ("gerp files modfied in the last huors", "grep files modified in the last hours"),
    ],
)
def test_a_slip_of_the_fingers_is_put_right(release: Release, typed: str, meant: str) -> None:
    assert put_right(release, typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "What is the default size of a relation?",
        "Does Gerp know the relation?",  # a name
        "the GERP of files",
        "defualt_size and re-altion and x.defualt and @huors",  # identifiers
        "an aardvark",
        "a grepper of files",
        "aws or cte",
        "",
        "12345 678",
        "gerp" * 10,
    ],
)
def test_everything_else_stays(release: Release, text: str) -> None:
    assert put_right(release, text) == text


def test_documents_that_the_caller_may_not_see_teach_nothing(release: Release) -> None:
    assert put_right(release, "a zepelin") == "a zeppelin"
    assert put_right(release, "a zepelin", View(frozenset())) == "a zepelin"
