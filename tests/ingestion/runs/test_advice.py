"""What a run suggests for the scope file."""

import pytest

from ingestion.embed.fake import HashEmbedder
from ingestion.runs.advice import advice_on
from ingestion.runs.report import html_of, lines_of
from tests.conftest import Demo


def knowing(*languages: str) -> HashEmbedder:
    made = HashEmbedder()
    made.languages = frozenset(languages) or None
    return made


def test_documents_that_the_embedder_does_not_know_are_named_with_the_remedy(demo: Demo) -> None:
    (advice,) = demo.report.advice
    assert advice.startswith(f"6 of {demo.report.documents} documents are in de, es")
    assert "embedder: multilingual" in advice
    assert f"advice: {advice}" in lines_of(demo.report)
    assert "make multilingual" in html_of(demo.report)


@pytest.mark.parametrize(
    ("languages", "named"),
    [(("en", "de"), "3 of"), (("en", "de", "es"), ""), ((), ""), (("fr",), "in de, en, es,")],
)
def test_languages_that_are_known_or_absent_are_no_matter(
    demo: Demo, languages: tuple[str, ...], named: str
) -> None:
    found = advice_on(demo.release, knowing(*languages))
    assert bool(found) is bool(named)
    assert not found or named in found[0]
