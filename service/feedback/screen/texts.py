"""Texts that several people can't have written by themselves, that speak to a model, or that lead elsewhere."""

import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ingestion.detect.decodings import decodings_of
from ingestion.detect.injection import by_rules
from ingestion.prepare.near_duplicates import words_of
from ingestion.scrub.forms import domains_in

# Two people may write the same few words; not the same sentence of eight.
_LEAST_WORDS = 8
# Of neighbouring words; a copy of fifteen words with another opening and one word less still has it.
_ALIKE = 0.5
_COPIES = 3
# A thousand copies cost some thousand comparisons.
_COMPARED = 6
_HASHES, _BANDS = 36, 12
_PRIME = np.uint64((1 << 31) - 1)
_SEEDS = np.random.default_rng(1997).integers(1, 1 << 31, size=(2, _HASHES), dtype=np.uint64)
Pairs = frozenset[tuple[str, str]]
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
    pairs = [frozenset(pairwise(words_of(one.text))) for one in long]
    alike: list[set[str]] = [{one.actor} for one in long]
    for bucket in _buckets(pairs):
        for place, number in enumerate(bucket):
            for other in bucket[max(0, place - _COMPARED) : place]:
                if _resemblance(pairs[number], pairs[other]) >= _ALIKE:
                    alike[number].add(long[other].actor)
                    alike[other].add(long[number].actor)
    return [one for one, actors in zip(long, alike, strict=True) if len(actors) >= _COPIES]


def _buckets(texts: Sequence[Pairs]) -> list[list[int]]:
    """Numbers of texts that may be alike: MinHash and banding (Leskovec et al., chapter 3), from a resemblance of .4 on."""
    found: dict[tuple[int, bytes], list[int]] = {}
    for number, pairs in enumerate(texts):
        hashes = np.array([zlib.crc32(" ".join(pair).encode()) for pair in pairs], dtype=np.uint64)
        lowest = ((hashes[:, None] * _SEEDS[0] + _SEEDS[1]) % _PRIME).min(axis=0)
        for band, row in enumerate(lowest.reshape(_BANDS, -1)):
            found.setdefault((band, row.tobytes()), []).append(number)
    return [numbers for numbers in found.values() if len(numbers) > 1]


def _resemblance(one: Pairs, other: Pairs) -> float:
    """Jaccard similarity."""
    return len(one & other) / len(one | other)


def _hosts(text: str) -> Iterator[str]:
    """Hosts of addresses, and hosts alone; in small letters."""
    yield from (found[1].casefold() for found in _ADDRESS.finditer(text))
    for start, end in domains_in(text):
        yield re.split(
            "[/:?#]", text[start:end].casefold().partition("://")[2] or text[start:end].casefold()
        )[0]


def _is_known(host: str, hosts: Collection[str]) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in hosts)
