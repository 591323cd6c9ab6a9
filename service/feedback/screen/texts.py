"""Texts that several people can't have written by themselves, that speak to a model, or that lead elsewhere."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingestion.detect.decodings import decodings_of
from ingestion.detect.injection import by_rules
from ingestion.prepare.near_duplicates import bands_of, resemblance, words_of
from ingestion.scrub.forms import domains_in

# Two people may write the same few words; not the same sentence of eight.
_LEAST_WORDS = 8
_ALIKE = 0.5
_COPIES = 3
_ADDRESS = re.compile(r"(?i)\b(?:[a-z]{2,6}://|www\.)([\w.-]{1,253})")


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment or a correction, as it is stored."""

    event_id: str
    actor: str
    text: str


def judge_texts(remarks: Sequence[Remark], hosts: Collection[str]) -> dict[str, str]:
    """By event why its text is suspect. Links to `hosts` are harmless: those of the documents."""
    found = {one.event_id: "copied" for one in copies(remarks)}
    for one in remarks:
        if by_rules(one.text, decodings_of(one.text), is_document=False):
            found[one.event_id] = "injection"
        elif any(not _is_known(host, hosts) for host in _hosts(one.text)):
            found[one.event_id] = "link"
    return found


def copies(remarks: Sequence[Remark]) -> list[Remark]:
    """Texts that are nearly the same as those of at least two other actors."""
    long = [one for one in remarks if len(words_of(one.text)) >= _LEAST_WORDS]
    neighbours = _neighbours(long)
    return [
        one
        for number, one in enumerate(long)
        if len({one.actor, *(long[other].actor for other in neighbours.get(number, ()))}) >= _COPIES
    ]


def _neighbours(remarks: Sequence[Remark]) -> Mapping[int, set[int]]:
    """By number the numbers of texts that are alike."""
    by_band: dict[int, list[int]] = {}
    for number, one in enumerate(remarks):
        for band in bands_of(one.text):
            by_band.setdefault(band, []).append(number)
    found: dict[int, set[int]] = {}
    for numbers in by_band.values():
        # Each is compared with the first of its band: a thousand copies cost a thousand comparisons.
        first = numbers[0]
        for other in numbers[1:]:
            if resemblance(remarks[first].text, remarks[other].text) >= _ALIKE:
                found.setdefault(first, set()).add(other)
                found.setdefault(other, set()).update({first, *found[first]})
    return found


def _hosts(text: str) -> Iterator[str]:
    """Hosts of addresses, and hosts alone; in small letters."""
    yield from (found[1].casefold() for found in _ADDRESS.finditer(text))
    for start, end in domains_in(text):
        yield re.split(
            "[/:?#]", text[start:end].casefold().partition("://")[2] or text[start:end].casefold()
        )[0]


def _is_known(host: str, hosts: Collection[str]) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in hosts)
