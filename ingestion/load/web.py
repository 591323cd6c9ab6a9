"""Pages of a site: one URL, the pages below it, or those of a sitemap. Polite, bounded, and never inside the house.

Follows robots.txt (RFC 9309), stays on the host, keeps to a rate, asks with ETag and date whether a page changed,
and refuses private addresses at the moment of connecting, so that neither a redirect nor a name that resolves
differently the second time leads there.
"""

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from lxml import etree
from lxml import html as lxml_html

from ingestion.config import SourceConfig
from ingestion.corpus import Source, SourceFacts
from ingestion.errors import SourceError
from ingestion.load.limits import MAX_FILE_BYTES

AGENT = "touchstone-ingestion"
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
_MAX_REDIRECTS = 5
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/json": ".json",
}
Found = Source | tuple[Source, str]


class PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that lead to addresses which are not public."""

    def __init__(self, *, allow_private: bool = False) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host. Raises `SourceError` when one is private."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            check_address(host, result["host"], self._allow_private)
        return found

    async def close(self) -> None:
        """Let go of the resolver."""
        await self._inner.close()


def check_address(host: str, address: str, allow_private: bool) -> None:
    """Raise `SourceError` for an address that is not on the public internet."""
    if not ipaddress.ip_address(address.split("%")[0]).is_global and not allow_private:
        raise SourceError(
            f"{host!r} is the private address {address}, which is not fetched. Ingest its files from a folder."
        )


def discover_site(config: SourceConfig, validators: Mapping[str, tuple[str, str]]) -> Iterator[Found]:
    """A page, with `crawl: true` in `arguments` those below it, or with `sitemap+https://…` those it lists.

    `allow_private: true` in `arguments` admits private addresses: for an intranet, and for tests.
    """
    return iter(asyncio.run(_collect(config, validators)))


async def _collect(config: SourceConfig, validators: Mapping[str, tuple[str, str]]) -> list[Found]:
    async with _Site(config, validators) as site:
        return [found async for found in site.pages()]


class _Site:
    """One visit to a site."""

    def __init__(self, config: SourceConfig, validators: Mapping[str, tuple[str, str]]) -> None:
        self._config = config
        self._is_sitemap = config.path.startswith("sitemap+")
        self._start = config.path.removeprefix("sitemap+")
        self._host = urlsplit(self._start).netloc
        self._allow_private = bool(config.arguments.get("allow_private"))
        self._crawls = bool(config.arguments.get("crawl"))
        self._validators = validators
        self._robots = RobotFileParser()
        self._next_at = 0.0

    async def __aenter__(self) -> "_Site":
        connector = aiohttp.TCPConnector(resolver=PublicOnly(allow_private=self._allow_private))
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, headers={"User-Agent": AGENT}
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def pages(self) -> AsyncIterator[Found]:
        """Every page that may be had, each once."""
        await self._read_robots()
        queue = await self._listed(self._start) if self._is_sitemap else [self._start]
        met = set(queue)
        number = 0
        while queue and number < self._config.max_pages:
            url = queue.pop(0)
            number += 1
            found, data = await self._page(url)
            if found is not None:
                yield found
            if self._crawls and data:
                fresh = [link for link in _links(data, url) if link not in met and self._is_below(link)]
                met.update(fresh)
                queue += fresh

    def _is_below(self, url: str) -> bool:
        return url.startswith(self._start.rsplit("/", 1)[0] + "/")

    async def _read_robots(self) -> None:
        parts = urlsplit(self._start)
        status, _, data = await self._get(f"{parts.scheme}://{parts.netloc}/robots.txt")
        # RFC 9309: what can't be found allows all, a server that fails allows nothing.
        if status >= 500:
            raise SourceError(
                f"robots.txt of {self._host!r} answers {status}, so nothing is fetched. Try later."
            )
        self._robots.parse(data.decode("utf-8", "replace").splitlines() if status == 200 else [])

    async def _listed(self, url: str, depth: int = 0) -> list[str]:
        status, _, data = await self._get(url)
        if status != 200:
            raise SourceError(f"The sitemap {url!r} answers {status}. Check the URL.")
        try:
            root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as exc:
            raise SourceError(f"The sitemap {url!r} is no XML: {exc}.") from exc
        places = [(element.text or "").strip() for element in root.iter("{*}loc")]
        if etree.QName(root).localname == "sitemapindex" and depth < 2:
            nested = [await self._listed(place, depth + 1) for place in places if self._is_here(place)]
            places = [place for listed in nested for place in listed]
        return list(dict.fromkeys(place for place in places if self._is_here(place)))[
            : self._config.max_pages
        ]

    def _is_here(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.netloc == self._host and parts.scheme in ("http", "https")

    async def _page(self, url: str) -> tuple[Found | None, bytes]:
        name = _name(url)
        missing = Source(name, url, "unreachable", 0)
        if not self._robots.can_fetch(AGENT, url):
            return (missing, "robots.txt of its host disallows it."), b""
        # What a page links to is in its body, so a crawl asks for every body.
        tag, digest = ("", "") if self._crawls else self._validators.get(name, ("", ""))
        try:
            status, headers, data = await self._get(url, tag)
        except SourceError as exc:
            return (missing, str(exc)), b""
        if status == 304:
            return Source(name, url, digest, 0, data=b"", facts=SourceFacts(url=url, validator=tag)), b""
        if status != 200:
            return (missing, f"It answers {status}."), b""
        kind = headers.get("Content-Type", "").split(";")[0].strip().lower()
        suffix = _SUFFIXES.get(kind)
        if suffix is None:
            return (missing, f"Its type {kind!r} can't be read."), b""
        validator = headers.get("ETag") or headers.get("Last-Modified") or ""
        facts = SourceFacts(url=url, validator=validator)
        digest = hashlib.sha256(data).hexdigest()
        links = data if suffix == ".html" else b""
        return Source(name, f"page{suffix}", digest, len(data), data=data, facts=facts), links

    async def _get(self, url: str, validator: str = "") -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. Redirects are followed on the host alone. Raises `SourceError`."""
        headers = {}
        if validator:
            headers = {"If-None-Match": validator} if '"' in validator else {"If-Modified-Since": validator}
        for _ in range(_MAX_REDIRECTS):
            self._check_literal(url)
            await self._wait()
            try:
                async with self._session.get(url, headers=headers, allow_redirects=False) as reply:
                    if reply.status in (301, 302, 303, 307, 308) and "Location" in reply.headers:
                        url = urljoin(url, reply.headers["Location"])
                        if not self._is_here(url):
                            raise SourceError(f"It redirects to another host: {url!r}.")
                        continue
                    data = await reply.content.read(MAX_FILE_BYTES + 1) if reply.status == 200 else b""
                    data += await _rest(reply, len(data))
                    return reply.status, reply.headers, data
            except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
                raise SourceError(f"{url!r} can't be reached: {type(exc).__name__}: {exc}.") from exc
        raise SourceError(f"It redirects more than {_MAX_REDIRECTS} times.")

    def _check_literal(self, url: str) -> None:
        """The resolver isn't asked about hosts that are addresses."""
        host = urlsplit(url).hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        check_address(host, host, self._allow_private)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        self._next_at = loop.time() + 1 / self._config.pages_per_s


async def _rest(reply: Any, size: int) -> bytes:
    """What is left of a body, up to the limit."""
    parts = []
    while reply.status == 200 and not reply.content.at_eof():
        part = await reply.content.read(1024 * 1024)
        size += len(part)
        if size > MAX_FILE_BYTES:
            raise SourceError(f"It has more than {MAX_FILE_BYTES // 1024**2} MB.")
        parts.append(part)
    return b"".join(parts)


def _name(url: str) -> str:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.netloc}{parts.path.rstrip('/') or '/'}{query}"


def _links(data: bytes, url: str) -> list[str]:
    try:
        root = lxml_html.document_fromstring(data)
    except (ValueError, etree.ParserError):
        return []
    found = (urldefrag(urljoin(url, link.get("href") or ""))[0] for link in root.iter("a"))
    return list(dict.fromkeys(found))
