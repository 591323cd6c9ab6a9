"""What stands beside a document's text and is shown, searched or sent to a model too: its source, facts and metadata."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from ingestion.corpus import Document, Fact, Flag
from ingestion.errors import SourceError
from ingestion.prepare.screen import screen_text
from ingestion.scrub import ScrubbedText, Scrubber

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
# ISO 8601, a date with dots or slashes, or a month by name: no room for a sentence or a telephone number.
_DATE = re.compile(
    r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d[\d:.,]{0,16}(?: ?(?:Z|[+-]\d\d:?\d\d))?)?)?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
    r"|(?:\d{1,2}\.? )?[^\W\d_]{3,12}\.?,? (?:\d{1,2},? )?\d{4}"
)
# What a browser runs or opens instead of showing it.
_RUN = re.compile(
    r"[\W_]*(?:javascript|vbscript|data|file|blob|filesystem|view-source|about)\s*:", re.IGNORECASE
)
_LEAST_DIGITS = 7
# Personal data that has a form of its own; other numbers in ids are numbers of orders and tickets.
CERTAIN = frozenset({"EMAIL_ADDRESS", "IBAN_CODE", "US_SSN", "URL_CREDENTIALS", "SECRET_KEY"})
_SHOWN_CHARS = 80
_NAME_SIGNS = re.compile(r"[\W_]+")


def runnable_refused(document_id: str) -> str:
    """An id that may be shown as a source. Raises `SourceError` for one that a browser would run."""
    if _RUN.match(unquote(document_id)):
        raise SourceError(
            f"Its id {document_id[:_SHOWN_CHARS]!r} begins as an address does that browsers run or open. Rename it."
        )
    return document_id


def is_web_address(url: str) -> bool:
    """Whether it is an `http` or `https` URL with a host and nothing that ends one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s<>\"\\]", url)


def language_of(said: str | None) -> str | None:
    """A language tag as its source wrote it; None for what is no tag."""
    return said if said and _LANGUAGE.fullmatch(said) else None


def date_of(said: str | None) -> str | None:
    """A date as its source wrote it; None for what is no date."""
    return said if said and _DATE.fullmatch(said) else None


def scrub_numbers(
    scrubber: Scrubber, metadata: Mapping[str, Fact]
) -> tuple[dict[str, Fact], list[ScrubbedText]]:
    """Metadata without numbers that are personal data; a key such as `order` tells that one is none."""
    kept, parts = dict(metadata), []
    for key, value in metadata.items():
        if isinstance(value, str | bool | list) or sum(map(str.isdigit, str(value))) < _LEAST_DIGITS:
            continue
        (done,) = scrubber.scrub_all([f"{key}: {value}"], with_names=False)
        if done.counts:
            kept[key] = done.text.partition(": ")[2]
            parts.append(done)
    return kept, parts


def texts_of(metadata: Mapping[str, Fact]) -> list[str]:
    """The texts among the values of metadata, those of lists one by one."""
    lists = (value if isinstance(value, list) else [value] for value in metadata.values())
    return [one for values in lists for one in values if isinstance(one, str)]


def with_texts(metadata: Mapping[str, Fact], texts: Iterable[str]) -> dict[str, Fact]:
    """The metadata with other texts, one for each of `texts_of`."""
    after = iter(texts)
    return {key: _with(value, after) for key, value in metadata.items()}


def _with(value: Fact, after: Iterator[str]) -> Fact:
    if isinstance(value, list):
        return [next(after) for _ in value]
    return next(after) if isinstance(value, str) else value


def screen_beside(document: Document) -> Iterator[Flag]:
    """What the rules find in what stands beside a document's text."""
    for place, text in _places(document):
        for reading in dict.fromkeys((text, _NAME_SIGNS.sub(" ", unquote(text)))):
            for flag in screen_text(reading, (), 0):
                yield Flag(flag.rule, f"{place}: {flag.reason}")


def _places(document: Document) -> Iterable[tuple[str, str]]:
    yield "title", document.title
    yield "source", document.source
    yield "id", document.id
    yield "superseded_by", document.superseded_by or ""
    for key, value in document.metadata.items():
        yield "metadata", key
        for one in value if isinstance(value, list) else [value]:
            yield "metadata", str(one)


def screen_id(document: Document, scrubber: Scrubber) -> Iterator[Flag]:
    """A flag for personal data in an id, which can't be masked: clients address documents by it."""
    found = scrubber.scrub_all([document.id], with_names=False)[0].counts
    if found:
        kinds = ", ".join(sorted(found))
        yield Flag(
            "personal_data_in_id", f"its id holds personal data ({kinds}) and would be shown. Rename it"
        )
