"""Outlook messages: the same as a message that came as text."""

import struct
from datetime import UTC, datetime

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.load.msg.compressed import decompressed
from tests.ingestion.load.packages import compound, outlook

SENT = (0x0039, 0x0040)
CODE_PAGE = (0x3FFD, 0x0003)


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def ticks(when: datetime) -> bytes:
    return struct.pack("<Q", int((when - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10_000_000))


def within(folder: str, streams: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in streams.items()}


def attachment(number: int, **properties: bytes) -> dict[str, bytes]:
    names = {"name": "3707001F", "data": "37010102"}
    streams = outlook({names[key]: value for key, value in properties.items()})
    return within(f"__attach_version1.0_#{number:08X}", streams)


HEAD = {
    "0037001F": utf16("Keys"),
    "0C1A001F": utf16("Jo Smit"),
    "5D01001F": utf16("jo@example.com"),
    "0E04001F": utf16("Desk"),
}


def test_a_message_says_who_wrote_what_when_and_what_was_attached() -> None:
    streams = {
        **outlook(
            HEAD | {"1000001F": utf16("A key costs 4 euros.")},
            {SENT: ticks(datetime(2026, 3, 1, 9, tzinfo=UTC))},
        ),
        **attachment(0, name=utf16("fees.csv"), data=b"Key,Fee\nCellar,4\n"),
        **attachment(1, name=utf16("photo.png"), data=b"\x89PNG"),
    }
    reading = read(compound(streams), "m.msg")
    assert (reading.title, reading.updated) == ("Keys", "2026-03-01")
    found = [(b.kind, b.text) for b in reading.blocks]
    assert found[:5] == [
        ("heading", "Keys"),
        ("row", "From: Jo Smit <jo@example.com>; To: Desk; Date: 2026-03-01"),
        ("paragraph", "A key costs 4 euros."),
        ("heading", "Attachment: fees.csv"),
        ("row", "Key: Cellar; Fee: 4"),
    ]
    assert found[5] == ("heading", "Attachment: photo.png")
    assert "not read" in found[6][1]


def test_a_page_is_read_where_there_is_no_plain_text() -> None:
    page = b'<html><body><p>A key costs 4 euros.</p><p style="display:none">secret</p></body></html>'
    reading = read(compound(outlook(HEAD | {"10130102": page})), "m.msg")
    assert [b.text.strip() for b in reading.blocks if b.kind == "paragraph" and b.text.strip()] == [
        "A key costs 4 euros."
    ]
    assert reading.hidden == ("secret",)


def test_texts_of_a_code_page_are_decoded() -> None:
    streams = outlook({"0037001E": "Ключ".encode("cp1251")}, {CODE_PAGE: struct.pack("<II", 1251, 0)})
    assert read(compound(streams), "m.msg").title == "Ключ"


def test_a_message_within_a_message_is_read_and_not_without_end() -> None:
    def nested(depth: int) -> dict[str, bytes]:
        own = outlook({"0037001F": utf16(f"Level {depth}"), "1000001F": utf16(f"Text {depth}")})
        if depth == 6:
            return own
        return own | within("__attach_version1.0_#00000000/__substg1.0_3701000D", nested(depth + 1))

    found = [b.text for b in read(compound(nested(0)), "m.msg").blocks]
    assert "Text 3" in found
    assert "Text 4" not in found
    assert "3 deep" in found[-1]


def test_compressed_rich_text_is_unpacked() -> None:
    # The example of the specification (MS-OXRTFCP, 3.1.1).
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert decompressed(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    reading = read(compound(outlook(HEAD | {"10090102": packed})), "m.msg")
    assert "hello world" in [b.text for b in reading.blocks]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"Some words.", "no Outlook message"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5_000, "damaged or no Outlook message"),
        (compound({"WordDocument": b"old"}), "an old Office file"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(data, "m.msg")
