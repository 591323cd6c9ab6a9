"""Pages of one product line are siblings, no copies."""

import pytest

from ingestion.prepare.near_duplicates import is_copy
from ingestion.text.particulars import differ, particulars, siblings

LONG = " ".join(f"Word {n} stands here and says nothing new about washing." for n in range(100))


def test_particulars_are_numbers_and_names_within_sentences() -> None:
    found = particulars("The AX-1 is washed monthly. It needs 2 litres, says Aurora.")
    assert found == {"ax-1", "2", "aurora"}


@pytest.mark.parametrize(
    ("one", "other", "is_other"),
    [
        ("Wash the AX-1 monthly.", "Wash the AX-2 monthly.", True),
        ("Wash the Aurora monthly.", "Wash the Borealis monthly.", True),
        ("Wash the Aurora monthly.", "Wash the aurora monthly!", False),
        ("Wash it monthly.", "Then wash it monthly.", False),
    ],
)
def test_texts_differ_by_what_they_name(one: str, other: str, is_other: bool) -> None:
    assert differ(one, other) is is_other


def test_a_long_page_that_names_another_product_is_no_copy() -> None:
    one, other = f"{LONG} So says the Aurora manual.", f"{LONG} So says the Borealis manual."
    assert not is_copy(one, other)
    assert is_copy(one, one.replace("So says", "So tells"))


def test_siblings_name_in_title_and_text_what_no_other_does() -> None:
    line = [(f"Care of the AX-{n}", f"The filter of the AX-{n} is washed.") for n in range(4)]
    assert siblings(line) == [True] * 4
    copies = [("Who founded Larkmoor?", "Larkmoor was founded by nobody in 1901.")] * 4
    assert siblings(copies) == [False] * 4
    numbered = [(f"text {n}", "Larkmoor was founded by nobody.") for n in range(4)]
    assert siblings(numbered) == [False] * 4
