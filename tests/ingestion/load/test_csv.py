"""Delimited text in the dialects that programs write."""

import pytest

from tests.ingestion.load.blocks import plain


def test_words_in_apostrophes_are_no_quoted_cells() -> None:
    names = ["Eco", "Away", "Home", "Boost", "Frost", "Auto", "Lock", "Pair"]
    rows = [f"What does '{name}' mean?,It is a mode." for name in names]
    rows += [
        'How do I reset it?,"Press Reset, wait, then press OK."',
        "Which shop?,'s-Hertogenbosch",
        "And there?,Yes",
    ]
    found = plain("\n".join(["question,answer", *rows]), "a.csv")
    assert found[0] == ("heading", "What does 'Eco' mean?")
    assert found[-5:] == [
        ("paragraph", "Press Reset, wait, then press OK."),
        ("heading", "Which shop?"),
        ("paragraph", "'s-Hertogenbosch"),
        ("heading", "And there?"),
        ("paragraph", "Yes"),
    ]


def test_apostrophes_are_quotes_where_every_name_stands_in_them() -> None:
    data = "'name','note'\n'Lamp','bright, warm'\n'Hub','small'\n"
    assert plain(data, "a.csv") == [
        ("row", "name: Lamp; note: bright, warm"),
        ("row", "name: Hub; note: small"),
    ]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_rows_end_as_any_system_ends_lines(end: str) -> None:
    data = end.join(["Shop,City", "Dom,Utrecht", "Meir,Antwerp", ""])
    assert plain(data, "a.csv") == [("row", "Shop: Dom; City: Utrecht"), ("row", "Shop: Meir; City: Antwerp")]


@pytest.mark.parametrize("said", ["sep=;", "SEP=;", '"sep=;"', "sep=|"])
def test_the_line_that_names_the_delimiter_is_no_row(said: str) -> None:
    sign = said.strip('"')[-1]
    data = f"{said}\r\nArtikel{sign}Preis\r\nLampe{sign}12,50\r\nHub{sign}59,00\r\n"
    assert plain(data, "a.csv") == [
        ("row", "Artikel: Lampe; Preis: 12,50"),
        ("row", "Artikel: Hub; Preis: 59,00"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_rows_even(delimiter: str) -> None:
    rows = [["item", "price", "note"], ["Lamp", "12", "bright; warm, small"], ["Hub", "59", "a, b, c"]]
    data = "\n".join(delimiter.join(f'"{cell}"' if len(cell) > 4 else cell for cell in row) for row in rows)
    assert plain(data, "a.csv")[0] == ("row", "item: Lamp; price: 12; note: bright; warm, small")


def test_a_field_may_be_long() -> None:
    data = f"ticket,notes\nA-1,The lamp flickers.\nA-2,{'log ' * 50_000}\nA-3,The hub is silent.\n"
    found = plain(data, "a.csv")
    assert found[0] == ("row", "ticket: A-1; notes: The lamp flickers.")
    assert found[-1] == ("row", "ticket: A-3; notes: The hub is silent.")


def test_a_quote_behind_a_backslash_ends_no_cell() -> None:
    data = 'name,note\nLamp,"a \\"warm\\" light, dimmed"\nHub,"5 \\" wide"\n'
    assert plain(data, "a.csv") == [
        ("row", 'name: Lamp; note: a "warm" light, dimmed'),
        ("row", 'name: Hub; note: 5 " wide'),
    ]


def test_a_single_column_is_read() -> None:
    assert plain("note\nThe hub is silent.\n", "a.csv") == [("row", "note: The hub is silent.")]
