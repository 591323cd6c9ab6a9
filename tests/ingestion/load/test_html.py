"""HTML as its readers see it: what is content, what a heading, a term, a note, a power, a link says."""

import time

import pytest

from ingestion.load import read
from ingestion.text.clean import clean_blocks
from tests.linear.clock import growth
from tests.linear.texts import Form

PROSE = "The text of the page is here, and there is enough of it to be no menu."


def shown(page: str) -> list[tuple[str, str]]:
    return [(b.kind, b.text) for b in clean_blocks(read(page.encode(), "name.html").blocks)]


def texts(page: str) -> list[str]:
    return [text for _, text in shown(page)]


def outline(page: str) -> list[tuple[int, str, str]]:
    return [(b.depth, b.kind, b.text) for b in clean_blocks(read(page.encode(), "name.html").blocks)]


def table(*rows: str) -> list[str]:
    return texts(f"<main><table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table></main>")


@pytest.mark.parametrize(
    "rows",
    [
        ("<th>Weight<td>1.2 kg", "<th>Life<td>14 hours"),
        ("<td>Weight<td>1.2 kg", "<td>Life<td>14 hours"),
        ("<td><b>Weight:</b><td>1.2 kg", "<td><strong>Life:</strong><td>14 hours"),
        ("<th scope=row>Weight</th><td>1.2 kg", "<th scope=row>Life</th><td>14 hours"),
        ("<th>Weight<td>1.2 kg<th>Life<td>14 hours",),
        ("<th>Weight<th>1.2 kg", "<td>Life<td>14 hours"),
    ],
)
def test_a_first_column_of_names_is_no_first_row_of_them(rows: tuple[str, ...]) -> None:
    assert table(*rows) == ["Weight: 1.2 kg", "Life: 14 hours"]


def test_words_in_two_columns_that_nobody_marked_are_facts() -> None:
    assert table("<td>Colour<td>red", "<td>Size<td>large") == ["Colour: red", "Size: large"]
    assert table("<td>Zone<td>Price", "<td>Belgium<td>6.50") == ["Zone: Belgium; Price: 6.50"]


def test_merged_cells_stand_in_every_place_that_they_cover() -> None:
    assert table("<th>Region<th>Method<th>Time", "<td rowspan=2>Europe<td>Slow<td>5", "<td>Fast<td>2") == [
        "Region: Europe; Method: Slow; Time: 5",
        "Region: Europe; Method: Fast; Time: 2",
    ]
    assert table("<th>Day<th>From<th>To<th>Desk", "<td>Monday<td colspan=2>closed<td>Gent") == [
        "Day: Monday; From: closed; To: closed; Desk: Gent"
    ]
    two = ("<th rowspan=2>Region<th colspan=2>Price", "<th>Net<th>Gross")
    assert table(*two, "<td rowspan=0>Europe<td>1<td>2", "<td>3<td>4") == [
        "Region: Europe; Price Net: 1; Price Gross: 2",
        "Region: Europe; Price Net: 3; Price Gross: 4",
    ]


def test_a_merged_cell_ends_with_its_group_of_rows() -> None:
    page = "<main><table><thead><tr><th rowspan=5>A<th>B<tbody><tr><td>1<td>2</table></main>"
    assert texts(page) == ["A: 1; B: 2"]


def test_captions_titles_and_sections_of_a_table_stand_before_their_rows() -> None:
    head = "<tr><th>Plan<th>Fee<tr><td colspan=2>Private<tr><td>Basic<td>4<tr><td colspan=2>Shops<tr><td>Pro<td>9"
    page = f"<main><table><caption>In francs</caption><tr><th colspan=2>Plans of 2026{head}<tr><td colspan=2>With VAT.</table>"
    assert outline(page) == [
        (0, "paragraph", "In francs"),
        (0, "paragraph", "Plans of 2026"),
        (0, "term", "Private"),
        (1, "row", "Plan: Basic; Fee: 4"),
        (0, "term", "Shops"),
        (1, "row", "Plan: Pro; Fee: 9"),
        (0, "paragraph", "With VAT."),
    ]


def test_a_table_may_change_its_header() -> None:
    assert table("<th>Plan<th>Fee", "<td>Basic<td>4", "<th>Extra<th>Price", "<td>Call<td>1") == [
        "Plan: Basic; Fee: 4",
        "Extra: Call; Price: 1",
    ]


def test_a_header_may_be_bold_and_its_first_cell_empty() -> None:
    assert table("<td><b>Plan<td><b>Fee", "<td>Basic<td>4") == ["Plan: Basic; Fee: 4"]
    assert table("<td><th>Basic<th>Plus", "<th>Price<td>4<td>9") == ["Price; Basic: 4; Plus: 9"]


def test_paragraphs_and_items_of_a_cell_are_told_apart() -> None:
    assert table("<th>Shop<th>Hours", "<td>Gent<td><p>Mon-Fri 9-17<p>Sat 10-14") == [
        "Shop: Gent; Hours: Mon-Fri 9-17 Sat 10-14"
    ]
    assert table("<th>Shop<th>Hours", "<td>A<br>B<td><ul><li>Tuesday<li>Thursday</ul>") == [
        "Shop: A B; Hours: Tuesday, Thursday"
    ]
    inner = "<table><tr><td>Size<td>12 m<sup>2</sup><tr><td>Seats<td>4</table>"
    assert table("<th>Room<th>Data", f"<td>A<td>{inner}") == ["Room: A; Data: Size 12 m^2, Seats 4"]


def test_tables_that_lay_out_a_page_are_no_rows() -> None:
    page = "<table><tr><td><h1>Welcome</h1><p>We are open.</p><td><p>Call us.</p></table>"
    assert shown(page) == [("heading", "Welcome"), ("paragraph", "We are open."), ("paragraph", "Call us.")]


def test_paragraphs_of_a_single_column_explain_their_first() -> None:
    cell = "<td class=entry><p class=signature>{} ( number )</p><p>{}</p>"
    rows = f"<tr>{cell.format('abs', 'Absolute value')}<tr>{cell.format('ceil', 'Nearest integer above')}"
    assert outline(f"<main><table><thead><tr><th>Function</thead>{rows}</table></main>") == [
        (0, "term", "abs ( number )"),
        (1, "paragraph", "Absolute value"),
        (0, "term", "ceil ( number )"),
        (1, "paragraph", "Nearest integer above"),
    ]


def test_terms_keep_their_explanation_whatever_it_holds() -> None:
    page = (
        "<main><dl><dt>-a<br></dt><dt><span>--data-only</span></dt><dd><p>Only the data.</p><pre>dump -a</pre>"
        "<dl><dt>plain</dt><dd>Text.</dd></dl><ul><li>one</li></ul></dd><dt>-b</dt><dd>Blobs.</dd></dl><p>After.</p></main>"
    )
    assert outline(page) == [
        (0, "term", "-a, --data-only"),
        (1, "paragraph", "Only the data."),
        (1, "code", "dump -a"),
        (1, "term", "plain"),
        (2, "paragraph", "Text."),
        (1, "item", "one"),
        (0, "term", "-b"),
        (1, "paragraph", "Blobs."),
        (0, "paragraph", "After."),
    ]


def test_end_tags_of_terms_may_be_omitted_and_groups_be_wrapped() -> None:
    assert outline("<dl><dt>a<dt>b<dd>c<dl><dt>n<dd>m</dl><dt>e<dd>f</dl><p>after") == [
        (0, "term", "a, b"),
        (1, "paragraph", "c"),
        (1, "term", "n"),
        (2, "paragraph", "m"),
        (0, "term", "e"),
        (1, "paragraph", "f"),
        (0, "paragraph", "after"),
    ]
    assert [text for *_, text in outline("<dl><div><dt>a</dt><dd>b</dd></div></dl>")] == ["a", "b"]
    many = "<dl>" + "".join(f"<dt>t{number}<dd>d{number}" for number in range(5_000))
    assert len(outline(many)) == 10_000


def test_an_index_of_links_is_a_list() -> None:
    page = (
        "<main><p>Text.</p><dl>"
        + "".join(f"<dt><a href=p>entry {n}</a></dt>" for n in range(20))
        + "</dl></main>"
    )
    assert {kind for kind, text in shown(page) if text != "Text."} == {"item"}
    page = (
        "<main><p>Text.</p><dl>"
        + "".join(f"<dt>entry {n}, <a href=p>p</a></dt>" for n in range(20))
        + "</dl></main>"
    )
    assert len(shown(page)) == 21


def test_a_folded_answer_belongs_to_its_question() -> None:
    answer = [(0, "term", "How long?"), (1, "paragraph", "Ten days.")]
    assert outline("<main><details><summary>How long?</summary><p>Ten days.</p></details></main>") == answer
    button = '<button aria-expanded="false" aria-controls="a">How long?</button>'
    assert outline(f'<main>{button}<div id="a" hidden><p>Ten days.</p></div></main>') == answer
    headed = f"<main><h3>{button}</h3><div>Ten days.</div></main>"
    assert shown(headed) == [("heading", "How long?"), ("paragraph", "Ten days.")]
    assert shown("<main><p>Text.</p><button>Buy</button></main>") == [("paragraph", "Text.")]


def test_notes_keep_their_text_and_are_no_heading_of_what_follows() -> None:
    page = (
        "<main><h2>Start</h2><div class='admonition warning'><p class='admonition-title'>Warning</p><p>Hot.</p></div>"
        "<div class=note><h3 class=title>Note</h3><p>Wet.</p></div><aside class=tip>Dry.</aside>"
        "<div class=sidebar><a id=x></a><div class=titlepage><div><p class=title><b>Where the name is from</b></p></div></div><p>Ian.</p></div>"
        "<p>After.</p></main>"
    )
    assert outline(page) == [
        (0, "heading", "Start"),
        (0, "paragraph", "Warning: Hot."),
        (0, "paragraph", "Note: Wet."),
        (0, "paragraph", "Dry."),
        (0, "term", "Where the name is from"),
        (1, "paragraph", "Ian."),
        (0, "paragraph", "After."),
    ]


@pytest.mark.parametrize(
    "mark",
    [
        '<a class="headerlink" href="#x" title="Permalink to this heading">¶</a>',
        '<a href="#x">#</a>',
        '<a class="anchor" href="#x" aria-label="Permalink"></a>',
        '<a class="hash-link" href="#x">Link to this heading</a>',
        '<a href="https://host.example/edit/x.md">Edit this page</a>',
    ],
)
def test_headings_lose_marks_and_keep_their_numbers(mark: str) -> None:
    page = f"<main><h1>1.2. Install{mark}</h1><h2><a href='#y'>Go on</a></h2><p>Text.</p></main>"
    assert texts(page) == ["1.2. Install", "Go on", "Text."]
    assert read(page.encode(), "x.html").title == "1.2. Install"


@pytest.mark.parametrize(
    "page",
    [
        f"<body><div class='layout has-sidebar'><p>{PROSE}</p></div></body>",
        f"<body class='nav-open'><div id='navigation-wrapper'><h1>T</h1><p>{PROSE}</p></div></body>",
        f"<body><form><input type=hidden value=state><p>{PROSE}</p><label for=a>Name</label><input id=a></form></body>",
        f"<main><p>First.</p><p class='promo'>{PROSE}</p></main>",
        f"<main><p>First.</p><div class='terms share'><p>{PROSE}</p></div></main>",
        f"<body><p>First.</p><div class='promo'><p>{PROSE}</p></div></body>",
        f"<article><header><p>{PROSE}</p></header><p>More.</p></article>",
        f"<body><section><header><h2>Part</h2><p>{PROSE}</p></header></section></body>",
        f"<main><p>First.</p><aside><p>{PROSE}</p></aside></main>",
        f"<body><p>First.</p><aside class=note><p>{PROSE}</p></aside></body>",
        f"<body><p>First.</p><div class=sidebar><p>{PROSE}</p></div></body>",
        f"<main><p>First.</p><section id='menu-and-navigation'><h2>Menus</h2><p>{PROSE}</p></section></main>",
        f"<body><p>First.</p><section id='cookies'><h2>Cookies</h2><p>{PROSE}</p></section></body>",
        f"<main><div role=tabpanel hidden><p>{PROSE}</p></div></main>",
        f"<table><p>{PROSE}</p><tr><td>1</td></tr></table>",
    ],
)
def test_text_is_kept_whatever_its_frame_is_called(page: str) -> None:
    found = texts(page)
    assert PROSE in " ".join(found)
    assert "Name" not in found


@pytest.mark.parametrize(
    "noise",
    [
        "<nav><a href=a>Noise</a></nav>",
        "<div role=navigation>Noise</div>",
        "<header><a href=/>Noise</a></header>",
        "<footer>Noise and imprint</footer>",
        "<aside><a href=a>Noise</a></aside>",
        "<div class='cookie-banner'><p>Noise is what we use to make it better.</p><button>OK</button></div>",
        "<div class='share'><a href=a>Noise</a> <a href=b>Other</a></div>",
        "<div class='related'><ul><li><a href=a>Noise of another page</a></ul></div>",
        "<div class='newsletter'><p>Noise for nothing, every Monday, for you.</p><input><button>Go</button></div>",
        "<table class=navheader><tr><th>Noise</th></tr></table>",
        "<table><tr><td><a accesskey=p href=a>Noise</a><td><a accesskey=n href=b>Next</a></table>",
        "<ul class='docnav'><li><a href=a>Noise</a></ul>",
        "<div class='sphinxsidebar'><p>Noise</p></div>",
        "<select><option>Noise</select>",
        "<template><p>Noise</p></template>",
        "<div class=toc><p>Contents</p><ul><li><a href='#a'>Noise of a section</a></ul></div>",
    ],
)
@pytest.mark.parametrize("is_main", [True, False])
def test_navigation_banners_and_fields_are_no_text(noise: str, is_main: bool) -> None:
    text = f"<h1>T</h1><p>{PROSE}</p><p>{PROSE} {PROSE} {PROSE}</p>"
    page = f"<body>{noise}<main>{text}</main></body>" if is_main else f"<body>{noise}{text}</body>"
    assert "Noise" not in " ".join(texts(page))
    assert PROSE in texts(page)


def test_a_page_of_nothing_but_links_is_read() -> None:
    page = "<body><h1>Manual</h1><div class=toc><ul><li><a href=a>First chapter</a><li><a href=b>Second chapter</a></ul></div></body>"
    assert texts(page) == ["Manual", "First chapter", "Second chapter"]
    assert texts("<body><nav><a href=a>Menu</a></nav></body>") == ["Menu"]


def test_a_heading_above_the_main_part_is_the_pages() -> None:
    page = f"<body><header><img><h1>Returns</h1></header><main><p>{PROSE}</p></main></body>"
    assert texts(page) == ["Returns", PROSE]
    assert texts(page.replace("main", "div")) == ["Returns", PROSE]
    site = f"<body><header><h1><a href=/>Shop</a></h1></header><main><p>{PROSE}</p></main></body>"
    assert texts(site) == [PROSE]


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        (
            "<title>PostgreSQL: Documentation: 15: 9.4</title>",
            "<h2>9.4. Strings</h2><p>x</p>",
            "9.4. Strings",
        ),
        ("<title>Returns | Shop</title>", "<p>x</p>", "Returns"),
        ("<title>csv — Reading &#8212; Python 3.11 documentation</title>", "<p>x</p>", "csv"),
        ("", "<h3>Small</h3><p>x</p><h1>Great</h1>", "Great"),
        ("", "<p>x</p>", "name"),
    ],
)
def test_a_title_is_the_pages_own_heading(head: str, body: str, title: str) -> None:
    assert read(f"<html><head>{head}</head><body>{body}</body></html>".encode(), "name.html").title == title


WHITE = "color:white"


@pytest.mark.parametrize(
    "part",
    [
        f"<div style='background-color:#036; {WHITE}'><p>{PROSE}</p></div>",
        f"<div style='background:linear-gradient(#036,#069);color:rgb(255,255,255)'>{PROSE}</div>",
        f"<table><tr bgcolor=navy><td><font color=#ffffff>{PROSE}</font></table>",
        f"<div style='background:#111'><p style='color:#fefefe'>{PROSE}</p></div>",
        f"<div style='{WHITE}'><p style='background:black'>{PROSE}</p></div>",
        f"<p style='color:#ccc'>{PROSE}</p>",
    ],
)
def test_white_on_dark_is_seen(part: str) -> None:
    page = f"<main><h1>T</h1>{part}<p>More.</p></main>"
    assert PROSE in texts(page)
    assert read(page.encode(), "x.html").hidden == ()


@pytest.mark.parametrize(
    "part",
    [
        f"<p style='{WHITE}'>{PROSE}</p>",
        f"<p style='{WHITE};background:#fefefe'>{PROSE}</p>",
        f"<p style='color:#036;background:#036'>{PROSE}</p>",
        f"<p><font color=white>{PROSE}</font></p>",
        f"<p style='color:rgba(0,0,0,0)'>{PROSE}</p>".replace("rgba(0,0,0,0)", "transparent"),
        f"<div style='{WHITE}'>{PROSE}<span style='color:black'>Seen.</span></div>",
        f"<div style='{WHITE};background:url(x.png)'>{PROSE}</div>",
        f"<p hidden>{PROSE}</p>",
        f"<p style='display:none'>{PROSE}</p>",
        f"<p class='sr-only'>{PROSE}</p>",
    ],
)
def test_what_nobody_sees_is_no_text_and_is_told(part: str) -> None:
    page = f"<main><h1>T</h1>{part}<p>More.</p></main>"
    assert PROSE not in " ".join(texts(page))
    assert read(page.encode(), "x.html").hidden == (PROSE,)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("10<sup>6</sup> cycles", "10^6 cycles"),
        ("10<sup><b>-3</b></sup> m", "10^-3 m"),
        ("5 km<sup>2</sup>", "5 km^2"),
        ("s<sup>-1</sup>", "s^-1"),
        ("2<sup>n+1</sup>", "2^(n+1)"),
        ("<b>10</b><sup>7</sup>", "10^7"),
        ("H<sub>2</sub>O and CO<sub>2</sub>", "H2O and CO2"),
        ("5<sup>1</sup>/<sub>2</sub> m", "5 1/2 m"),
        ("<sup>3</sup>/<sub>4</sub> cup", "3/4 cup"),
        ("the 1<sup>st</sup> of May", "the 1st of May"),
        ("Larkmoor<sup>TM</sup>", "Larkmoor™"),
        ("free for 30 days<sup>1</sup>.", "free for 30 days."),
        ("free<sup>*</sup> returns<sup>[2]</sup>", "free returns"),
        ("paid in 2024<sup><a href='#f1'>1</a></sup>", "paid in 2024"),
        ("kept <a class='footnote-reference' href='#f1'>1</a>.", "kept ."),
    ],
)
def test_raised_and_lowered_digits_join_no_number(part: str, says: str) -> None:
    assert texts(f"<main><p>It is {part}</p></main>") == [f"It is {says}"]


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ('<a href="https://a.example/x.pdf">the manual</a>', "the manual (https://a.example/x.pdf)"),
        ('<a href="https://www.a.example/">www.a.example</a>', "www.a.example"),
        ('<a href="https://a.example/x">https://a.example/x</a>', "https://a.example/x"),
        ('<a href="mailto:shop@a.example">write</a>', "write (shop@a.example)"),
        ('<a href="x.html">there</a>', "there"),
        ('<a href="#x">below</a>', "below"),
        ('<a href="javascript:go()">run</a>', "run"),
        ('<a href="http://[a">bad</a>', "bad"),
        (
            '<a href="https://a.example/">it</a><span> [https://a.example/]</span>',
            "it [https://a.example/]",
        ),
    ],
)
def test_a_link_says_where_it_leads_when_its_words_do_not(link: str, says: str) -> None:
    assert texts(f"<main><p>See {link} now.</p></main>") == [f"See {says} now."]


def test_relative_links_count_where_the_page_says_its_address() -> None:
    head = '<head><link rel="canonical" href="https://a.example/docs/p.html"></head>'
    link = '<a href="x.pdf">manual</a>, <a href="y.html">here</a>, <a href="z.html">Setup</a>'
    assert texts(f"<html>{head}<main><p>{link}</p></main></html>") == [
        "manual (https://a.example/docs/x.pdf), here (https://a.example/docs/y.html), Setup"
    ]


def test_code_keeps_its_lines_and_loses_their_numbers() -> None:
    page = (
        "<main><pre>a  b\n<b>c</b>\n  d<br>e</pre><table class=highlighttable><tr><td class=linenos><pre>1\n2</pre>"
        "<td><pre>x\ny</pre></table></main>"
    )
    assert shown(page) == [("code", "a  b\nc\n  d\ne"), ("code", "x\ny")]


def test_items_are_items_whatever_they_hold() -> None:
    page = "<main><ul><li><p>one</p><p>more</p><li>two<ul><li>three</ul><li><b>x</b> y</ul></main>"
    assert shown(page) == [
        ("item", "one"),
        ("paragraph", "more"),
        ("item", "two"),
        ("item", "three"),
        ("item", "x y"),
    ]


def test_lines_that_wrap_in_the_source_are_one_line() -> None:
    page = (
        "<main><ul><li>one\n   line</ul><dl><dt>a\n b<dd>c\n d</dl><table><tr><td>x\n y<td>1</table></main>"
    )
    assert texts(page) == ["one line", "a b", "c d", "x y: 1"]


def test_xhtml_is_read_as_it_is_written() -> None:
    page = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml" lang="de"><head><title/></head>'
        '<body><h2><a id="x"/>Zeit</h2><p>Drei&nbsp;Tage &amp; mehr</p></body></html>'
    )
    assert texts(page) == ["Zeit", "Drei Tage & mehr"]
    broken = page.replace("</p>", "")
    assert texts(broken) == ["Zeit", "Drei Tage & mehr"]


def test_a_page_says_when_it_was_changed() -> None:
    for name in ("date", "dcterms.modified", "last-modified"):
        page = f'<html><head><meta name="{name}" content="2026-03-01"></head><body><p>x</p></body></html>'
        assert read(page.encode(), "x.html").updated == "2026-03-01"


HOSTILE = {
    "deep boxes": ("<div class='promo menu note'><h3>N</h3>", "x"),
    "deep terms": ("<dl><dt>t</dt><dd>", "x"),
    "deep folds": ("<details><summary>s</summary>", "x"),
    "deep tables": ("<table><tr><th>a</th><td>", "x"),
    "deep powers": ("a<sup>", "x"),
    "cells": ("<table><tr><td>a" + "<td>a", ""),
    "wide cells": ("<table><tr><td colspan=1000000>a</td><td colspan=1000000>b</td></tr>", ""),
    "high cells": ("<table><tr><td rowspan=65534>a</td></tr>", ""),
    "scripts": ("<script>x</script>tail ", ""),
    "colours": ("<p style='color:white'>a</p>", ""),
    "questions": ("<button aria-expanded=false>Q?</button>a", ""),
    "omitted ends": ("<dt>a<dd>b", ""),
    "links": ("<a href='http://a.b/c'>x</a> ", ""),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_time_grows_with_the_page(name: str) -> None:
    unit, tail = HOSTILE[name]

    assert growth(name, lambda text: read(text.encode(), "x.html"), Form("<main>", unit, tail)) is None


@pytest.mark.parametrize(
    "rows",
    [
        "<tr>" + "<td>a" * 2_000 + "</tr>" + "<tr><td>b</td></tr>" * 2_000,
        "<tr>" + "<td rowspan=65534>a" * 2_000 + "</tr>" + "<tr><td>b</td></tr>" * 2_000,
        "<tr>" + "<td>" * 2_000 + "<td rowspan=65534>a</tr>" + "<tr><td>b</td></tr>" * 2_000,
        "<tr>" + "<td rowspan=65534 colspan=1000>a" * 100 + "</tr>" + "<tr></tr>" * 2_000,
        f"<tr><td rowspan=65534>{'long ' * 2_000}<td>b</tr>" + "<tr><td>b</td></tr>" * 2_000,
        f"<tr><th>{'long ' * 2_000}<th>b</tr>" + "<tr><td>b<td>c</tr>" * 2_000,
    ],
)
def test_a_table_grows_to_no_more_than_some_times_its_size(rows: str) -> None:
    begun = time.thread_time()
    said = texts(f"<table>{rows}</table>")
    assert sum(map(len, said)) < 25 * len(rows)
    assert time.thread_time() - begun < 5
