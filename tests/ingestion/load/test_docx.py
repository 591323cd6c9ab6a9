"""Word documents: what Word shows with all changes accepted is read, once and in order."""

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.load.docx.numbering import Numbering
from ingestion.text.clean import clean_blocks
from tests.ingestion.load.packages import chart, p, r, table, tc, with_parts, word

LINK = "hyperlink|https://example.com/keys|External"


def blocks(data: bytes, name: str = "d.docx") -> list[tuple[str, str]]:
    return [(b.kind, b.text) for b in clean_blocks(read(data, name).blocks)]


def texts(data: bytes) -> list[str]:
    return [text for _, text in blocks(data)]


def test_insertions_are_text_and_deletions_are_not() -> None:
    deleted = "<w:del><w:r><w:delText>12 euros</w:delText></w:r></w:del>"
    moved = f"<w:moveFrom>{r('gone')}</w:moveFrom><w:moveTo>{r(' a parcel')}</w:moveTo>"
    inserted = f"<w:ins>{r('15 euros')}</w:ins>"
    assert texts(word(f"<w:p>{r('The fee is ')}{deleted}{inserted}{moved}{r('.')}</w:p>")) == [
        "The fee is 15 euros a parcel."
    ]


def test_rows_that_were_deleted_are_left_out() -> None:
    kept, gone = table(["Plan", "Fee"], ["Basic", "4"], ["Old", "9"]), "<w:trPr><w:del/></w:trPr>"
    at = kept.rindex("<w:tr>") + len("<w:tr>")
    assert texts(word(kept[:at] + gone + kept[at:])) == ["Plan: Basic; Fee: 4"]


@pytest.mark.parametrize(
    "box",
    [
        "<w:drawing><a:graphic><wps:txbx><w:txbxContent>{0}</w:txbxContent></wps:txbx></a:graphic></w:drawing>",
        "<w:pict><v:textbox><w:txbxContent>{0}</w:txbxContent></v:textbox></w:pict>",
        "<mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><w:txbxContent>{0}</w:txbxContent></w:drawing></mc:Choice>"
        "<mc:Fallback><w:pict><w:txbxContent>{0}</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent>",
    ],
)
def test_a_text_box_is_read_once_behind_its_paragraph(box: str) -> None:
    inside = box.format(p("Never open the case."))
    found = texts(word(f"<w:p>{r('Change the battery.')}<w:r>{inside}</w:r></w:p>{p('Bring it back.')}"))
    assert found == ["Change the battery.", "Never open the case.", "Bring it back."]


def test_a_document_of_text_boxes_alone_is_read() -> None:
    box = f"<w:p><w:r><w:pict><w:txbxContent>{p('All that is here.')}</w:txbxContent></w:pict></w:r></w:p>"
    assert texts(word(box)) == ["All that is here."]


def test_a_table_within_a_cell_is_part_of_its_row() -> None:
    inner = table(
        ["Monthly", "9 EUR"], ["Yearly", "90 EUR"], properties='<w:tblLook w:firstRow="0" w:firstColumn="1"/>'
    )
    outer = table(["Tariff", "Details"], ["Plus", tc(p("Prices:") + inner + p(""))])
    assert texts(word(outer)) == ["Tariff: Plus; Details: Prices: Monthly: 9 EUR; Yearly: 90 EUR"]


def test_results_of_fields_are_text_and_their_codes_are_not() -> None:
    simple = f"<w:fldSimple w:instr=' DOCPROPERTY Fee '>{r('18 euros')}</w:fldSimple>"
    steps = [f'<w:r><w:fldChar w:fldCharType="{step}"/></w:r>' for step in ("begin", "separate", "end")]
    code = "<w:r><w:instrText>REF third</w:instrText></w:r>"
    complex_one = f"{steps[0]}{code}{r('in the code')}{steps[1]}{r('25 euros')}{steps[2]}"
    tag = f"<w:smartTag>{r(' at once')}</w:smartTag>"
    assert texts(
        word(f"<w:p>{r('A key costs ')}{simple}{r(', a third ')}{complex_one}{tag}{r('.')}</w:p>")
    ) == ["A key costs 18 euros, a third 25 euros at once."]


def test_content_controls_are_read_and_what_asks_to_fill_them_in_is_not() -> None:
    filled = f"<w:sdt><w:sdtPr/><w:sdtContent>{r('4 euros')}</w:sdtContent></w:sdt>"
    empty = (
        f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{r('Click here')}</w:sdtContent></w:sdt>"
    )
    block = f"<w:sdt><w:sdtContent>{p('A paragraph of its own.')}</w:sdtContent></w:sdt>"
    found = texts(word(f"<w:p>{r('Fee: ')}{filled}{empty}</w:p>{block}"))
    assert found == ["Fee: 4 euros", "A paragraph of its own."]


def test_heads_and_feet_say_once_what_the_body_does_not() -> None:
    def reference(kind: str, name: str) -> str:
        return f'<w:{kind}Reference w:type="default" r:id="{name}"/>'

    page = "<w:p><w:r><w:t>Page </w:t></w:r><w:fldSimple w:instr=' PAGE '><w:r><w:t>3</w:t></w:r></w:fldSimple></w:p>"
    section = f"<w:sectPr>{reference('header', 'header1')}{reference('footer', 'footer1')}</w:sectPr>"
    body = p("House rules", '<w:outlineLvl w:val="0"/>') + p("Bicycles stay in the yard.")
    found = blocks(
        word(
            body + section + section,
            header1=p("HOUSE  RULES") + p("Valid from 1 March 2026"),
            footer1=page + p("Ask at the desk."),
        )
    )
    assert found == [
        ("heading", "House rules"),
        ("paragraph", "Valid from 1 March 2026"),
        ("paragraph", "Bicycles stay in the yard."),
        ("paragraph", "Ask at the desk."),
    ]


def test_notes_stand_behind_their_paragraph() -> None:
    mark = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    end = '<w:r><w:endnoteReference w:id="2"/></w:r>'
    found = texts(
        word(
            f"<w:p>{r('Returns are free')}{mark}{r(' for 30 days.')}{end}</w:p>{p('Next.')}",
            footnotes=f'<w:footnote w:type="separator" w:id="0">{p("-")}</w:footnote><w:footnote w:id="2">{p("Except food.")}</w:footnote>',
            endnotes=f'<w:endnote w:id="2">{p("As of May.")}</w:endnote>',
        )
    )
    assert found == ["Returns are free for 30 days.", "Except food.", "As of May.", "Next."]


def test_raised_numbers_can_be_told_from_those_before_them() -> None:
    up, down = '<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>'
    line = (
        f"<w:p>{r('10')}{r('6', up)}{r(' cycles, 12 m')}{r('2', up)}{r(', 30 days')}{r('1', up)}"
        f"{r(', H')}{r('2', down)}{r('O, the 1')}{r('st', up)}</w:p>"
    )
    assert texts(word(line)) == ["10^6 cycles, 12 m^2, 30 days, H2O, the 1st"]


def test_formulas_are_read() -> None:
    power = "<m:sSup><m:e><m:r><m:t>v</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    half = f"<m:f><m:num>{power}</m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    assert texts(word(f"<w:p>{r('It is ')}<m:oMath>{half}</m:oMath></w:p>")) == ["It is v^2/2"]


def test_hidden_text_is_kept_apart_whichever_style_hides_it() -> None:
    styles = '<w:style w:type="character" w:styleId="In"><w:rPr><w:vanish/></w:rPr></w:style>'
    styles += '<w:style w:type="character" w:styleId="Sub"><w:basedOn w:val="In"/></w:style>'
    shown = r("ten percent", '<w:rStyle w:val="In"/><w:vanish w:val="0"/>')
    hidden = r("Up to thirty.", '<w:rStyle w:val="Sub"/>')
    reading = read(
        word(
            f"<w:p>{r('Members get ')}{shown}{hidden}</w:p>{p('Secret.', '', '<w:vanish/>')}", styles=styles
        ),
        "d.docx",
    )
    assert [block.text for block in reading.blocks] == ["Members get ten percent"]
    assert reading.hidden == ("Up to thirty.", "Secret.")


def test_addresses_of_links_stand_beside_their_words() -> None:
    link = f'<w:hyperlink r:id="k">{r("our counter ")}</w:hyperlink>'
    inside = f'<w:hyperlink w:anchor="there">{r("below")}</w:hyperlink>'
    steps = [f'<w:r><w:fldChar w:fldCharType="{step}"/></w:r>' for step in ("begin", "separate", "end")]
    code = '<w:r><w:instrText> HYPERLINK "mailto:desk@example.com" </w:instrText></w:r>'
    old = f"{steps[0]}{code}{steps[1]}{r('the desk')}{steps[2]}"
    bare = f'<w:hyperlink r:id="k">{r("example.com/keys")}</w:hyperlink>'
    found = texts(
        word(
            f"<w:p>{r('See ')}{link}{r('or ')}{inside}{r(', ask ')}{old}{r(', ')}{bare}</w:p>",
            links={"k": LINK},
        )
    )
    assert found == [
        "See our counter (https://example.com/keys) or below, ask the desk (desk@example.com), example.com/keys"
    ]


def test_headings_are_told_by_outline_level_in_any_language() -> None:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/><w:basedOn w:val="{parent}"/>'
        f"<w:pPr>{level}</w:pPr></w:style>"
        for key, name, parent, level in (
            ("berschrift1", "heading 1", "", ""),
            ("Ttulo2", "Título 2", "", '<w:outlineLvl w:val="1"/>'),
            ("Eigene", "Kapitel", "berschrift1", ""),
            ("Text", "Fließtext", "berschrift1", '<w:outlineLvl w:val="9"/>'),
            ("TOC1", "toc 1", "", ""),
        )
    )
    body = "".join(
        p(key, f'<w:pStyle w:val="{key}"/>') for key in ("TOC1", "berschrift1", "Ttulo2", "Eigene", "Text")
    )
    found = clean_blocks(read(word(body, styles=styles), "d.docx").blocks)
    assert [(b.kind, b.level, b.text) for b in found] == [
        ("heading", 1, "berschrift1"),
        ("heading", 2, "Ttulo2"),
        ("heading", 1, "Eigene"),
        ("paragraph", 0, "Text"),
    ]


NUMBERING = (
    '<w:abstractNum w:abstractNumId="1">'
    '<w:lvl w:ilvl="0"><w:start w:val="2"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>'
    '<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="-"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="8"><w:abstractNumId w:val="2"/></w:num>'
)


def test_lists_keep_their_numbers() -> None:
    def item(text: str, list_id: int, level: int) -> str:
        return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')

    body = (
        item("One", 7, 0)
        + item("Two", 7, 1)
        + item("Three", 7, 1)
        + item("Four", 7, 0)
        + item("Five", 7, 1)
        + item("Six", 8, 0)
    )
    assert blocks(word(body, numbering=NUMBERING)) == [
        ("item", "2. One"),
        ("item", "2.a) Two"),
        ("item", "2.b) Three"),
        ("item", "3. Four"),
        ("item", "3.a) Five"),
        ("item", "Six"),
    ]


def test_a_list_that_nobody_declared_has_no_numbers() -> None:
    assert Numbering(None).next("7", 3) == ""


def test_merged_cells_say_the_same_everywhere_and_a_title_stands_above() -> None:
    title = tc(p("Prices of 2026"), '<w:gridSpan w:val="3"/>')
    first, again = (
        tc(p(text), f"<w:vMerge{value}/>") for text, value in (("Europe", ' w:val="restart"'), ("", ""))
    )
    rows = (
        [title],
        ["Region", "Method", "Time"],
        [first, "Standard", "5 days"],
        [again, "Express", "2 days"],
    )
    assert texts(word(table(*rows))) == [
        "Prices of 2026",
        "Region: Europe; Method: Standard; Time: 5 days",
        "Region: Europe; Method: Express; Time: 2 days",
    ]


def test_rows_that_are_repeated_on_every_page_are_the_header() -> None:
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    two = table(["", "2026", "2026"], ["Article", "Net", "Gross"], ["Glow", "39", "47"])
    marked = two.replace("<w:tr>", f"<w:tr>{head}", 2)
    assert texts(word(marked)) == ["Article: Glow; 2026 Net: 39; 2026 Gross: 47"]


def test_a_table_of_one_column_is_a_frame_around_its_paragraphs() -> None:
    assert blocks(word(table([tc(p("Take care.") + p("It is hot."))]))) == [
        ("paragraph", "Take care."),
        ("paragraph", "It is hot."),
    ]


def test_charts_are_tables_and_diagrams_lists() -> None:
    graphic = '<w:p><w:r><w:drawing><c:chart r:id="c"/></w:drawing></w:r><w:r><w:drawing><dgm:relIds r:dm="d"/></w:drawing></w:r></w:p>'
    points = "<dgm:pt><dgm:t><a:p><a:r><a:t>Order</a:t></a:r></a:p></dgm:t></dgm:pt>"
    names = 'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    data = word(graphic, links={"c": "chart|charts/chart1.xml", "d": "diagramData|diagrams/data1.xml"})
    data = with_parts(
        data,
        {
            "word/charts/chart1.xml": chart(
                "Parcels a year", ("Sent", {"2024": "0.5", "2025": "0.75"}), code="0%"
            ),
            "word/diagrams/data1.xml": f"<dgm:dataModel {names}><dgm:ptLst>{points}</dgm:ptLst></dgm:dataModel>",
        },
    )
    assert blocks(data) == [
        ("paragraph", "Parcels a year"),
        ("row", "2024; Sent: 50%"),
        ("row", "2025; Sent: 75%"),
        ("item", "Order"),
    ]


@pytest.mark.parametrize("suffix", [".docx", ".docm", ".dotx"])
@pytest.mark.parametrize("is_strict", [False, True])
def test_every_kind_of_word_file_is_read(suffix: str, is_strict: bool) -> None:
    assert blocks(word(p("Some words."), is_strict=is_strict), f"d{suffix}") == [("paragraph", "Some words.")]


def test_a_part_that_declares_entities_is_refused() -> None:
    declared = '<!DOCTYPE a [<!ENTITY e "laugh">]><a>&e;</a>'
    with pytest.raises(SourceError, match="declares entities"):
        read(with_parts(word(p("x")), {"word/document.xml": declared}), "d.docx")


def test_cells_that_say_they_are_endless_cost_little() -> None:
    wide = tc(p("wide"), '<w:gridSpan w:val="999999999"/>')
    data = word(table(*[[wide, "x"]] * 300, properties='<w:tblLook w:val="nonsense"/>'))
    assert sum(len(text) for text in texts(data)) < 1_000_000
