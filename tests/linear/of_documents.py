"""Functions that read what documents hold, on their way into an index."""

from collections.abc import Callable, Iterator

from ingestion.corpus import Block, Document, Span
from ingestion.detect.decodings import Decoding, decodings_of, fold
from ingestion.detect.injection import by_rules, units_of, windows_of
from ingestion.detect.rules import RULES, matches_in
from ingestion.detect.sentences import cue_features, is_request, pieces_of
from ingestion.embed.fake import HashEmbedder
from ingestion.errors import FilterError, SourceError
from ingestion.filter import parse_filter
from ingestion.index.lexical import terms
from ingestion.load import read
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.near_duplicates import bands_of, is_copy
from ingestion.prepare.screen import beginning, screen_text
from ingestion.runs.report import TokenTally
from ingestion.text.clean import clean
from ingestion.text.sentences import sentence_spans
from tests.linear.reader import Reader, injection_model

# With one of its words a rule's pattern is tried.
_WORDS = "\n" + " ".join(sorted({word for rule in RULES for word in rule.words}))


def _rules(text: str) -> list[object]:
    text += _WORDS
    zones = frozenset({"input", "pasted", "retrieved"})
    return list(matches_in([Decoding("written", text, 0, len(text))], zones))


def _document(text: str) -> Document:
    return Document(
        id="d",
        title="d",
        source="d",
        digest="d",
        language="en",
        text=text,
        spans=(Span("paragraph", 0, len(text)),),
    )


def _chunks(text: str) -> object:
    return chunk_document(
        _document(text), max_tokens=200, count=lambda texts: [len(t) // 4 + 1 for t in texts]
    )


def _reading(suffix: str, template: str = "{}") -> Callable[[str], object]:
    def work(text: str) -> object:
        try:
            return clean(read(template.replace("{}", text).encode("utf-8", "replace"), f"a{suffix}").blocks)
        except SourceError:
            return None

    return work


def _filter(text: str) -> object:
    found: list[object] = []
    for raw in ({text: text}, {"a": {text: text}}, {"a": [text]}, {"and": text}, text):
        try:
            found.append(parse_filter(raw))
        except FilterError as exc:
            found.append(str(exc))
    return found


def _tokens(text: str) -> object:
    tally = TokenTally(HashEmbedder())
    tally.add(text)
    return tally.result()


def of_documents() -> Iterator[Reader]:
    """Those of ingestion, but for personal data."""
    yield Reader("matches_in", _rules, ("ingestion.detect.rules",))
    yield Reader("decodings_of", decodings_of, ("ingestion.detect.decodings", "ingestion.text.clean"))
    yield Reader("fold", fold, ("ingestion.detect.decodings", "ingestion.text.clean"))
    yield Reader(
        "by_rules", lambda t: by_rules(t, decodings_of(t), is_document=False), ("ingestion.detect.injection",)
    )
    yield Reader("judge_prompt", lambda t: injection_model().judge_prompt(t), ("ingestion.detect.injection",))
    yield Reader(
        "judge_documents", lambda t: injection_model().judge_documents([t]), ("ingestion.detect.injection",)
    )
    yield Reader("pieces_of", pieces_of, ("ingestion.detect.sentences",))
    yield Reader("units_of", units_of)
    yield Reader("windows_of", lambda t: windows_of(pieces_of(t)), ("ingestion.detect.sentences",))
    yield Reader("is_request", is_request, ("ingestion.detect.sentences",))
    yield Reader("cue_features", lambda t: cue_features([t]), ("ingestion.detect.sentences",))
    yield Reader("sentence_spans", lambda t: list(sentence_spans(t)))
    yield Reader("screen_text", lambda t: list(screen_text(t, [t], 0)), ("ingestion.prepare.screen",))
    yield Reader("beginning", beginning, ("ingestion.prepare.screen",))
    yield Reader(
        "clean",
        lambda t: clean([Block("paragraph", t, page=n % 5) for n in range(6)]),
        ("ingestion.text.clean",),
    )
    yield Reader(
        "near copies", lambda t: (bands_of(t), is_copy(t, t)), ("ingestion.prepare.near_duplicates",)
    )
    yield Reader("chunk_document", _chunks)
    yield Reader("terms", lambda t: terms(t, "en"))
    yield Reader("tokens of a report", _tokens, ("ingestion.runs.report", "ingestion.embed.fake"))
    yield Reader("parse_filter", _filter, ("ingestion.filter",))
    for suffix in (".txt", ".md", ".html", ".csv", ".json", ".eml"):
        module = {".txt": "text", ".md": "markdown", ".html": "html"}.get(suffix)
        yield Reader(f"read {suffix}", _reading(suffix), (f"ingestion.load.{module}",) if module else ())
    for name in ("style", "class"):
        html = _reading(".html", f'<p>Text</p><p {name}="{{}}">Text</p>')
        yield Reader(f"read .html's {name}", html, ("ingestion.load.html",))
    yield Reader("read .eml's body", _reading(".eml", "Subject: a\n\n{}"))
    yield Reader("read .eml's subject", _reading(".eml", "Subject: {}\n\na"))
    yield Reader("read .json's text", _reading(".json", '{"text": "{}"}'))
