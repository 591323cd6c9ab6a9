"""Links and images in an answer: only to hosts of the documents that it rests on, or of an allow-list.

A picture that a browser loads by itself carries data out in its address, without any injection being detected.
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from ingestion.scrub.views import View, alike, plain
from service.guard.chain import Digests, Verdict
from service.guard.checks.coded import coded
from service.scope.policy import Zone

REMOVED = "[link removed]"
# Browsers read a backslash as a slash, so that it ends a host.
_HOST = re.compile(
    r"(?i)\b(?:https?|ftp|wss?):[/\\]{2,}(?:[^\s/\\@<>\"']*@)?([^\s/\\:?#<>\"')\]]+)|\bwww\.([^\s/\\:?#<>\"')\]]+)"
)
_URL = r"(?:(?:https?|ftp|wss?|file):[/\\]{2}|(?<![/\\])[/\\]{2,}+(?=[\w-]++\.)|www\.(?=\w))[^\s<>\"'\])]+"
_SCRIPT = r"(?:javascript|vbscript|data):[^\s<>\"')\]]+"
# No part is read twice: what is possessive ends where the next link begins.
_IN_TARGET = r"(?:[^)\s>\]]|\](?!\())*+"
_BEHIND_TARGET = r"(?:[^)\]]|\](?!\())*+"
# A host without a scheme, with what follows: it begins behind no part of an address.
_BARE = (
    r"(?<![@\w./\\-])[.-]*+(?P<host>(?:[\w-]++\.)++(?:xn--[\w-]++|[^\W\d_]{2,24}+))(?![\w@-])"
    r"(?P<rest>(?::\d{1,5})?(?:[/?#][^\s<>\"'\])]*+)?)"
)
# A markdown target `](…)`, then an address, then a host alone.
_LINK = re.compile(
    rf"(?i)\]\(\s*+<?(?P<target>{_IN_TARGET})>?{_BEHIND_TARGET}\)|(?P<address>{_URL}|{_SCRIPT})|(?P<bare>{_BARE})"
)
_LOCAL = re.compile(r"^(?:#|/(?!/)|\.{1,2}/|mailto:)")
_MAIL_HOST = re.compile(r"@((?:[\w-]++\.)++[a-zA-Z]{2,24})")
_HAS_QUERY = re.compile(r"\?[^=?]*+=")
# Ends of names that people and clients take for hosts.
_TOP = frozenset(
    "com net org edu gov mil biz io co ai app dev xyz site online top shop website club icu vip cloud example onion eu uk de fr"
    " es nl be ch dk se fi ie ru cn jp kr br mx ar cl ca au nz za tr gr cz sk hu ro bg ua kz ir vn sg hk tw ph tv gg tk ml ga"
    " cf gq su nu li lu lt lv ee hr si".split()
)
# Also endings of files, parts of names in programs and words: only a path behind one makes it a host.
_WORDS_TOO = frozenset(
    "py md sh rs pl cc ps so st ms ac am sc vi la at no in is it me my to us do id name info link page email store live work"
    " tools support systems tech space win click today world life agency news wiki one test local internal invalid".split()
)


def hosts_in(texts: Iterable[str]) -> frozenset[str]:
    """Hosts of every address in some texts, in lower case and without `www.`."""
    return frozenset(_normal(host) for text in texts for host in _hosts(_readable(text).text))


def _hosts(text: str) -> Iterator[str]:
    yield from (match[1] or match[2] for match in _HOST.finditer(text))
    yield from (match[1] for match in _MAIL_HOST.finditer(text))
    yield from (match["host"] for match in _LINK.finditer(text) if match["bare"] and _is_host(match))


def _readable(text: str) -> View:
    """The text as a browser reads an address in it: wide letters and all full stops as what they stand for."""
    view = plain(text)
    return View(alike(view.text), view.origin)


class EgressGuard:
    """Takes out addresses of hosts that nobody vouches for; the words of a link stay."""

    name = "egress"

    def __init__(self, sources: Iterable[str], allow: Iterable[str], digests: Digests) -> None:
        self._sources = tuple(sources)
        self._known: frozenset[str] | None = None
        self._allow = tuple(pattern.casefold() for pattern in allow)
        self._digests = digests

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text without foreign addresses, and a verdict for each."""
        if zone != "output":
            return text, []
        verdicts: list[Verdict] = []
        if not text.isascii() or any(mark in text for mark in (".", "](", ":")):
            text = self._without_links(text, zone, verdicts)
        return self._without_coded(text, zone, verdicts), verdicts

    def _without_links(self, text: str, zone: Zone, verdicts: list[Verdict]) -> str:
        view = _readable(text)
        parts: list[str] = []
        position = 0
        for found in _LINK.finditer(view.text):
            value = _value(found)
            if value is None or self._is_allowed(value):
                continue
            start, end = view.span(found.start(), found.end())
            parts += [text[position:start], _left_of(found, value)]
            position = end
            rule = "IMAGE_OR_LINK" if found["target"] is not None else "ADDRESS"
            verdicts.append(
                Verdict(self.name, zone, "redact", rule, 1.0, start, end, self._digests.of(value))
            )
        return "".join([*parts, text[position:]])

    def _without_coded(self, text: str, zone: Zone, verdicts: list[Verdict]) -> str:
        """The text without coded pieces that hold a foreign address."""
        for piece in reversed(coded(text)):
            addresses = (_value(found) for found in _LINK.finditer(piece.text))
            foreign = next((a for a in addresses if a is not None and not self._is_allowed(a)), None)
            if foreign is not None:
                digest = self._digests.of(foreign)
                verdicts.append(
                    Verdict(self.name, zone, "redact", "CODED", 1.0, piece.start, piece.end, digest)
                )
                text = text[: piece.start] + REMOVED + text[piece.end :]
        return text

    def _is_allowed(self, value: str) -> bool:
        value = value.replace("\\", "/")
        if re.match(r"(?i)(?:javascript|vbscript|data):", value):
            return False
        match = _HOST.match(value if "//" in value else f"http://{value}")
        if match is None or (_LOCAL.match(value) and "//" not in value):
            return bool(_LOCAL.match(value)) or not value
        host = _normal(match[1] or match[2])
        if self._known is None:
            self._known = hosts_in(self._sources)
        return host in self._known or any(fnmatchcase(host, pattern) for pattern in self._allow)


def _value(found: re.Match[str]) -> str | None:
    """The address of a match; None where it is none."""
    if found["bare"] is not None:
        return found["host"] + found["rest"] if _is_host(found) else None
    return found["target"] if found["target"] is not None else found["address"]


def _is_host(found: re.Match[str]) -> bool:
    """Whether a name with dots is a host: it carries a query, or it ends as hosts do."""
    top = found["host"].rpartition(".")[2]
    if _HAS_QUERY.search(found["rest"]):
        return True
    if not (top.islower() or found["host"].isupper()):
        return False  # a full stop without a blank behind it
    top = top.lower()
    return top in _TOP or top.startswith("xn--") or (top in _WORDS_TOO and found["rest"].startswith("/"))


def _left_of(found: re.Match[str], value: str) -> str:
    """What stays of a link: the words before it, and a full stop behind it."""
    if found["target"] is not None:
        return "]"
    return REMOVED + value[len(value.rstrip(".,;:!?")) :]


def _normal(host: str) -> str:
    return host.casefold().rstrip(".,;!*_`").removeprefix("www.")
