"""Links and images in an answer: only to hosts of the documents that it rests on, or of an allow-list.

A picture that a browser loads by itself carries data out in its address, without any injection being detected.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from service.guard.chain import Digests, Verdict
from service.scope.policy import Zone

REMOVED = "[link removed]"
_HOST = re.compile(
    r"(?i)\b(?:https?|ftp|wss?)://(?:[^\s/@<>\"']*@)?([^\s/:?#<>\"')\]]+)|\bwww\.([^\s/:?#<>\"')\]]+)"
)
_URL = r"(?:(?:https?|ftp|wss?|file)://|//(?=[\w-]+\.)|www\.(?=\w))[^\s<>\"'\])]+"
_SCRIPT = r"(?:javascript|vbscript|data):[^\s<>\"')\]]+"
# A markdown target `](…)`, then a bare address; and an address without a scheme that carries a query.
_LINK = re.compile(
    rf"(?i)\]\(\s*<?(?P<target>[^)\s>]*)>?[^)]*\)|(?P<bare>{_URL}|{_SCRIPT})|(?P<query>(?<![@\w])(?:[\w-]+\.)+[a-z]{{2,}}(?:/\S*)?\?\S+=\S*)"
)
_LOCAL = re.compile(r"^(?:#|/(?!/)|\.{1,2}/|mailto:)")


def hosts_in(texts: Iterable[str]) -> frozenset[str]:
    """Hosts of every address in some texts, in lower case and without `www.`."""
    found = (match[1] or match[2] for text in texts for match in _HOST.finditer(text))
    return frozenset(_bare(host) for host in found)


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
        if zone != "output" or not any(mark in text for mark in (".", "](", ":")):
            return text, []
        verdicts: list[Verdict] = []

        def check(found: re.Match[str]) -> str:
            value = found["target"] if found["target"] is not None else found["bare"] or found["query"]
            if self._is_allowed(value):
                return found[0]
            rule = "IMAGE_OR_LINK" if found["target"] is not None else "ADDRESS"
            verdicts.append(
                Verdict(
                    self.name, zone, "redact", rule, 1.0, found.start(), found.end(), self._digests.of(value)
                )
            )
            return "]" if found["target"] is not None else REMOVED + value[len(value.rstrip(".,;:!?")) :]

        return _LINK.sub(check, text), verdicts

    def _is_allowed(self, value: str) -> bool:
        if re.match(r"(?i)(?:javascript|vbscript|data):", value):
            return False
        match = _HOST.match(value if "//" in value else f"http://{value}")
        if match is None or (_LOCAL.match(value) and "//" not in value):
            return bool(_LOCAL.match(value)) or not value
        host = _bare(match[1] or match[2])
        if self._known is None:
            self._known = hosts_in(self._sources)
        return host in self._known or any(fnmatchcase(host, pattern) for pattern in self._allow)


def _bare(host: str) -> str:
    return host.casefold().rstrip(".").removeprefix("www.")
