"""Mails: every part that says something, in its charset; mailboxes cut between their messages alone."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from ingestion.corpus import Source
from ingestion.load import read
from ingestion.load.archive import members
from ingestion.load.limits import LEFT_OUT
from tests.ingestion.load.blocks import plain

PNG = b"\x89PNG\r\n\x1a\n"


def mail(text: str, subject: str = "Rules") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"] = subject, "desk@shop.example"
    message.set_content(text)
    return message


def said(message: EmailMessage) -> list[str]:
    return [text for _, text in plain(message.as_bytes(), "a.eml")]


def test_a_mail_that_was_forwarded_as_an_attachment_is_read() -> None:
    outer = mail("See attached.", "Fwd")
    outer.add_attachment(mail("Lots 40 to 44 of the Glow are recalled.", "Recall"))
    assert said(outer)[2:] == [
        "See attached.",
        "Recall",
        "From: desk@shop.example",
        "Lots 40 to 44 of the Glow are recalled.",
    ]


def test_the_text_behind_an_inline_picture_is_read() -> None:
    data = (
        b"From: desk@shop.example\nSubject: Loan\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b1\n\n"
        b"--b1\nContent-Type: text/plain; charset=us-ascii\n\nThe loan lasts thirty days.\n"
        b"--b1\nContent-Type: image/png; name=device.png\nContent-Disposition: inline; filename=device.png\n"
        b"Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n"
        b"--b1\nContent-Type: text/plain; charset=us-ascii\n\nAfter that it costs one euro a day.\n--b1--\n"
    )
    assert [text for _, text in plain(data, "a.eml")][2:] == [
        "The loan lasts thirty days.",
        "After that it costs one euro a day.",
    ]


def test_an_attachment_without_a_name_is_read_by_its_type() -> None:
    outer = mail("The rules of the cellar are attached.")
    outer.add_attachment("The cellar is locked at ten.", disposition="attachment")
    outer.add_attachment("name,price\nLamp,9\n", subtype="csv", disposition="attachment")
    assert said(outer)[3:] == [
        "Attachment",
        "The cellar is locked at ten.",
        "Attachment",
        "name: Lamp; price: 9",
    ]


def test_what_is_not_read_is_reported_and_no_text() -> None:
    message = mail("The desk is closed on 1 May.", "Hours in May")
    for number in (1, 2):
        message.add_attachment(PNG, maintype="image", subtype="png", filename=f"image00{number}.png")
    assert said(message) == ["Hours in May", "From: desk@shop.example", "The desk is closed on 1 May."]
    left_out = str(read(message.as_bytes(), "a.eml").metadata[LEFT_OUT])
    assert "'image001.png': No reader for '.png'" in left_out
    assert "image002.png" in left_out


def test_of_alternatives_one_is_read_and_pictures_within_are_no_text() -> None:
    message = mail("In words.")
    message.add_alternative("<p>In <b>HTML</b>.</p>", subtype="html")
    assert said(message)[2:] == ["In words."]
    only_html = EmailMessage()
    only_html["Subject"] = "H"
    only_html.set_content("<p>In <b>HTML</b>, <img src=cid:a></p>", subtype="html")
    only_html.add_related(PNG, maintype="image", subtype="png", cid="<a>")
    assert said(only_html)[1:] == ["In HTML,"]


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("iso-8859-1", b"It costs \x80 49, we\x92ll send it\x85", "It costs € 49, we’ll send it…"),
        ("ks_c_5601-1987", "똠얌".encode("cp949"), "똠얌"),
        ("x-unheard-of", "Größe: M".encode("latin-1"), "Größe: M"),
    ],
)
def test_a_mail_is_read_in_the_charset_that_its_sender_meant(charset: str, body: bytes, text: str) -> None:
    head = f"Subject: Price\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    assert plain(head.encode() + body + b"\n", "a.eml")[1:] == [("paragraph", text)]


def test_endless_forwards_end() -> None:
    message = mail("The innermost.")
    for _ in range(40):
        outer = mail("Around it.")
        outer.add_attachment(message)
        message = outer
    assert "too deeply" in str(read(message.as_bytes(), "a.eml").metadata[LEFT_OUT])


def messages(tmp_path: Path, data: bytes) -> list[str]:
    path = tmp_path / "a.mbox"
    path.write_bytes(data)
    found = members(Source("a.mbox", str(path), "x", len(data)))
    return [" ".join(b.text for b in read(one.data or b"", one.path).blocks) for one in found]


BEGINS = b"From a@b.example Mon Jan  5 10:00:00 2026\n"


def test_a_sentence_that_begins_with_from_divides_no_message(tmp_path: Path) -> None:
    body = b"Subject: Hours\nFrom: a@b.example\n\nHello,\nFrom Monday on the shop is closed.\nIt opens again in May.\n"
    more = b"Subject: More\n\nText.\n\nFrom here: see below\nNote: From 10:00 on, 2026.\n"
    found = messages(tmp_path, BEGINS + body + b"\n" + BEGINS + more)
    assert len(found) == 2
    assert "From Monday on the shop is closed. It opens again in May." in found[0]
    assert "From here: see below" in found[1]


def test_a_quoted_from_loses_its_mark(tmp_path: Path) -> None:
    (found,) = messages(
        tmp_path,
        BEGINS + b"Subject: Repairs\n\nSlow.\n\n>From April on five days.\n\n>>From quoted.\n> From x\n",
    )
    assert "From April on five days. >From quoted." in found.replace("> From x", "")
    assert ">From April" not in found


@pytest.mark.parametrize("line", [b"From - Mon Jan 05 10:00:00 2026\n", b"From a@b.example\n", b"From -\n"])
def test_separators_as_programs_write_them(tmp_path: Path, line: bytes) -> None:
    one = b"Subject: One\n\nText.\n"
    assert len(messages(tmp_path, line + one + b"\n" + line + one.replace(b"One", b"Two"))) == 2


def test_a_mailbox_with_carriage_returns_is_divided_too(tmp_path: Path) -> None:
    one = BEGINS + b"Subject: One\n\nText.\n\n"
    assert len(messages(tmp_path, (one + one.replace(b"One", b"Two")).replace(b"\n", b"\r\n"))) == 2
