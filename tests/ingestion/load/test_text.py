"""Plain text as people set it."""

import gzip

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from tests.ingestion.load.blocks import blocks_of, plain


def test_lines_that_were_wrapped_are_joined_and_divided_words_mended() -> None:
    text = (
        "The hub looks for lamps, and when it finds none it waits for a min-\n"
        "ute. A well-\n"
        "known remedy is to wait longer, which is known to be well worth a\n"
        "minute.\n\n"
        "Opening hours\nMonday 9 to 17\nTuesday 9 to 18\n"
    )
    assert plain(text, "a.txt") == [
        (
            "paragraph",
            "The hub looks for lamps, and when it finds none it waits for a minute. A well-known remedy is to wait longer,"
            " which is known to be well worth a minute.",
        ),
        ("item", "Opening hours"),
        ("item", "Monday 9 to 17"),
        ("item", "Tuesday 9 to 18"),
    ]


def test_headings_are_underlined_numbered_or_in_capitals() -> None:
    text = (
        "The Manual\n==========\n\nFirst.\n\nLamps\n-----\n\nSecond.\n\n4.1. Scope\n\nThird.\n\n"
        "9.1.1 File System Structure\n\nFourth.\n\nWARRANTY TERMS\n\nFifth.\n\n3 lamps are enough.\n\n1. Open the box.\n2. Read.\n"
    )
    blocks = read(text.encode(), "a.txt").blocks
    assert [(b.text, b.level) for b in blocks if b.kind == "heading"] == [
        ("The Manual", 1),
        ("Lamps", 2),
        ("4.1. Scope", 3),
        ("9.1.1 File System Structure", 4),
        ("Warranty terms", 2),
    ]
    assert [b.text for b in blocks if b.kind == "item"] == ["Open the box.", "Read."]


def test_items_keep_their_further_lines_and_paragraphs() -> None:
    text = "Do this:\n\n* Open the box,\n  and look.\n\n  It is dark.\n\n  - amber\n  - white\n\n2) Close it\n   again.\n"
    assert plain(text, "a.txt") == [
        ("paragraph", "Do this:"),
        ("item", "Open the box, and look."),
        ("paragraph", "It is dark."),
        ("item", "amber"),
        ("item", "white"),
        ("item", "Close it again."),
    ]


def test_what_is_set_in_below_a_short_line_explains_it() -> None:
    text = (
        "work_mem (integer)\n    Memory for sorting. The default is four megabytes, which is\n    little.\n\n"
        '"required"\n   Packages which are needed.\n\n-q\n--quiet\n    Say nothing.\n\n'
        "A sentence that ends as sentences end.\n    And a remark that is set in below it, for no reason that anybody knows.\n"
    )
    assert blocks_of(text, "a.txt") == [
        ("term", "work_mem (integer)", 0),
        ("paragraph", "Memory for sorting. The default is four megabytes, which is little.", 1),
        ("term", '"required"', 0),
        ("paragraph", "Packages which are needed.", 1),
        ("term", "-q, --quiet", 0),
        ("paragraph", "Say nothing.", 1),
        ("paragraph", "A sentence that ends as sentences end.", 0),
        ("paragraph", "And a remark that is set in below it, for no reason that anybody knows.", 0),
    ]


@pytest.mark.parametrize(
    "code",
    [
        "$ glow -N lamp-1",
        "make install",
        "if (lamp) {\n    glow();\n}",
        "for lamp in lamps:\n    lamp.glow(colour=amber)",
        "# glow --all",
    ],
)
def test_what_is_set_in_and_no_sentence_is_code(code: str) -> None:
    indented = "\n".join(f"    {line}" for line in code.split("\n"))
    text = f"To see all lamps that there are in the house, type:\n\n{indented}\n\nIt lists them.\n"
    assert plain(text, "a.txt")[1] == ("code", code)


def test_drawn_tables_are_rows_with_their_header() -> None:
    table = "+------+-------+\n| Name | Watts |\n+======+=======+\n| a    | eight |\n|      | watts |\n+------+-------+\n| b    | 9     |\n+------+-------+\n"
    rows = [("row", "Name: a; Watts: eight watts"), ("row", "Name: b; Watts: 9")]
    assert plain(f"Lamps:\n\n{table}", "a.txt")[1:] == rows
    drawn = table.translate(str.maketrans("+-=|", "┼─═│")).replace("┼", "┌", 1)
    assert plain(f"Lamps:\n\n{drawn}", "a.txt")[1:] == rows
    simple = "====  =====\nName  Watts\n====  =====\na     eight\n      watts\nb     9\n====  =====\n"
    assert plain(f"Lamps:\n\n{simple}", "a.txt")[1:] == rows


def test_a_table_of_contents_is_left_out() -> None:
    names = ["Scope", "Lamps", "Hubs", "Colours", "Care"]
    contents = "\n".join(f"* {number}. {name}\n" for number, name in enumerate(names, 1))
    body = "\n".join(
        f"{number}. {name}\n{'=' * 12}\n\nOf {name.lower()} there is much to say.\n"
        for number, name in enumerate(names, 1)
    )
    found = plain(f"{contents}\n{body}", "a.txt")
    assert not [text for kind, text in found if kind == "item"]
    assert len(found) == 10


def test_a_changelog_has_a_heading_for_each_version() -> None:
    text = (
        "glow (2.1-1) unstable; urgency=medium\n\n  [ Jo ]\n  * Drive lamps that are far\n    away.\n  * Say less.\n\n"
        " -- Jo <jo@example.org>  Mon, 01 Jun 2026 10:00:00 +0200\n\nglow (2.0-1) unstable; urgency=low\n\n  * First.\n"
    )
    assert plain(text, "changelog.txt") == [
        ("heading", "glow (2.1-1) unstable"),
        ("item", "[ Jo ]"),
        ("item", "Drive lamps that are far away."),
        ("item", "Say less."),
        ("paragraph", "Jo <jo@example.org> Mon, 01 Jun 2026 10:00:00 +0200"),
        ("heading", "glow (2.0-1) unstable"),
        ("item", "First."),
    ]


def test_a_title_is_no_version_of_many() -> None:
    news = (
        "Changes in 5.4\n==============\n\n* New lamps.\n\nChanges in 5.3\n==============\n\n* Old lamps.\n"
    )
    assert read(news.encode(), "glow-news.txt").title == "glow news"


def test_lines_of_a_log_are_rows_with_what_follows_them() -> None:
    log = (
        "2026-06-01 10:00:00 INFO started\n2026-06-01 10:00:01 ERROR no lamp\nTraceback (most recent call last):\n"
        '  File "glow.py", line 3\nLampError: none\n2026-06-01 10:00:02 INFO stopped\n'
    )
    assert plain(log, "glow.log") == [
        ("row", "2026-06-01 10:00:00 INFO started"),
        (
            "row",
            '2026-06-01 10:00:01 ERROR no lamp\nTraceback (most recent call last):\nFile "glow.py", line 3\nLampError: none',
        ),
        ("row", "2026-06-01 10:00:02 INFO stopped"),
    ]
    assert plain("one\ntwo\n", "glow.log") == [("row", "one"), ("row", "two")]


@pytest.mark.parametrize(
    "name", ["policy.txt.gz", "gnuplot-NEWS.gz", "changelog.Debian.gz", "README.gz", "a.md.gz"]
)
def test_a_packed_file_is_read_as_the_file_inside(name: str) -> None:
    assert plain(gzip.compress(b"The hub is silent.\n"), name) == [("paragraph", "The hub is silent.")]


@pytest.mark.parametrize("name", ["README", "LICENSE", "gnuplot-NEWS", "changelog.Debian"])
def test_texts_that_go_without_a_suffix_are_read(name: str) -> None:
    assert plain("The hub is silent.\n", name) == [("paragraph", "The hub is silent.")]


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (gzip.compress(b"x\0\0" * 99), "a.txt.gz", "binary"),
        (gzip.compress(b"some text")[:-9], "a.txt.gz", "damaged"),
        (b"no gzip", "a.txt.gz", "no file that gzip packed"),
        (gzip.compress(b"some text"), "a.txt", "packed by gzip"),
        (gzip.compress(gzip.compress(b"some text")), "a.txt.gz.gz", "packed twice"),
        (gzip.compress(b"some text"), "a.exe.gz", "No reader for '.exe'"),
        (gzip.compress(b""), "a.txt.gz", "empty"),
    ],
    # By name: a packed file begins with the time, and processes that run the tests must agree on their names.
    ids=["of zeros", "cut off", "not packed", "unexpected", "twice", "of no reader", "empty"],
)
def test_a_packed_file_that_cannot_be_read_is_refused(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read(data, name)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(SourceError, match="when unpacked"):
        read(gzip.compress(bytes(201 * 1024 * 1024), 1), "a.txt.gz")


def test_a_table_with_a_ruler_below_its_header_is_rows() -> None:
    text = "Fields:\n\n    field    allowed values\n    -----    --------------\n    minute   0-59\n    hour     0-23\n"
    assert plain(text, "a.txt")[1:] == [
        ("row", "field: minute; allowed values: 0-59"),
        ("row", "field: hour; allowed values: 0-23"),
    ]


def test_lines_among_comments_of_a_program_are_code() -> None:
    code = "# five minutes after midnight\n5 0 * * * $HOME/bin/daily\n# at 2:15 on the first\n15 14 1 * * $HOME/bin/monthly"
    assert plain(f"An example:\n\n{code}\n", "a.txt")[1] == ("code", code)
