"""EPUB: chapters in the order of the spine, and what is refused."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.load.limits import LEFT_OUT
from ingestion.text.clean import clean_blocks

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)


def chapter(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>c</title></head>'
        f"<body>{body}</body></html>"
    )


def package(spine: str, *, title: str = "The Hub", items: str = "") -> str:
    return (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title><dc:language>en-GB</dc:language><dc:date>2026-01-02</dc:date></metadata><manifest>"
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="one" href="text/one.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="two" href="text/two%20more.xhtml" media-type="application/xhtml+xml"/>'
        f'<item id="pic" href="cover.svg" media-type="image/svg+xml"/>{items}</manifest><spine>{spine}</spine></package>'
    )


SPINE = "".join(f'<itemref idref="{name}"/>' for name in ("pic", "nav", "two", "one", "two"))
FILES = {
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": package(SPINE),
    "OEBPS/nav.xhtml": chapter("<nav><ol><li><a href='one.xhtml'>Contents</a></li></ol></nav>"),
    "OEBPS/text/one.xhtml": chapter('<h1><a id="x"/>1. Start</h1><p>It is yellow&nbsp;first.</p>'),
    "OEBPS/text/two more.xhtml": chapter("<h1>Preface</h1><dl><dt>Hub</dt><dd>A box.</dd></dl>"),
}


def book(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def test_chapters_come_in_the_order_of_the_spine_each_once_and_without_contents() -> None:
    reading = read(book(FILES), "hub.epub")
    assert (reading.title, reading.language, reading.updated) == ("The Hub", "en", "2026-01-02")
    assert [(b.kind, b.text) for b in clean_blocks(reading.blocks)] == [
        ("heading", "Preface"),
        ("term", "Hub"),
        ("paragraph", "A box."),
        ("heading", "1. Start"),
        ("paragraph", "It is yellow first."),
    ]
    assert reading.metadata == {}


def test_a_chapter_that_is_missing_is_named() -> None:
    files = {name: text for name, text in FILES.items() if "two" not in name}
    reading = read(book(files), "hub.epub")
    assert "two more.xhtml" in str(reading.metadata[LEFT_OUT])
    assert "1. Start" in [block.text for block in reading.blocks]


@pytest.mark.parametrize("title", ["", "hub-manual"])
def test_a_title_that_says_nothing_gives_way_to_the_first_heading(title: str) -> None:
    files = {**FILES, "OEBPS/book.opf": package(SPINE, title=title)}
    assert read(book(files), "hub.epub").title == "Preface"


def test_lists_of_contents_within_a_chapter_go() -> None:
    toc = "<div class='toctree-wrapper'><ul><li><a href='two.xhtml'>2. Go on</a></li></ul></div>"
    files = {**FILES, "OEBPS/text/one.xhtml": chapter(f"<h1>1. Start</h1>{toc}")}
    assert "2. Go on" not in [block.text for block in read(book(files), "hub.epub").blocks]


def encryption(path: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><x:EncryptedData xmlns:x="http://www.w3.org/2001/04/'
        f'xmlenc#"><x:CipherData><x:CipherReference URI="{path}"/></x:CipherData></x:EncryptedData></encryption>'
    )


def test_a_protected_book_is_refused_and_protected_fonts_are_not() -> None:
    locked = {**FILES, "META-INF/encryption.xml": encryption("OEBPS/text/one.xhtml")}
    with pytest.raises(SourceError, match="protected by DRM"):
        read(book(locked), "hub.epub")
    fonts = {**FILES, "META-INF/encryption.xml": encryption("OEBPS/fonts/a.otf")}
    assert read(book(fonts), "hub.epub").title == "The Hub"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.txt": "x"}, "no EPUB book"),
        ({**FILES, "META-INF/container.xml": "<container/>"}, "names no package document"),
        ({**FILES, "META-INF/container.xml": "<"}, "damaged"),
        ({**FILES, "OEBPS/big.css": b"a" * 50_000_000}, "looks like a bomb"),
    ],
)
def test_what_is_no_book_is_refused_with_the_reason(files: Mapping[str, str | bytes], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read(book(files), "hub.epub")


def test_a_book_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.load.epub.MAX_FILE_BYTES", 300)
    with pytest.raises(SourceError, match="Split the book"):
        read(book(FILES), "hub.epub")
