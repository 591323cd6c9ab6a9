"""What an upload says of its files: formats, charsets, metadata; and each file refused by itself."""

import gzip

import httpx
import pytest

from ingestion.corpus import NO_FACTS
from service.errors import InvalidRequestError
from service.routes.uploads import facts_of, file_of, suffix_of
from tests.service.routes.test_documents import HELP, client, data_dir, put, scope_file, url

__all__ = ["client", "data_dir", "scope_file", "url"]


@pytest.mark.parametrize(
    ("name", "kind", "suffix"),
    [
        ("a.md", "application/octet-stream", ".md"),
        ("a.md", "text/html", ".md"),
        ("a", "text/html; charset=utf-8", ".html"),
        ("release-2.5", "text/markdown", ".md"),
        ("news", "text/html", ".html"),
        ("glow.1", "text/plain", ".1"),
        ("glow.1ssl", "application/octet-stream", ".1"),
        ("glow.1.gz", "application/gzip", ".1.gz"),
        ("policy.txt.gz", "text/plain", ".txt.gz"),
        ("NEWS.gz", "application/gzip", ".txt.gz"),
        ("LICENSE", "application/octet-stream", ".txt"),
        ("notes.rtfx", "text/plain", ".txt"),
    ],
)
def test_a_format_is_told_by_the_name_or_else_by_the_type(name: str, kind: str, suffix: str) -> None:
    assert suffix_of(name, kind) == suffix


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"Gr\xf6\xdfe: 7 \x80", "Größe: 7 €"),
        ('text/html; Charset="windows-1251"', "Шум".encode("cp1251"), "Шум"),
        ("text/csv; charset=koi8-r", "Шум".encode("koi8_r"), "Шум"),
        ("text/plain; charset=UTF-8", "Größe".encode(), "Größe"),
    ],
)
def test_the_charset_of_a_type_counts(kind: str, data: bytes, text: str) -> None:
    assert file_of("a", "a", data, kind, NO_FACTS).data.decode() == text


def test_the_charset_of_what_is_no_text_says_nothing() -> None:
    data = b"%PDF-1.7 \xe9"
    assert file_of("a", "a", data, "application/pdf; charset=iso-8859-1", NO_FACTS).data == data


def test_a_charset_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError, match="'x-unheard-of' is not known"):
        file_of("a", "a", b"text", "text/plain; charset=x-unheard-of", NO_FACTS)


def test_metadata_of_a_form_may_have_several_texts() -> None:
    assert facts_of('{"tags": ["new", "hub"], "year": 2026}').metadata == {
        "tags": ["new", "hub"],
        "year": 2026,
    }
    for wrong in ('{"tags": ["new", 3]}', '{"tags": {"a": 1}}', '{"9": "x"}', '{"tags": null}'):
        with pytest.raises(InvalidRequestError, match="field"):
            facts_of(wrong)


def test_a_text_is_read_in_the_charset_of_its_type(client: httpx.Client) -> None:
    for name, kind, body in (
        ("size", "text/plain; charset=iso-8859-1", b"Die Gr\xf6\xdfe der Axolotl ist verschieden."),
        (
            "sizes",
            "text/html; charset=iso-8859-1",
            b"<h1>Gr\xf6\xdfe</h1><p>Die Gr\xf6\xdfe der Axolotl.</p>",
        ),
    ):
        kinds = {"content-type": kind}
        reply = client.put(f"/v1/documents/{name}", params=HELP, content=body, headers=kinds)
        assert reply.status_code == 201, reply.text
        assert "Die Größe der" in client.get(f"/v1/documents/{name}", params=HELP).json()["text"]


def test_a_file_that_nothing_reads_refuses_itself_alone(client: httpx.Client) -> None:
    files = [
        ("file", ("okapis.md", b"# Okapis\n\nOkapis are shy.", "text/markdown")),
        ("file", ("okapis.exe", b"MZ", "application/x-msdownload")),
        ("file", ("okapis.txt", b"text", "text/plain; charset=x-unheard-of")),
        ("file", ("LICENSE", b"Free for all okapis.", "application/octet-stream")),
        (
            "file",
            (
                "okapis.1.gz",
                gzip.compress(b".TH OKAPI 1\n.SH NAME\nokapi \\- an animal\n"),
                "application/gzip",
            ),
        ),
    ]
    reply = client.post("/v1/documents", params=HELP, files=files)
    assert reply.status_code == 201, reply.text
    body = reply.json()
    assert [one["document_id"] for one in body["documents"]] == ["okapis.md", "LICENSE", "okapis.1.gz"]
    assert set(body["failures"]) == {"okapis.exe", "okapis.txt"}
    assert "application/x-msdownload" in body["failures"]["okapis.exe"]
    assert client.get("/v1/documents/okapis.1.gz", params=HELP).json()["title"] == "okapi(1): an animal"


def test_an_upload_of_which_nothing_can_be_read_is_refused(client: httpx.Client) -> None:
    files = [("file", ("a.exe", b"MZ", "application/x-msdownload"))]
    reply = client.post("/v1/documents", params=HELP, files=files)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "content-type")


def test_several_texts_in_a_field_are_stored_shown_and_found(client: httpx.Client) -> None:
    tags = ["new", "from anna@mailbox.example"]
    assert put(client, "tags", "# Tags\n\nThe page on numbats.", metadata={"tags": tags}).status_code == 201
    shown = client.get("/v1/documents/tags", params=HELP).json()["metadata"]
    assert shown == {"tags": ["new", "from <EMAIL_ADDRESS>"]}
    for wanted, ids in (("new", ["tags"]), ("ne", []), ("old", [])):
        query = {"query": "numbats", "collection": "help", "filter": {"tags": {"contains": wanted}}}
        results = client.post("/v1/search", json=query).json()["results"]
        assert [one["document_id"] for one in results][:1] == ids
    # An update that doesn't name them keeps them.
    assert put(client, "tags", "# Tags\n\nThe page on numbats and quolls.").status_code == 200
    assert client.get("/v1/documents/tags", params=HELP).json()["metadata"] == shown


@pytest.mark.parametrize("value", [{"a": 1}, ["new", 3], None])
def test_metadata_of_another_kind_is_refused_by_its_name(client: httpx.Client, value: object) -> None:
    reply = put(client, "tagged", "# Tags\n\nText.", metadata={"tags": value})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"].startswith("metadata.tags")
