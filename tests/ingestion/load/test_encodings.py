"""Bytes to text: what the sender says, what the bytes show, and what is likeliest."""

import pytest

from ingestion.errors import SourceError
from ingestion.load.encodings import decode, in_utf8
from tests.ingestion.load.blocks import plain


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Bonjour, ça va très bien. Le café est déjà prêt.", "latin-1"),
        ("Größe: M", "latin-1"),
        ("Übergröße", "cp1252"),
        ("El año que viene abrimos más temprano.", "latin-1"),
        ("Perché è già così?", "latin-1"),
        ("Não há mais condições.", "latin-1"),
        ("Smörgåsbord på kvällen", "latin-1"),
        ("It costs € 49 – we’ll send it…", "cp1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cp1250"),
        ("Zażółć gęślą jaźń", "cp1250"),
        ("Árvíztűrő tükörfúrógép", "cp1250"),
        ("Şişli'de öğle yemeği çok güzeldi", "cp1254"),
        ("Die Küche schließt früher. Öl gehört in die Tonne.", "cp850"),
        ("Schöne Grüße aus Köln, mit Äpfeln", "mac_roman"),
        ("Магазин открыт с девяти часов утра до шести часов вечера, кроме воскресенья.", "cp1251"),
        ("Магазин открыт с девяти часов утра до шести часов вечера, кроме воскресенья.", "koi8_r"),
        ("Το κατάστημα ανοίγει στις εννέα το πρωί κάθε εργάσιμη ημέρα της εβδομάδας.", "cp1253"),
        ("営業時間は午前九時から午後六時までです。日曜日は休みです。", "cp932"),
        ("영업 시간은 오전 아홉 시부터 오후 여섯 시까지입니다. 일요일은 쉽니다.", "cp949"),
    ],
)
def test_an_encoding_that_nobody_names_is_found_also_in_short_texts(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["The cellar is locked at ten.\nKeys are at the desk.", "Ключ у стола, а двери закрыты."]
)
def test_utf_16_shows_by_its_zeros(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_table_in_utf_16_without_its_mark_is_read() -> None:
    data = "Shop;City\r\nDom;Utrecht\r\nMeir;Antwerp\r\n".encode("utf-16-be")
    assert plain(data, "a.csv") == [("row", "Shop: Dom; City: Utrecht"), ("row", "Shop: Meir; City: Antwerp")]


@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02binary\x00", bytes(range(256)) * 4, b"\x01\x00\x02\x00\x03\x00" * 99]
)
def test_binary_data_is_no_text(data: bytes) -> None:
    with pytest.raises(SourceError, match="binary|no text|not text"):
        decode(data)


@pytest.mark.parametrize(("wrong", "shown"), [(b"\x92", "’"), (b"\x81", "�"), (b"\xe2\x82", "â‚")])
def test_a_few_wrong_bytes_leave_the_rest_in_utf_8(wrong: bytes, shown: str) -> None:
    text = "Die Küche schließt um 18 Uhr. Größe und Maße."
    assert decode(text.encode() + wrong + text.encode()) == text + shown + text


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("iso-8859-1", b"It costs \x80 49, we\x92ll send it\x85", "It costs € 49, we’ll send it…"),
        ("ks_c_5601-1987", "똠얌".encode("cp949"), "똠얌"),
        ("gb2312", "镕".encode("gbk"), "镕"),
        ("iso-8859-9", "İş".encode("cp1254"), "İş"),
        ("koi8-r", "Шум".encode("koi8_r"), "Шум"),
        ("us-ascii", "Größe".encode(), "Größe"),
        ("x-unheard-of", "Größe".encode(), "Größe"),
        ("hex", "Größe".encode(), "Größe"),
        ("utf-8", b"Gr\xf6\xdfe: M", "Größe: M"),
    ],
)
def test_the_word_of_the_sender_counts_where_it_says_something(charset: str, data: bytes, text: str) -> None:
    assert decode(data, charset) == text
    assert decode(in_utf8(data, charset)) == text


def test_a_mark_counts_for_more_than_the_word_of_the_sender() -> None:
    assert decode("Größe".encode("utf-8-sig"), "iso-8859-1") == "Größe"
    assert decode("Größe".encode("utf-16"), "iso-8859-1") == "Größe"
    assert decode("Größe".encode("utf-32"), None) == "Größe"
