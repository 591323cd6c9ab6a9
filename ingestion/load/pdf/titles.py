"""Which title a PDF has: the one it declares, unless a program or a file's name stands there; else its largest heading."""

import re
from collections.abc import Sequence

from ingestion.load.pdf.paragraphs import Paragraph

_FIRST_PAGES = 3
_LONGEST_TITLE = 200
_LARGE = 1.05
_PROGRAMS = re.compile(
    r"(microsoft|openoffice|libreoffice|word|powerpoint|excel|adobe|quark|indesign|pagemaker|writer)\b.{0,40} - ",
    re.IGNORECASE,
)
_NO_NAMES = re.compile(
    r"(untitled|unbenannt|ohne titel|sans titre|sin t[ií]tulo|senza titolo|sem t[ií]tulo|naamloos|no title|title|titel|titre|"
    r"document|dokument|documento|powerpoint presentation|presentation|pr[äe]sentation|slide|layout|draft|print|scan|doc|"
    r"book|report|article|none|null|unknown|new document|bla)[\s_-]*(\(?\d*\)?)",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"\S.{0,200}\.(docx?|dotx?|odt|rtf|pdf|tex|dvi|ps|eps|indd?|qxd|pptx?|odp|xlsx?|html?|fm|book|cdr|ai|pub|md|txt|xml)"
)


def title_of(declared: str, name: str, paragraphs: Sequence[Paragraph], words: frozenset[str]) -> str:
    """`declared` is what the file's properties say, `name` the file's, for a document without a heading."""
    title = " ".join(declared.split())
    if title and not is_made_up(title, name):
        return title[:_LONGEST_TITLE]
    headings = [one for one in paragraphs if one.kind == "heading"]
    early = [one for one in headings if one.page <= headings[0].page + _FIRST_PAGES - 1]
    if not early:
        return name
    largest = max(one.size for one in early)
    first = next(one for one in early if one.size * _LARGE >= largest)
    return first.text(words)


def is_made_up(title: str, name: str) -> bool:
    """Whether a program wrote it and no person."""
    bare = title.casefold().strip()
    return (
        _PROGRAMS.match(bare) is not None
        or _NO_NAMES.fullmatch(bare) is not None
        or _FILE.fullmatch(bare) is not None
        or "\ufffd" in title
        or not any(letter.isalpha() for letter in title)
        or re.sub(r"[\W_]+", " ", bare) == re.sub(r"[\W_]+", " ", name.casefold())
        or re.match(r"([a-z]:)?[\\/]|file:|https?:", bare) is not None
    )
