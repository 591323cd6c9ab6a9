"""Where documents come from: patterns, sites, buckets, databases, loaders; and what is refused."""

import http.server
import io
import json
import os
import sqlite3
import tempfile
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import fsspec
import pytest
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingestion.config import SourceConfig
from ingestion.corpus import Source
from ingestion.errors import SourceError
from ingestion.load.discover import discover
from ingestion.load.fetch import fetch
from ingestion.load.web import check_address
from tests.ingestion.runs.test_admission import CLEARANCE, Place, place

__all__ = ["place"]


def found(base: Path, **config: object) -> dict[str, object]:
    result: dict[str, object] = {}
    for item in discover(SourceConfig.model_validate(config), base):
        source, reason = item if isinstance(item, tuple) else (item, None)
        result[source.id] = reason or source
    return result


def test_a_pattern_names_files_below_its_fixed_part(tmp_path: Path) -> None:
    for name in ("a/x.md", "a/b/y.md", "a/z.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert sorted(found(tmp_path, path="a/**/*.md")) == ["b/y.md", "x.md"]
    with pytest.raises(SourceError, match="No file matches 'b/\\*'"):
        found(tmp_path, path="b/*")


def test_a_folder_that_cannot_be_listed_is_named_and_the_rest_is_found() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, closed = Path(name), Path(name) / "closed"
        closed.mkdir(mode=0)
        (folder / "a.md").write_text("x")
        folder.chmod(0o755)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # everything is open to root
        try:
            sources = found(folder, path=".")
        finally:
            os.seteuid(user)
        assert isinstance(sources["a.md"], Source)
        assert "cannot be listed" in str(sources["closed"])


class Site(http.server.BaseHTTPRequestHandler):
    """A small site with a sitemap, robots.txt, ETags, a redirect away and a page that fails."""

    pages: dict[str, str] = {}
    asked: list[tuple[str, str | None]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("If-None-Match")))
        host = f"http://{self.headers['Host']}"
        if self.path == "/robots.txt":
            self._reply("User-agent: *\nDisallow: /private", "text/plain")
        elif self.path == "/sitemap.xml":
            urls = [f"{host}{path}" for path in (*self.pages, "/private/x", "/broken", "/away")]
            urls.append("http://elsewhere.example/x")
            self._reply(
                "<urlset>" + "".join(f"<url><loc>{u}</loc></url>" for u in urls) + "</urlset>", "text/xml"
            )
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.example/")
            self.end_headers()
        elif self.path in self.pages:
            tag = f'"{hash(self.pages[self.path])}"'
            if self.headers.get("If-None-Match") == tag:
                self.send_response(304)
                self.end_headers()
            else:
                self._reply(self.pages[self.path], "text/html; charset=utf-8", tag)
        else:
            self.send_error(500 if self.path == "/broken" else 404)

    def _reply(self, body: str, kind: str, tag: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


@contextmanager
def site(pages: dict[str, str]) -> Iterator[str]:
    Site.pages, Site.asked = dict(pages), []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def page(title: str, text: str, links: str = "") -> str:
    return f"<html><body><main><h1>{title}</h1><p>{text}</p>{links}</main></body></html>"


PAGES = {
    "/": page(
        "Home", "Welcome to the site.", '<a href="/deep/two">two</a> <a href="http://elsewhere.example">x</a>'
    ),
    "/deep/two": page("Two", "The second page tells of walnuts.", '<a href="/">home</a>'),
}
ALLOWED = {"arguments": {"allow_private": True}, "pages_per_s": 100}


def test_a_sitemap_is_followed_politely_and_unchanged_pages_are_not_fetched_again(place: Place) -> None:
    with site(PAGES) as url:
        place.configure(sources=[{"path": f"sitemap+{url}/sitemap.xml", "name": "site", **ALLOWED}])
        report = place.run()
        host = url.removeprefix("http://")
        assert place.ids == [f"{host}/", f"{host}/deep/two"]
        assert "robots.txt" in report.failures[f"{host}/private/x"]
        assert "500" in report.failures[f"{host}/broken"]
        assert "another host" in report.failures[f"{host}/away"]
        document = place.release.documents.document(f"{host}/deep/two")
        assert document
        assert document.source == f"{url}/deep/two"
        Site.asked.clear()
        assert place.run().changed is False
        assert all(tag for path, tag in Site.asked if path in PAGES), "asked with the ETag"
        Site.pages["/deep/two"] = page("Two", "The second page tells of hazelnuts.")
        assert place.run().embedded_chunks == 1
        del Site.pages["/deep/two"]
        place.run()
        assert place.ids == [f"{host}/"], "what the site has no more, goes"


def test_a_crawl_stays_below_where_it_began(tmp_path: Path) -> None:
    with site(PAGES) as url:
        arguments = {"allow_private": True, "crawl": True}
        names = sorted(found(tmp_path, path=f"{url}/", arguments=arguments, pages_per_s=100))
    host = url.removeprefix("http://")
    assert names == [f"{host}/", f"{host}/deep/two"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0", "100.64.0.1"],
)
def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(SourceError, match="private address"):
        check_address("intranet", address, allow_private=False)
    check_address("example.com", "93.184.215.14", allow_private=False)


def test_a_site_at_a_private_address_is_refused_by_name_and_by_number(tmp_path: Path) -> None:
    with site(PAGES) as url:
        for wrong in (url, url.replace("localhost", "127.0.0.1")):
            with pytest.raises(SourceError, match="private address"):
                found(tmp_path, path=wrong, pages_per_s=100)
        assert Site.asked == []


def test_a_bucket_that_fsspec_opens(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/a.md", b"# A\n\nFrom a bucket.")
    memory.pipe_file("/bucket/sub/b.md", b"# B\n\nFrom a bucket too.")
    sources = found(tmp_path, path="memory://bucket")
    assert sorted(sources) == ["a.md", "sub/b.md"]
    source = sources["a.md"]
    assert isinstance(source, Source)
    assert fetch(source) == b"# A\n\nFrom a bucket."
    with pytest.raises(SourceError, match="nothing at"):
        found(tmp_path, path="memory://empty")
    with pytest.raises(SourceError, match="cannot be listed"):
        found(tmp_path, path="nonsense://x")


def test_rows_of_a_query_are_documents(place: Place) -> None:
    with sqlite3.connect(place.root / "kb.db") as db:
        db.execute("create table kb (id integer, text text, title text, updated text, team text)")
        db.execute(
            "insert into kb values (1, 'Walnuts are sold by weight.', 'Walnuts', '2026-01-02', 'shop')"
        )
        db.execute(
            "insert into kb values (2, 'Hazelnuts are sold by the bag.', 'Hazelnuts', '2026-01-03', 'shop')"
        )
    source = {"path": f"sql+sqlite:///{place.root / 'kb.db'}", "name": "kb", "query": "select * from kb"}
    place.configure(sources=[source])
    place.run()
    assert place.ids == ["kb/1", "kb/2"]
    document = place.release.documents.document("kb/1")
    assert document
    assert (document.title, document.updated, document.metadata["team"]) == ("Walnuts", "2026-01-02", "shop")
    with sqlite3.connect(place.root / "kb.db") as db:
        db.execute("delete from kb where id = 2")
        db.execute("update kb set text = 'Walnuts are sold out.' where id = 1")
    assert place.run().embedded_chunks == 1
    assert place.ids == ["kb/1"]
    for wrong, words in (("select id from kb", "must give"), ("select * from nowhere", "no such table")):
        with pytest.raises(SourceError, match=words):
            found(place.root, **{**source, "query": wrong})


class TwoPages(BaseLoader):
    def __init__(self, words: str = "fine") -> None:
        self.words = words

    def lazy_load(self) -> Iterator[Document]:
        yield Document(page_content=f"The first page is {self.words}.", metadata={"source": "one", "rank": 1})
        yield Document(page_content="The second page is about something else.", metadata={"source": "two"})


def test_any_langchain_loader_by_its_dotted_path(place: Place) -> None:
    source = {
        "path": "loader:tests.ingestion.load.test_discover.TwoPages",
        "name": "lc",
        "arguments": {"words": "good"},
    }
    place.configure(sources=[source])
    place.run()
    assert place.ids == ["lc/one", "lc/two"]
    document = place.release.documents.document("lc/one")
    assert document
    assert (document.text, document.metadata["rank"]) == ("The first page is good.", 1)
    with pytest.raises(SourceError, match="cannot be made"):
        found(place.root, path="loader:nowhere.Nothing")
    with pytest.raises(SourceError, match="no `lazy_load`"):
        found(place.root, path="loader:pathlib.Path")


class Opening(BaseLoader):
    """Documents whose author writes what he likes into their metadata."""

    def __init__(self, groups: str) -> None:
        self.groups = groups

    def lazy_load(self) -> Iterator[Document]:
        metadata = {
            "source": "one",
            "groups": self.groups,
            "title": "A title",
            "url": "https://x.example/one",
        }
        yield Document(page_content="Only staff may read this.", metadata=metadata)


@pytest.mark.parametrize("groups", ["", "everybody", "staff,everybody"])
def test_what_a_document_says_of_itself_does_not_open_it(place: Place, groups: str) -> None:
    path = "loader:tests.ingestion.load.test_discover.Opening"
    source = {"path": path, "name": "lc", "arguments": {"groups": groups}, "groups": ["staff"]}
    place.configure(sources=[source])
    place.run()
    document = place.release.documents.document("lc/one")
    assert document
    assert (document.groups, document.metadata["groups"]) == (("staff",), groups)
    assert (document.title, document.source) == ("A title", "https://x.example/one")
    place.configure(sources=[{**source, "arguments": {"groups": groups + "x"}}])
    assert place.run().changed, "what a source says of a document is part of it"


@pytest.mark.parametrize(
    ("column", "groups"), [("'legal, sales'", ("legal", "sales")), ("''", ()), ("null", ("staff",))]
)
def test_a_column_of_a_query_names_groups(place: Place, column: str, groups: tuple[str, ...]) -> None:
    query = f"select 1 as id, 'Walnuts are sold by weight.' as text, {column} as groups"
    source = {"path": "sql+sqlite://", "name": "kb", "query": query, "groups": ["staff"]}
    place.configure(sources=[source])
    place.run()
    document = place.release.documents.document("kb/1")
    assert document
    assert document.groups == groups
    assert "groups" not in document.metadata


def test_an_archive_and_a_mailbox_are_many_documents(place: Place) -> None:
    from tests.ingestion.load.test_hostile import zipped

    inner = zipped({"deep.md": b"# Deep\n\nAn archive within an archive."})
    (place.docs / "pack.zip").write_bytes(zipped({"a.md": b"# A\n\nIn an archive.", "inner.zip": inner}))
    messages = []
    for number in range(2):
        message = EmailMessage()
        message["Subject"], message["From"] = f"Question {number}", "anna@mailbox.example"
        message["Message-ID"], message["Date"] = f"<{number}@x>", "Mon, 02 Mar 2026 10:00:00 +0000"
        message.set_content(f"Where is parcel number {number}?")
        message.add_attachment(
            b"# Note\n\nAttached words.", maintype="text", subtype="markdown", filename="note.md"
        )
        messages.append(b"From x Mon Mar  2 10:00:00 2026\n" + message.as_bytes())
    (place.docs / "mail.mbox").write_bytes(b"\n".join(messages))
    place.run()
    assert [name for name in place.ids if name.startswith("pack")] == [
        "pack.zip!/a.md",
        "pack.zip!/inner.zip!/deep.md",
    ]
    mails = [place.release.documents.document(name) for name in place.ids if name.startswith("mail.mbox!/")]
    assert {mail.title for mail in mails if mail} == {"Question 0", "Question 1"}
    assert all(mail and mail.updated == "2026-03-02" and "Attached words" in mail.text for mail in mails)
    assert "anna@" not in json.dumps([mail.text for mail in mails if mail])


def test_two_sources_with_a_document_of_one_name_are_told_apart(place: Place) -> None:
    place.write("a.md", "# A\n\nThe first.")
    (place.root / "more").mkdir()
    (place.root / "more" / "a.md").write_text("# A\n\nThe second, by another team.")
    place.configure(sources=["docs", {"path": "more", "clearance": CLEARANCE}])
    assert not place.run().failures
    assert place.ids == ["a.md", "more/a.md"]


def test_a_member_that_comes_twice_in_an_archive_is_told(place: Place) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.md", "# A\n\nThe first.")
        archive.writestr("a.md", "# A\n\nThe second of the same name.")
    (place.docs / "pack.zip").write_bytes(data.getvalue())
    report = place.run()
    assert "document of the same name" in " ".join(report.failures.values())
    assert place.ids == ["pack.zip!/a.md"]
