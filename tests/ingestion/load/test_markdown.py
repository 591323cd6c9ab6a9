"""Markdown, and the HTML that writers put into it."""

import pytest

from ingestion.load import read
from ingestion.text.clean import clean_blocks
from tests.linear.clock import growth
from tests.linear.texts import Form


def outline(page: str) -> list[tuple[int, str, str]]:
    return [(b.depth, b.kind, b.text) for b in clean_blocks(read(page.encode(), "name.md").blocks)]


def texts(page: str) -> list[str]:
    return [text for *_, text in outline(page)]


@pytest.mark.parametrize("gap", ["", "\n"])
def test_a_table_in_html_has_rows(gap: str) -> None:
    rows = ["<tr><th>Zone</th><th>Price</th></tr>", "<tr><td>Norway</td><td>19 EUR</td></tr>"]
    page = "# Shipping\n\n" + f"\n{gap}".join(["<table>", *rows, "</table>"]) + "\n\nTwo days.\n"
    assert texts(page) == ["Shipping", "Zone: Norway; Price: 19 EUR", "Two days."]


def test_boxes_and_paragraphs_in_html_are_read() -> None:
    page = '# Heater\n\n<div class="warning">\nNever cover it.\n</div>\n\n<p align="center">Maximum: <b>16 A</b></p>\n'
    assert texts(page) == ["Heater", "Never cover it.", "Maximum: 16 A"]
    assert texts('<div class="note">\n\n**Never** cover it.\n\n</div>\n') == ["Never cover it."]


def test_folded_parts_keep_their_markdown() -> None:
    page = "<details>\n<summary>How long?</summary>\n\nTen **working** days.\n\n- or more\n\n</details>\n\nAfter.\n"
    assert outline(page) == [
        (0, "term", "How long?"),
        (1, "paragraph", "Ten working days."),
        (1, "item", "or more"),
        (0, "paragraph", "After."),
    ]


def test_tags_within_a_line_are_read_and_placeholders_are_words() -> None:
    page = "Run foo <file> [<options>] with the <title> tag, List<String> and a < b.<br>Then <b>wait</b> 10<sup>6</sup> s.\n\nMore.\n"
    assert texts(page) == [
        "Run foo <file> [<options>] with the <title> tag, List<String> and a < b. Then wait 10^6 s.",
        "More.",
    ]


@pytest.mark.parametrize("tag", ["title", "textarea", "script", "style", "select", "nav", "template", "svg"])
def test_what_nobody_closes_swallows_nothing(tag: str) -> None:
    assert "After." in " ".join(texts(f"Before.\n\n<{tag}>\n\nAfter.\n"))
    assert "After." in " ".join(texts(f"Before <{tag}> it.\n\nAfter.\n"))


def test_scripts_comments_and_hidden_parts_are_no_text() -> None:
    page = "<script>\nalert(1)\n</script>\n\n<!-- a remark of one writer to all the other writers of it -->\n\nText <!-- so --> goes on.\n"
    assert texts(page) == ["Text goes on."]
    assert read(page.encode(), "x.md").hidden == ()
    hidden = '<p style="display:none">words that nobody sees</p>\n\nSeen.\n'
    assert texts(hidden) == ["Seen."]
    assert read(hidden.encode(), "x.md").hidden == ("words that nobody sees",)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("[downloaded here](https://a.example/drift.pdf)", "downloaded here (https://a.example/drift.pdf)"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("[a.example/x](https://a.example/x)", "a.example/x"),
        ("[the guide](guide.md)", "the guide"),
        ("![The hub](hub.png)", "The hub"),
    ],
)
def test_a_link_says_where_it_leads_when_its_words_do_not(link: str, says: str) -> None:
    assert texts(f"It can be {link}.\n") == [f"It can be {says}."]


def test_a_table_that_needs_no_header_has_none() -> None:
    facts = ["Weight: 1.2 kg", "Colour: red"]
    assert texts("| | |\n|---|---|\n| Weight | 1.2 kg |\n| Colour | red |\n") == facts
    assert texts("| Weight | 1.2 kg |\n|---|---|\n| Colour | red |\n") == facts
    assert texts("| Option | Meaning |\n|---|---|\n| `a\\|b` | all<br>of it |\n") == [
        "Option: a|b; Meaning: all of it"
    ]


def test_headings_of_either_kind_name_the_page() -> None:
    assert read(b"Title\n=====\n\nText.\n", "x.md").title == "Title"
    assert read(b"<h1 align=center>Title</h1>\n\nText.\n", "x.md").title == "Title"
    assert texts("## A [link](https://a.example) in it\n\nText.\n") == ["A link in it", "Text."]


@pytest.mark.parametrize(
    "unit", ["<div>\n\n", "<b>", "<!--", "<a href='http://a.b'>x ", "| a |\n|---|\n", "<table>\n<tr><td>\n"]
)
def test_time_grows_with_the_page(unit: str) -> None:
    assert growth(unit, lambda text: read(text.encode(), "x.md"), Form("", unit, "\n\ntext")) is None
