"""Identifiers are words of their own, the same however they are written."""

import pytest

from ingestion.index.identifiers import abbreviations, exact, identifiers
from ingestion.index.lexical import terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TX-2000", "tx2000"),
        ("TX_2000", "TX2000"),
        ("5GHz", "5 GHz"),
        ("E-07", "E07"),
        ("v1.2.3", "version 1.2.3"),
        ("--no-install-recommends", "no-install-recommends"),
        ("work_mem", "WORK_MEM"),
        ("e-mail", "email"),
        ("U.S.", "US"),
        ("Node.js", "nodejs"),
        ("2.4GHz", "2.4 GHz"),
    ],
)
def test_spellings_of_an_identifier_share_a_word(one: str, other: str) -> None:
    assert set(terms(one, "en")) & set(terms(other, "en"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("written in C#", "c#"),
        ("written in C++.", "c++"),
        ("the .NET runtime", ".net"),
        ("use -a, or not", "-a"),
        ("work_mem (integer)", "workmem"),
        ("pg_catalog.pg_class", "pgclass"),
        ("std::string", "stdstring"),
        ("version 16.10 is out", "16.10"),
        ("code 23505", "23505"),
    ],
)
def test_signs_make_another_word(text: str, word: str) -> None:
    assert word in terms(text, "en")


def test_languages_of_programs_differ_by_their_signs_alone() -> None:
    assert "c#" not in terms("C++ and C", "en")
    assert "c++" not in terms("C# and C", "en")


def test_abbreviations_in_capitals_are_no_stop_words_but_shouted_texts_keep_theirs_out() -> None:
    assert "it" in terms("The IT desk opens at nine.", "en")
    assert terms("IT", "en") == ["it"]
    assert "it" not in terms("It opens when it is nine.", "en")
    assert list(abbreviations("WHAT IS IT AND WHERE IS IT")) == []


def test_words_of_any_length_are_found_and_differ() -> None:
    one, other = "A7K2" * 20, "A7K3" * 20
    assert len(terms(one, "en")) == 1
    assert terms(one, "en") == terms(one.lower(), "en") != terms(other, "en")
    assert all(len(word) < 60 for word in terms(f"{'ab12-' * 40}x", "en"))


def test_check_sums_are_one_word() -> None:
    assert list(identifiers("9f86d081884c7d659a2feaa0c55ad015")) == []
    assert terms("9f86d081884c7d659a2feaa0c55ad015", "en") == ["9f86d081884c7d659a2feaa0c55ad015"]


def test_plain_prose_has_no_identifiers() -> None:
    assert list(identifiers("Wash the filter under cold water, then let it dry.")) == []


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What does pg_dump -a do?", {"pgdump", "-a"}),
        ("How bright is the Glow E27, or the TX-2000?", {"e27", "tx2000"}),
        ("apt-get --no-install-recommends", {"-noinstallrecommends"}),
        ("What does curl exit code 60 mean?", {"60"}),
        ("SQLSTATE: 23505", {"23505"}),
        ("What is new in v1.2.3?", {"v1.2.3"}),
        ("Can I return it within 14 days, on the 2nd, 24/7?", set()),
        ("pre-order by e-mail at a@b1.example or https://b1.example/a1", set()),
        ("", set()),
    ],
)
def test_what_is_asked_for_by_its_very_name(question: str, asked: set[str]) -> None:
    assert exact(question) == asked
