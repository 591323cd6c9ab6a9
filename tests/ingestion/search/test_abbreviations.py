"""An abbreviation is spelled out where words with its letters stand beside it, and nowhere else."""

import pytest

from ingestion.search.abbreviations import asked_abbreviation, tells_expansion


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does TOAST stand for?", "TOAST"),
        ("what does the acronym WAL mean?", "WAL"),
        ("What is LTS short for?", "LTS"),
        ("Wofür steht AGB?", "AGB"),
        ("¿Qué significa DFSG?", "DFSG"),
        ("Que signifie le sigle FHS ?", "FHS"),
        ("What does a red light mean?", ""),
        ("What is TOAST?", ""),
        ("What is API v2?", ""),
    ],
)
def test_which_abbreviation_is_asked_for(question: str, expected: str) -> None:
    assert asked_abbreviation(question) == expected


@pytest.mark.parametrize(
    ("text", "abbreviation"),
    [
        ("An overview of TOAST (The Oversized-Attribute Storage Technique).", "TOAST"),
        ("The write-ahead log (WAL) is kept.", "WAL"),
        ("APT, which stands for Advanced Package Tool, fetches them.", "APT"),
        ("Multiversion Concurrency Control (MVCC) lets readers read.", "MVCC"),
        ("The DFSG are the Debian Free Software Guidelines.", "DFSG"),
        ("Allgemeine Geschäftsbedingungen (AGB)", "AGB"),
    ],
)
def test_it_is_spelled_out(text: str, abbreviation: str) -> None:
    assert tells_expansion(text, abbreviation)


@pytest.mark.parametrize(
    ("text", "abbreviation"),
    [
        ("The TOAST table is separate from its owner.", "TOAST"),
        ("TOAST keeps large values. A TOAST table has chunks.", "TOAST"),
        ("TOAST: large attributes of table rows are split.", "TOAST"),
        ("TOASTED (The Oversized-Attribute Storage Technique)", "TOAST"),
        ("A write-ahead log is kept.", "WAL"),
        ("The write-ahead log of one server is sent to another, and WAL files pile up.", "WAL"),
        ("", "WAL"),
    ],
)
def test_it_is_not(text: str, abbreviation: str) -> None:
    assert not tells_expansion(text, abbreviation)
