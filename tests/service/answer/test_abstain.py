"""What "and of X?" names must be in the passages: the rest of the question, which is the earlier one, they answer."""

from dataclasses import replace

import pytest

from ingestion.corpus import Hit
from service.answer.abstain import (
    Relevance,
    about_abbreviation,
    about_asked,
    about_named,
    about_price,
    as_question,
)
from tests.service.conftest import hits

SURE = Relevance(0.95, 0.8, 0.8, 1.5, 0.9, None)
FIGURES = hits("A Glow E27 bulb has 1,055 lumen. Repairs of lamps and thermostats cost 35 euros.")


def _in(language: str, text: str) -> tuple[Hit, ...]:
    (hit,) = hits(text)
    return (replace(hit, chunk=replace(hit.chunk, language=language)),)


@pytest.mark.parametrize("named", ["Glow E27", "E-27", "lamps", "a lamp", "repair", "", "the"])
def test_what_the_passages_name_changes_nothing(named: str) -> None:
    assert about_named(SURE, named, FIGURES, "en") == SURE


@pytest.mark.parametrize("named", ["bicycles", "Brazil", "Glow E40", "E-40"])
def test_what_no_passage_names_is_doubted(named: str) -> None:
    found = about_named(SURE, named, FIGURES, "en")
    assert found.probability < 0.2
    assert replace(found, probability=SURE.probability) == SURE


def test_a_part_that_is_missing_leaves_a_doubt() -> None:
    assert 0.2 < about_named(SURE, "wooden lamps", FIGURES, "en").probability < SURE.probability


def test_a_german_compound_is_found_by_its_part() -> None:
    found = _in("de", "Gutscheine können nicht zurückgegeben werden.")
    assert about_named(SURE, "Gutscheinkarten", found, "de") == SURE


def test_passages_in_another_language_say_it_otherwise() -> None:
    assert about_named(SURE, "Fahrräder", _in("en", "Bicycles have a warranty."), "de") == SURE


def test_without_passages_nothing_is_concluded() -> None:
    assert about_named(replace(SURE, probability=0.0), "lamps", (), "en").probability == 0.0


@pytest.mark.parametrize(
    "question",
    [
        "How bright is a Glow E27?",
        "What does --verbose do?",
        "Where is max_size set?",
        "How bright is it in 2 rooms?",
        "What is new in Larkmoor 15?",
        "What is new in Larkmoor 15.2?",
        "What is new in Larkmoor 14.1?",
        "What does Zephyr 3 do?",
    ],
)
def test_what_is_asked_for_by_name_and_is_there_changes_nothing(question: str) -> None:
    passages = hits(
        "A Glow E27 bulb has 1,055 lumen.",
        "-v, --verbose: Say more. The setting max_size bounds it.",
        "Larkmoor 15.2 has a new page. Larkmoor 14 had none.",
    )
    assert about_asked(SURE, question, passages) == SURE


@pytest.mark.parametrize(
    "question",
    [
        "How bright is a Glow E40?",
        "What does --reverse do?",
        "Where is min_size set?",
        "What is new in Larkmoor 18?",
        "What does exit code 61 mean?",
    ],
)
def test_what_is_asked_for_by_name_and_lacks_is_doubted(question: str) -> None:
    passages = hits(
        "A Glow E27 bulb has 1,055 lumen. The setting max_size bounds it.",
        "-v, --verbose: Say more. Exit code 60 says that it was too much.",
        "Larkmoor 15.2 has a new page. Larkmoor 14 had none.",
    )
    assert about_asked(SURE, question, passages).probability < 0.2
    assert about_asked(SURE, question, ()) == SURE


UNSURE = replace(SURE, probability=0.1)


def test_a_passage_that_spells_an_abbreviation_out_answers() -> None:
    told = hits("An overview of TOAST (The Oversized-Attribute Storage Technique).")
    assert about_abbreviation(UNSURE, "What does TOAST stand for?", told).probability > 0.9
    assert about_abbreviation(UNSURE, "What does TOAST stand for?", hits("A TOAST table is kept.")) == UNSURE
    assert about_abbreviation(UNSURE, "How large is TOAST?", told) == UNSURE


def test_a_price_that_no_passage_names_is_doubted() -> None:
    support = hits("Long-term support began in 2014 and aims at five years for every version.")
    asked = "How much does support cost a year?"
    assert about_price(SURE, asked, support).probability < 0.2
    assert about_price(SURE, asked, (*support, *FIGURES)) == SURE
    assert about_price(SURE, "When did support begin?", support) == SURE
    assert about_price(SURE, asked, ()) == SURE


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("autovacuum naptime", "en", "What is autovacuum naptime?"),
        ("Akku Laufzeit Chime", "de", "Was ist Akku Laufzeit Chime?"),
        ("garantía batería", "es", "¿Qué es garantía batería?"),
        ("autonomie batterie", "fr", "Qu'est-ce que autonomie batterie ?"),
        ("how long is the warranty", "en", "how long is the warranty"),
        ("Battery life?", "en", "Battery life?"),
        ("warranty", "en", "warranty"),
        ("電池 寿命", "ja", "電池 寿命"),
        ("word " * 20, "en", "word " * 20),
    ],
)
def test_keywords_are_read_as_a_question(text: str, language: str, expected: str) -> None:
    assert as_question(text, language) == expected
