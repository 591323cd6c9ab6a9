"""Functions that read what documents hold, on their way into an index."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from ingestion.corpus import Block, Chunk, Document, Flag, Source, Span
from ingestion.detect.decodings import Decoding, decodings_of, fold
from ingestion.detect.injection import Finding, by_rules, units_of, windows_of
from ingestion.detect.rules import RULES, matches_in
from ingestion.detect.sentences import cue_features, is_request, pieces_of
from ingestion.embed.fake import HashEmbedder
from ingestion.errors import FilterError, SourceError
from ingestion.filter import parse_filter
from ingestion.index.lexical import terms
from ingestion.load import read
from ingestion.load.archive import members
from ingestion.load.encodings import decode
from ingestion.load.pdf.contents import without_contents
from ingestion.load.pdf.document import outline_key
from ingestion.load.pdf.lines import Row, Segment
from ingestion.load.pdf.painting import face_of
from ingestion.load.pdf.paragraphs import paragraphs_of, words_of
from ingestion.load.pdf.running import running_rows
from ingestion.load.pdf.style import line_of, style_of
from ingestion.load.pdf.terms import Terms
from ingestion.load.pdf.titles import is_made_up, title_of
from ingestion.prepare.boilerplate import marked, outline
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.near_duplicates import bands_of, is_copy
from ingestion.prepare.passages import judged
from ingestion.prepare.rivals import question_at, rivals
from ingestion.prepare.screen import screen_text
from ingestion.runs.report import TokenTally
from ingestion.text.clean import clean
from ingestion.text.particulars import differ
from ingestion.text.sentences import sentence_spans
from tests.linear.reader import Reader, injection_model

_HTML = tuple(
    f"ingestion.load.{name}"
    for name in ("html", "html.tree", "html.noise", "html.inline", "html.grid", "raised", "table_form")
)
_MODULES = {
    ".txt": ("ingestion.load.text",),
    ".md": ("ingestion.load.markdown",),
    ".html": _HTML,
    ".csv": ("ingestion.load.csv_table",),
}
_TEMPLATES = {
    "link": '<p><a href="http://a.b/{}">Text</a></p>',
    "cell": "<table><tr><td>{}</td><td>a</td></tr><tr><td>b</td><td>{}</td></tr></table>",
    "power": "<p>a<sup>{}</sup></p>",
    "term": "<dl><dt>{}</dt><dd>a</dd></dl>",
}
# With one of its words a rule's pattern is tried.
_WORDS = "\n" + " ".join(sorted({word for rule in RULES for word in rule.words}))


def _boilerplate(text: str) -> object:
    """A text as what a source repeats, before and behind one of a page's own."""
    repeated = Block("paragraph", text)
    blocks = (repeated, Block("paragraph", "A page's own."), repeated)
    return marked(blocks, frozenset(outline((repeated,))))


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


def _chunks(text: str) -> list[Chunk]:
    return chunk_document(
        _document(text), max_tokens=200, count=lambda texts: [len(t) // 4 + 1 for t in texts]
    )


def _judged(text: str) -> object:
    """A finding in each line, in a document of many chunks."""
    ends = [place for place, character in enumerate(text) if character == "\n"][:5_000]
    found = [Finding("model", max(0, end - 1), end, 0.95) for end in ends]
    flags = tuple(Flag("instruction_model", "", one.start, one.end, "passage") for one in found[:20])
    document = replace(_document(text), flags=flags)
    return judged(document, _chunks(text), found)


def _reading(suffix: str, template: str = "{}") -> Callable[[str], object]:
    def work(text: str) -> object:
        try:
            return clean(read(template.replace("{}", text).encode("utf-8", "replace"), f"a{suffix}").blocks)
        except SourceError:
            return None

    return work


def _on_paper(text: str) -> object:
    """A text as the lines of a PDF's pages."""
    lines = text.split("\n")
    rows = [Row(12.0 * n, 10.0, (_segment(line, 12.0 * n),)) for n, line in enumerate(lines) if line.strip()]
    pages = [rows] * 12
    running = running_rows([(800.0, page) for page in pages], 10.0)
    kept = without_contents(pages)[0]
    paper = [line_of(row, 1, 0, (0.0, 400.0)) for row in kept]
    style = style_of(paper, 10.0, {outline_key(text): 1})
    words = words_of(paper)
    paragraphs = list(paragraphs_of(paper, style))
    titles = (is_made_up(text, text), title_of("", "a", paragraphs, words))
    return running, list(Terms(paragraphs, words).blocks()), titles, face_of(text, 0)


def _segment(text: str, y: float) -> Segment:
    return Segment(text, 0.0, 5.0 * len(text), y, 10.0, len(text), False, False, 5.0)


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


def _mailbox(text: str) -> object:
    data = b"From a@b.example Mon Jan  5 10:00:00 2026\n" + text.encode("utf-8", "replace")
    return list(members(Source("a.mbox", "a.mbox", "", len(data), data=data)))


def _of_plain_text() -> Iterator[Reader]:
    text = ("lines", "outline", "headings", "grids")
    modules = (
        "ingestion.load.text",
        "ingestion.load.encodings",
        *(f"ingestion.load.text.{one}" for one in text),
    )
    yield Reader("read .txt", _reading(".txt"), modules)
    yield Reader("read .txt set in", _reading(".txt", "Term\n    {}\n"), modules)
    yield Reader("read .log", _reading(".log"), ("ingestion.load.text",))
    yield Reader(
        "decode", lambda t: decode(t.encode("cp1252", "replace") + b"\xe9"), ("ingestion.load.encodings",)
    )
    page = "HUB(1)  Manual  HUB(1)\n\nNAME\n     {}\n\nEND\n"
    yield Reader("read a page as it is shown", _reading(".txt", page), ("ingestion.load.text.manpage",))
    log = "hub (2.1) unstable; urgency=low\n\n  * {}\n"
    yield Reader("read a changelog", _reading(".txt", log), ("ingestion.load.text.changelog",))
    rst = ("ingestion.load.rst.directives", "ingestion.load.rst.inline")
    yield Reader("read .rst", _reading(".rst"), rst)
    man = ("", ".escapes", ".builder", ".macros", ".roff")
    modules = tuple(f"ingestion.load.man{one}" for one in man)
    yield Reader("read .man", _reading(".man", ".TH A 1\n.SH B\n{}\n"), modules)
    yield Reader("read .man's terms", _reading(".man", ".TH A 1\n.SH B\n.TP\n.BR {}\nText.\n"), modules)
    yield Reader("read .man's tables", _reading(".man", ".TH A 1\n.TS\nl l.\n{}\n.TE\n"), modules)
    yield Reader("read .mdoc", _reading(".mdoc", ".Dt A 1\n.Sh B\n{}\n.Bl -tag\n.It {}\n.El\n"), modules)
    yield Reader("divide a mailbox", _mailbox, ("ingestion.load.archive",))


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
    yield Reader("sentence_spans", lambda t: list(sentence_spans(t)), ("ingestion.text.sentences",))
    yield Reader("screen_text", lambda t: list(screen_text(t, [t], 0)), ("ingestion.prepare.screen",))
    yield Reader("question_at", question_at, ("ingestion.prepare.rivals",))
    yield Reader("boilerplate", _boilerplate, ("ingestion.prepare.boilerplate",))
    yield Reader("rivals", lambda t: rivals([t] * 3, "what is it"), ("ingestion.prepare.rivals",))
    yield Reader("judged", _judged)
    yield Reader(
        "clean",
        lambda t: clean([Block("paragraph", t, page=n % 5) for n in range(6)]),
        ("ingestion.text.clean",),
    )
    yield Reader(
        "near copies", lambda t: (bands_of(t), is_copy(t, t)), ("ingestion.prepare.near_duplicates",)
    )
    yield Reader("chunk_document", _chunks)
    analysis = "languages", "letters", "scripts", "words"
    for language in ("en", "de", "hi", "tr", "uk", "zh"):
        modules = tuple(f"ingestion.index.analysis.{name}" for name in analysis)
        read = partial(terms, language=language)
        yield Reader(f"terms in {language}", read, ("ingestion.index.identifiers", *modules))
    yield Reader("particulars", lambda t: differ(t, "The Hub 1"), ("ingestion.text.particulars",))
    yield Reader("tokens of a report", _tokens, ("ingestion.runs.report", "ingestion.embed.fake"))
    yield Reader("parse_filter", _filter, ("ingestion.filter",))
    for suffix in (".md", ".html", ".csv", ".json", ".eml"):
        yield Reader(f"read {suffix}", _reading(suffix), _MODULES.get(suffix, ()))
    yield from _of_plain_text()
    pdf = "contents document painting paragraphs running style titles together"
    yield Reader("lines of a PDF", _on_paper, tuple(f"ingestion.load.pdf.{name}" for name in pdf.split()))
    for name in ("style", "class"):
        html = _reading(".html", f'<p>Text</p><p {name}="{{}}">Text</p>')
        yield Reader(f"read .html's {name}", html, ("ingestion.load.html.noise", "ingestion.load.html.sight"))
    for name, template in _TEMPLATES.items():
        yield Reader(f"read .html's {name}", _reading(".html", template), _MODULES[".html"])
    yield Reader("read .eml's body", _reading(".eml", "Subject: a\n\n{}"))
    yield Reader("read .eml's subject", _reading(".eml", "Subject: {}\n\na"))
    yield Reader("read .json's text", _reading(".json", '{"text": "{}"}'))
