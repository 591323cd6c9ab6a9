"""Tables as rows: what is a header, a title, a key or a section, and what every row says alone."""

import pytest

from ingestion.load.rows import row_text, table_blocks
from tests.linear.clock import growth
from tests.linear.texts import Form

Rows = list[list[str]]


def texts(rows: Rows, **told: object) -> list[str]:
    return [block.text for block in table_blocks(rows, **told)]  # type: ignore[arg-type]


def test_every_row_repeats_the_header() -> None:
    rows = [["Item", "Upper Limit"], ["relation size", "32 TB"], ["columns", "1,600"]]
    assert texts(rows) == ["Item: relation size; Upper Limit: 32 TB", "Item: columns; Upper Limit: 1,600"]


@pytest.mark.parametrize(
    "rows",
    [
        [["Weight", "1.2 kg"], ["Battery life", "14 hours"], ["Water resistance", "IP67"]],
        [["Weight:", "1.2 kg"], ["Battery life:", "14 hours"], ["Water resistance:", "IP67"]],
        [["", "Weight", "1.2 kg"], ["", "Battery life", "14 hours"], ["", "Water resistance", "IP67"]],
    ],
)
def test_facts_keep_their_first_pair(rows: Rows) -> None:
    assert texts(rows) == ["Weight: 1.2 kg", "Battery life: 14 hours", "Water resistance: IP67"]


@pytest.mark.parametrize(
    "first",
    [["Weight", "1.2"], ["Price", "EUR 39"], ["Price", "€39"], ["Founded", "1998"], ["Born", "01.03.1998"]],
)
def test_a_first_row_with_a_number_is_no_header(first: list[str]) -> None:
    rows = [first, ["Colour", "red"], ["Code", "IP67"]]
    assert texts(rows) == [f"{first[0]}: {first[1]}", "Colour: red", "Code: IP67"]


@pytest.mark.parametrize(
    "header",
    [
        ["Country", "2023", "2024"],
        ["Country", "FY2023", "FY2024"],
        ["Country", "Q1 2024", "Q2 2024"],
        ["Country", "2 kg", "5 kg"],
        ["Country", "1st quarter", "2nd quarter"],
        ["", "2", "5"],
    ],
)
def test_years_sizes_and_ordinals_name_columns(header: list[str]) -> None:
    first, second = texts([header, ["Belgium", "6.50", "9.00"], ["Norway", "19.00", "25.00"]])
    key = f"{header[0]}: " if header[0] else ""
    assert first == f"{key}Belgium; {header[1]}: 6.50; {header[2]}: 9.00"
    assert second == f"{key}Norway; {header[1]}: 19.00; {header[2]}: 25.00"


def test_one_year_names_a_column_of_numbers() -> None:
    assert texts([["Country", "2023"], ["Belgium", "11.7"], ["Norway", "5.5"]]) == [
        "Country: Belgium; 2023: 11.7",
        "Country: Norway; 2023: 5.5",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [["Glow", "39 EUR", "2 years"], ["Murmur", "119 EUR", "3 years"]],
        [["Ann", "1998", "2003"], ["Ben", "2001", "2004"]],
        [["Belgium", "EU"], ["France", "EU"], ["Norway", "EFTA"]],
        [["Please keep the receipt for as long as you can.", "Always."], ["It is the proof.", "Always."]],
    ],
)
def test_rows_without_a_header_stand_alone(rows: Rows) -> None:
    found = texts(rows)
    assert len(found) == len(rows)
    assert all(cell in text for row, text in zip(rows, found, strict=True) for cell in row)


def test_a_title_over_the_whole_width_stands_once_before_the_rows() -> None:
    body = [["Article", "Net", "Gross"], ["Glow", "39", "47"]]
    for title in (["Prices of 2026"] * 3, ["Prices of 2026", "", ""], ["", "Prices of 2026", ""]):
        for header_rows in (None, 1, 2):
            found = texts([title, ["", "", ""], *body], header_rows=header_rows and header_rows + 1)
            assert found == ["Prices of 2026", "Article: Glow; Net: 39; Gross: 47"]


def test_a_caption_stands_before_the_rows() -> None:
    blocks = list(table_blocks([["Weight", "Price"], ["5 kg", "19"]], 3, caption="In Swiss francs"))
    assert [(b.kind, b.text, b.page) for b in blocks] == [
        ("paragraph", "In Swiss francs", 3),
        ("row", "Weight: 5 kg; Price: 19", 3),
    ]


@pytest.mark.parametrize(
    "header",
    [
        [["Region", "Price", "Price"], ["Region", "Net", "Gross"]],
        [["Region", "Price", "Price"], ["", "Net", "Gross"]],
        [["Region", "Price", ""], ["", "Net", "Gross"]],
    ],
)
@pytest.mark.parametrize("header_rows", [None, 2])
def test_a_header_of_two_rows_names_columns_from_the_top_down(header: Rows, header_rows: int | None) -> None:
    assert texts([*header, ["Europe", "39", "47"]], header_rows=header_rows) == [
        "Region: Europe; Price Net: 39; Price Gross: 47"
    ]


def test_merged_cells_of_the_first_row_need_no_second_row_of_header() -> None:
    rows = [["Day", "Hours", "Hours"], ["Monday", "morning", "afternoon"], ["Sunday", "closed", "closed"]]
    assert texts(rows) == ["Day: Monday; Hours: morning; Hours: afternoon", "Day: Sunday; Hours: closed"]


def test_a_header_that_is_printed_again_is_no_row() -> None:
    header = ["Product", "Price"]
    assert texts([header, ["Glow", "39"], header, ["Hub", "50"]]) == [
        "Product: Glow; Price: 39",
        "Product: Hub; Price: 50",
    ]


def test_sections_name_the_rows_below_them() -> None:
    rows = [
        ["Code", "Name", "Kind"],
        ["Class 23"] * 3,
        ["23505", "unique_violation", "error"],
        ["The end."] * 3,
    ]
    blocks = list(table_blocks(rows))
    assert [(b.kind, b.depth, b.text) for b in blocks] == [
        ("term", 0, "Class 23"),
        ("row", 1, "Code: 23505; Name: unique_violation; Kind: error"),
        ("paragraph", 0, "The end."),
    ]
    told = list(table_blocks([["Code", "Name"], ["Class 23"] * 2, ["1", "a"]], sections={1}))
    assert [b.kind for b in told] == ["term", "row"]


def test_what_a_format_says_is_believed() -> None:
    rows = [["Weight", "heavy"], ["Colour", "red"]]
    assert texts(rows, header_rows=0, is_keyed=True) == ["Weight: heavy", "Colour: red"]
    assert texts(rows, header_rows=1, is_keyed=True) == ["Weight: Colour; heavy: red"]
    assert texts(rows, header_rows=0, is_keyed=False) == ["Weight; heavy", "Colour; red"]
    assert texts([["Weight", "heavy", "light"]], is_keyed=True) == ["Weight: heavy; light"]


def test_a_table_of_one_row_is_no_header_alone() -> None:
    assert texts([["Weight", "heavy", "light"]]) == ["Weight; heavy; light"]
    assert texts([["Weight", "heavy"]], header_rows=1) == ["Weight: heavy"]
    assert texts([]) == texts([["", " "]]) == []


def test_a_text_that_is_too_long_to_be_a_name_is_not_repeated() -> None:
    rows = [["x " * 500, "Price"], *([str(number), "9"] for number in range(50))]
    assert sum(map(len, texts(rows, header_rows=1))) < 5_000


@pytest.mark.parametrize(
    "form",
    [
        Form("", "a|b\n"),
        Form("a|b\n", "a|b|1\n"),
        Form("", "a|"),
        Form("", "a|" * 400 + "\n" + "b\n" * 400),
        Form("", "same|same|same\n"),
        Form("|||" * 400 + "x\n", "b\n"),
        Form("", "name|name|\n|x|y\n"),
    ],
    ids=lambda form: form.name,
)
@pytest.mark.parametrize("header_rows", [None, 0, 500])
def test_the_time_of_a_table_grows_with_its_cells(form: Form, header_rows: int | None) -> None:
    def work(text: str) -> object:
        return list(table_blocks([row.split("|") for row in text.split("\n")], header_rows=header_rows))

    assert growth("table_blocks", work, form) is None


def test_a_row_says_the_same_thing_under_one_name_once() -> None:
    assert row_text(["Day", "Hours", "Hours"], ["Sunday", "closed", "closed"]) == "Day: Sunday; Hours: closed"
    assert row_text((), ["no", "no"]) == "no; no"
