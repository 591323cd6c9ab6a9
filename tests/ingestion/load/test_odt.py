"""OpenDocument files: texts, spreadsheets and presentations."""

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.text.clean import clean_blocks
from tests.ingestion.load.packages import opened, zipped

UP = '<style:style style:name="up" style:family="text"><style:text-properties style:text-position="super 58%"/></style:style>'
HIDDEN = '<style:style style:name="in" style:family="text"><style:text-properties text:display="none"/></style:style>'


def blocks(data: bytes, name: str = "d.odt") -> list[tuple[str, str]]:
    return [(b.kind, b.text) for b in clean_blocks(read(data, name).blocks)]


def texts(data: bytes, name: str = "d.odt") -> list[str]:
    return [text for _, text in blocks(data, name)]


def test_headings_spaces_breaks_and_deletions() -> None:
    tracked = "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion></text:changed-region></text:tracked-changes>"
    body = '<text:h text:outline-level="2">Fees</text:h><text:p>One<text:s text:c="2"/>key<text:line-break/>costs<text:tab/>4 euros.</text:p>'
    assert blocks(opened("text", tracked + body)) == [
        ("heading", "Fees"),
        ("paragraph", "One key costs 4 euros."),
    ]


def test_notes_links_raised_numbers_and_boxes() -> None:
    note = "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Except food.</text:p></text:note-body></text:note>"
    link = (
        '<text:a xlink:href="https://example.com/k">online</text:a><text:a xlink:href="#here">here</text:a>'
    )
    box = "<draw:frame><draw:text-box><text:p>A warning.</text:p></draw:text-box></draw:frame>"
    raised = '10<text:span text:style-name="up">6</text:span> uses'
    body = f"<text:p>{raised}, order {link}{note}{box}<office:annotation><text:p>a comment</text:p></office:annotation>.</text:p>"
    assert texts(opened("text", body, styles=UP)) == [
        "10^6 uses, order online (https://example.com/k)here.",
        "A warning.",
        "Except food.",
    ]


def test_hidden_text_is_kept_apart() -> None:
    section = '<text:section text:display="none"><text:p>A whole section.</text:p></text:section>'
    body = f'<text:p>Seen.<text:span text:style-name="in"> Not seen.</text:span></text:p>{section}'
    reading = read(opened("text", body, styles=HIDDEN), "d.odt")
    assert ([b.text for b in reading.blocks], reading.hidden) == (
        ["Seen."],
        (" Not seen.", "A whole section."),
    )


def test_lists_keep_their_numbers() -> None:
    style = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-suffix="." style:num-format="1" text:start-value="3"/>'
        '<text:list-level-style-number text:level="2" style:num-suffix=")" style:num-format="a"/></text:list-style>'
    )
    inner = "<text:list><text:list-item><text:p>b</text:p></text:list-item></text:list>"
    items = f"<text:list-item><text:p>a</text:p>{inner}</text:list-item><text:list-item><text:p>c</text:p></text:list-item>"
    body = f'<text:list text:style-name="L">{items}</text:list><text:list><text:list-item><text:p>d</text:p></text:list-item></text:list>'
    assert blocks(opened("text", body, styles=style)) == [
        ("item", "3. a"),
        ("item", "a) b"),
        ("item", "4. c"),
        ("item", "d"),
    ]


def cell(text: str, **said: str) -> str:
    attributes = " ".join(f'table:{key.replace("_", "-")}="{value}"' for key, value in said.items())
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def row(*cells: str, **said: str) -> str:
    attributes = " ".join(f'table:{key.replace("_", "-")}="{value}"' for key, value in said.items())
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def test_tables_have_the_header_that_they_declare_and_merged_cells_everywhere() -> None:
    covered = "<table:covered-table-cell/>"
    header = f"<table:table-header-rows>{row(cell('Region'), cell('Time'))}</table:table-header-rows>"
    rows = row(cell("Europe", number_rows_spanned="2"), cell("5 days")) + row(covered, cell("2 days"))
    title = row(cell("Times of 2026", number_columns_spanned="2"), covered)
    assert texts(opened("text", f"<table:table>{title}{header}{rows}</table:table>")) == [
        "Times of 2026",
        "Region: Europe; Time: 5 days",
        "Region: Europe; Time: 2 days",
    ]


def test_what_stands_on_every_page_is_said_once() -> None:
    page = "<text:p>Page <text:page-number>3</text:page-number></text:p>"
    master = f"<style:master-page><style:header><text:p>Valid from 1 March</text:p></style:header><style:footer>{page}</style:footer></style:master-page>"
    data = opened(
        "text",
        "<text:h>Rules</text:h><text:p>Be kind.</text:p>",
        common=f"<office:master-styles>{master}</office:master-styles>",
    )
    assert texts(data) == ["Rules", "Valid from 1 March", "Be kind."]


def test_charts_are_tables() -> None:
    chart = (
        "<office:body><office:chart><chart:chart><chart:title><text:p>Parcels</text:p></chart:title>"
        f"<table:table>{row(cell(''), cell('Sent'))}{row(cell('May'), cell('7'))}</table:table></chart:chart></office:chart></office:body>"
    )
    body = '<text:p><draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    assert texts(opened("text", body, **{"Object 1/content.xml": chart})) == ["Parcels", "May; Sent: 7"]


def test_spreadsheets_are_read_like_workbooks() -> None:
    hidden = '<style:style style:name="no" style:family="table"><style:table-properties table:display="false"/></style:style>'
    columns = '<table:table-column table:number-columns-repeated="2"/><table:table-column table:visibility="collapse" table:number-columns-repeated="16382"/>'
    rows = (
        row(cell("Article"), cell("Price"), cell("Cost"))
        + row(cell("Glow"), cell("39 €"), cell("11"))
        + row(cell("Old"), cell("9"), visibility="filter")
        + row(cell("", number_columns_repeated="16384"), number_rows_repeated="1048000")
        + row(cell("Chime"), cell("same", number_columns_repeated="16383"))
    )
    body = f'<table:table table:name="Prices">{columns}{rows}</table:table>'
    body += f'<table:table table:name="Board" table:style-name="no">{row(cell("Secret"))}</table:table>'
    reading = read(opened("spreadsheet", body, styles=hidden), "b.ods")
    assert [b.text for b in reading.blocks] == [
        "Prices",
        "Article: Glow; Price: 39 €",
        "Article: Chime; Price: same",
    ]
    assert reading.aside[:3] == ("Cost", "11", "Old; 9")
    assert reading.aside[-1] == "Secret"


def test_presentations_are_read_slide_by_slide() -> None:
    hidden = '<style:style style:name="no" style:family="drawing-page"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'

    def frame(text: str, y: str, kind: str = "outline") -> str:
        return f'<draw:frame svg:y="{y}" presentation:class="{kind}"><draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>'

    notes = f"<presentation:notes>{frame('Speak slowly.', '1cm', 'notes')}</presentation:notes>"
    first = f"<draw:page>{frame('below', '9cm')}{frame('above', '20mm')}{frame('Prices', '1cm', 'title')}{frame('3', '1cm', 'page-number')}{notes}</draw:page>"
    second = f'<draw:page draw:style-name="no">{frame("Secret", "1cm")}</draw:page>'
    reading = read(opened("presentation", first + second, styles=hidden), "s.odp")
    assert [(b.kind, b.text, b.page) for b in reading.blocks] == [
        ("heading", "Prices", 1),
        ("paragraph", "above", 1),
        ("paragraph", "below", 1),
        ("paragraph", "Speak slowly.", 1),
    ]
    assert reading.aside == ("Secret",)


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (zipped({"a.txt": "x"}), "d.odt", "no OpenDocument text"),
        (zipped({"content.xml": "<a>"}), "d.odt", "damaged"),
        (opened("spreadsheet", ""), "d.odt", "holds no text"),
        (b"PK\x03\x04 not a zip", "d.ods", "damaged"),
        (zipped({"content.xml": b" " * 300_000_000}), "d.odp", "bomb"),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes, name: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(data, name)
