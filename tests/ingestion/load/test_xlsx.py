"""Workbooks: cells say what Excel shows, whatever the sheet says of its size."""

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.load.number_format import shown
from tests.ingestion.load.packages import R, cells, chart, relations, sheet, with_parts


def texts(data: bytes, name: str = "b.xlsx") -> list[str]:
    return [block.text for block in read(data, name).blocks][1:]  # without the sheet's name


@pytest.mark.parametrize("dimension", ["A1", "A1:XFD1048576", "nonsense"])
def test_what_a_sheet_says_of_its_size_means_nothing(dimension: str) -> None:
    inside = f'<dimension ref="{dimension}"/>' + cells(["Plan", "Price"], ["Basic", "4"], ["Plus", "9"])
    assert texts(sheet(inside)) == ["Plan: Basic; Price: 4", "Plan: Plus; Price: 9"]


def test_far_cells_of_a_sheet_cost_nothing() -> None:
    rows = "".join(f'<row r="{n}"><c r="XFD{n}"><v>{n}</v></c></row>' for n in (1, 1_048_575, 1_048_576))
    diagonal = "".join(f'<row r="{n}"><c r="{column(n)}{n}"><v>{n}</v></c></row>' for n in range(2, 4_000))
    assert "1048576" in texts(sheet(f"<sheetData>{rows}</sheetData>"))[-1]
    assert len(texts(sheet(f"<sheetData>{diagonal}</sheetData>"))) == 3_998


def column(number: int) -> str:
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def test_a_title_above_the_header_is_no_column() -> None:
    rows = cells(["Price list 2026"], [], ["Article", "Net", "Valid"], ["Glow", "39", "yes"])
    assert texts(sheet(rows)) == ["Price list 2026", "Article: Glow; Net: 39; Valid: yes"]


def test_a_formula_that_was_never_computed_is_said_to_be_unknown() -> None:
    rows = cells(
        ["Article", "Gross", "Note"],
        ["Glow", "<c><f>B2*1.21</f><v></v></c>", '<c t="str"><f>""</f><v></v></c>'],
        ["Chime", "<c><f>B3*1.21</f><v>47.19</v></c>", "old"],
    )
    assert texts(sheet(rows)) == [
        "Article: Glow; Gross: (formula without a value)",
        "Article: Chime; Gross: 47.19; Note: old",
    ]


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (46082, "yyyy-mm-dd", "2026-03-01"),
        (46082, "yyyy-mm-dd h:mm:ss", "2026-03-01"),
        (46082.5, "d/m/yy h:mm", "2026-03-01 12:00"),
        (46082, "mmm-yy", "2026-03"),
        (46082, "[$-407]d. mmmm yyyy;@", "2026-03-01"),
        (0.75, "h:mm", "18:00"),
        (1.5, "[h]:mm", "36:00"),
        (0.215, "0.0%", "21.5%"),
        (0.21, "0%", "21%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (39, '[$€-407] #,##0.00', "€ 39.00"),
        (39, '#,##0.00\\ "EUR"', "39.00 EUR"),
        (-39, '"$"#,##0_);[Red]\\("$"#,##0\\)', "($39)"),
        (-39.5, "0.00", "-39.50"),
        (0, '0;-0;"none"', "none"),
        (42, "00000", "00042"),
        (1.5, "0.###", "1.5"),
        (2.675, "0.00", "2.68"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (0.1 + 0.2, "General", "0.3"),
        (3, "@", "3"),
        (12.25, "# ?/?", "12.25"),
        (12, "0.00E+00", "12"),
        (1e300, "#,##0.00", "1E+300"),
        (5, "x" * 300, "5"),
        (5, "0" + "%" * 50, "50000%" + "%" * 49),
        (1e9, "yyyy-mm-dd", "1000000000"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_they_are_shown(number: float, code: str, text: str) -> None:
    assert shown(number, code) == text


def test_cells_take_the_format_of_their_style() -> None:
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="&quot;€&quot; 0.00"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="9"/><xf numFmtId="14"/></cellXfs>'
    )
    row = [
        '<c s="1"><v>39</v></c>',
        '<c s="2"><v>0.21</v></c>',
        '<c s="3"><v>46082</v></c>',
        '<c s="99"><v>1</v></c>',
    ]
    row += ['<c t="b"><v>1</v></c>', '<c t="d"><v>2026-03-01T00:00:00</v></c>', '<c t="n"><v>1e999</v></c>']
    found = texts(sheet(cells(["a", "b", "c", "d", "e", "f", "g"], row), styles=styles))
    assert found == ["a: € 39.00; b: 21%; c: 2026-03-01; d: 1; e: TRUE; f: 2026-03-01; g: 1e999"]


def test_texts_are_shared_and_their_raised_numbers_told() -> None:
    shared = (
        "<si><t>Cycles</t></si><si><r><t>10</t></r><r><rPr><vertAlign val='superscript'/></rPr><t>6</t></r>"
        "<rPh sb='0' eb='1'><t>spoken</t></rPh></si>"
    )
    rows = cells(
        ["Name", '<c t="s"><v>0</v></c>'],
        ["Relay", '<c t="s"><v>1</v></c>'],
        ["Bad", '<c t="s"><v>7</v></c>'],
    )
    assert texts(sheet(rows, texts=shared)) == ["Name: Relay; Cycles: 10^6", "Name: Bad"]


def test_hidden_rows_and_columns_are_set_aside() -> None:
    rows = cells(["Article", "Price", "Purchase price"], ["Glow", "39", "11"], ["Prototype X", "999", "500"])
    at = rows.rindex("<row>")
    inside = (
        '<cols><col min="3" max="16384" hidden="1"/></cols>' + rows[:at] + '<row hidden="1">' + rows[at + 5 :]
    )
    reading = read(sheet(inside), "b.xlsx")
    assert [block.text for block in reading.blocks] == ["Prices", "Article: Glow; Price: 39"]
    assert reading.aside == ("Purchase price", "11", "Prototype X; 999; 500")


def test_merged_cells_say_the_same_in_every_place() -> None:
    rows = cells(["Region", "Price", ""], ["Europe", "9", "10"], ["", "19", "20"])
    inside = (
        rows
        + '<mergeCells><mergeCell ref="A2:A3"/><mergeCell ref="B1:C1"/><mergeCell ref="Z1:XFD1048576"/></mergeCells>'
    )
    assert texts(sheet(inside)) == [
        "Region: Europe; Price: 9; Price: 10",
        "Region: Europe; Price: 19; Price: 20",
    ]


def test_addresses_of_links_stand_beside_their_words() -> None:
    formula = '<c t="str"><f>HYPERLINK("https://example.com/b","Form")</f><v>Form</v></c>'
    rows = cells(["Key", "Where"], ["Cellar", "online"], ["Attic", formula])
    inside = (
        rows
        + '<hyperlinks><hyperlink ref="B2" r:id="k"/><hyperlink ref="Z9" location="Sheet!A1"/></hyperlinks>'
    )
    assert texts(sheet(inside, links={"k": "hyperlink|https://example.com/a|External"})) == [
        "Key: Cellar; Where: online (https://example.com/a)",
        "Key: Attic; Where: Form (https://example.com/b)",
    ]


def test_a_declared_table_has_the_header_that_it_declares() -> None:
    rows = cells(
        ["Fees of 2026", ""],
        ["Name", "Fee"],
        ["Key", "12"],
        [""],
        ["Weight", "1.2", "kg"],
        ["Height", "7", "cm"],
    )
    data = sheet(rows, links={"t": "table|../tables/table1.xml", "u": "table|../tables/table2.xml"})
    parts = {
        "xl/tables/table1.xml": '<table ref="A2:B3" headerRowCount="1"/>',
        "xl/tables/table2.xml": '<table ref="A5:C6" headerRowCount="0"/>',
    }
    assert texts(with_parts(data, parts)) == [
        "Fees of 2026",
        "Name: Key; Fee: 12",
        "Weight; 1.2; kg",
        "Height; 7; cm",
    ]


def test_a_sheet_of_a_chart_alone_is_read() -> None:
    drawing = f'<xdr:wsDr xmlns:xdr="x" xmlns:c="y" xmlns:r="{R}"><xdr:twoCellAnchor><c:chart r:id="c"/></xdr:twoCellAnchor></xdr:wsDr>'
    parts = {
        "xl/drawings/drawing1.xml": drawing,
        "xl/drawings/_rels/drawing1.xml.rels": relations(c="chart|../charts/chart1.xml"),
        "xl/charts/chart1.xml": chart("Parcels", ("Sent", {"May": "7"}), ("Lost", {"May": "1"})),
    }
    data = with_parts(sheet("<sheetData/>", links={"d": "drawing|../drawings/drawing1.xml"}), parts)
    assert texts(data) == ["Parcels", "May; Sent: 7; Lost: 1"]


def test_a_text_that_a_million_cells_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.load.xlsx.MAX_CHARS", 1_000_000)
    data = sheet(cells(*[['<c t="s"><v>0</v></c>'] * 10] * 10), texts=f"<si><t>{'x' * 30_000}</t></si>")
    with pytest.raises(SourceError, match="more than 1000000 characters"):
        read(data, "b.xlsx")


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm", ".xltx"])
def test_workbooks_with_macros_and_templates_are_read(suffix: str) -> None:
    assert texts(sheet(cells(["a", "b"], ["1", "2"])), f"b{suffix}") == ["a: 1; b: 2"]
