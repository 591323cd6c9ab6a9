"""What a run did, for people and machines. Counts of personal data by type, never the values."""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingestion.embed import Embedder

_WORD = re.compile(r"[^\W\d_]{2,}")
_WORDS_COUNTED = 50_000
_WORST = 15


@dataclass(frozen=True, slots=True)
class Tokens:
    """How a tokenizer splits the words of a corpus; `worst` are frequent words with the most tokens."""

    words: int = 0
    tokens_per_word: float = 0.0
    worst: Mapping[str, int] = field(default_factory=dict)


class TokenTally:
    """Counts words, up to a bound, and asks the tokenizer about each once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._words: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count the words of a text."""
        for word in _WORD.findall(text):
            if word in self._words or len(self._words) < _WORDS_COUNTED:
                self._words[word] += 1

    def result(self) -> Tokens:
        """Tokens per word, and the words that take the most."""
        if not self._words:
            return Tokens()
        words = sorted(self._words)
        sizes = dict(zip(words, self._embedder.count_tokens(words), strict=True))
        total = sum(self._words.values())
        spent = sum(sizes[word] * count for word, count in self._words.items())
        # What a long word costs the corpus: the tokens beyond the first, each time it is used.
        dear = sorted(words, key=lambda word: (-(sizes[word] - 1) * self._words[word], word))[:_WORST]
        return Tokens(total, round(spent / total, 3), {w: sizes[w] for w in dear if sizes[w] > 1})


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. Times are in seconds; `timings` are summed over processes.

    `passages` says why parts of documents wait while the rest is in, `let_through` what a screen found in documents that are
    in because people approved the like of their source. `advice` is for the scope file.
    """

    run_id: str
    collection: str
    release_id: str
    changed: bool
    started_at: str
    took_s: float
    documents: int
    chunks: int
    reused_documents: int
    embedded_chunks: int
    release_digest: str = ""
    resumed: bool = False
    places: Sequence[str] = ()
    found: int = 0
    pii: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    duplicates: Mapping[str, str] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)
    passages: Mapping[str, str] = field(default_factory=dict)
    let_through: Mapping[str, str] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    timings: Mapping[str, float] = field(default_factory=dict)
    advice: Sequence[str] = ()


def load_report(raw: dict[str, object]) -> RunReport:
    """A report from its JSON."""
    tokens = raw.pop("tokens", None)
    values = tokens if isinstance(tokens, dict) else {}
    return RunReport(**raw, tokens=Tokens(**values))  # type: ignore[arg-type]


def lines_of(report: RunReport) -> list[str]:
    """A report for a terminal."""
    state = "is active" if report.changed else "is up to date"
    lines = [
        f"{report.collection}: release {report.release_id} {state}: {report.documents} documents, "
        f"{report.chunks} chunks, {report.embedded_chunks} embedded, {report.took_s:.1f} s"
    ]
    if report.resumed:
        lines.append("resumed: a run that was interrupted was taken up where it stopped")
    if report.pii:
        lines.append("personal data found: " + ", ".join(f"{k} {n}" for k, n in report.pii.items()))
    if report.tokens.words:
        worst = ", ".join(f"{word} ({count})" for word, count in list(report.tokens.worst.items())[:5])
        lines.append(f"tokens: {report.tokens.tokens_per_word} a word; dearest words: {worst}")
    lines += [f"copy: {name} of {other}" for name, other in report.duplicates.items()]
    lines += [f"quarantined: {name}: {reason}" for name, reason in report.quarantined.items()]
    lines += [f"passages wait: {name}: {reason}" for name, reason in report.passages.items()]
    lines += [f"let through: {name}: {reason}" for name, reason in report.let_through.items()]
    lines += [f"left out: {name}: {reason}" for name, reason in report.removed.items()]
    lines += [f"read in part: {name}: {reason}" for name, reason in report.partial.items()]
    lines += [f"failed: {name}: {reason}" for name, reason in report.failures.items()]
    lines += [f"advice: {text}" for text in report.advice]
    return lines


def is_upload(raw: Mapping[str, object]) -> bool:
    """Whether a report in JSON is that of an upload over HTTP, which knows less than that of a run."""
    return "caller" in raw


def upload_lines(raw: Mapping[str, Any]) -> list[str]:
    """The report of an upload for a terminal."""
    size = f"{raw['documents']} documents, {raw['chunks']} chunks, {raw['took_s']:.1f} s"
    lines = [f"{raw['collection']}: upload of {raw['caller']}: {size}"]
    lines += [f"quarantined: {name}: {reason}" for name, reason in raw["quarantined"].items()]
    lines += [f"failed: {name}: {reason}" for name, reason in raw["failures"].items()]
    return lines


def html_of(report: RunReport) -> str:
    """A report as a page of its own, without scripts or anything from elsewhere."""
    facts = {
        "Release": f"{report.release_id} ({report.release_digest[:12]})",
        "Started": report.started_at,
        "Took": f"{report.took_s:.1f} s",
        "Sources": ", ".join(report.places),
        "Found": report.found,
        "Documents": report.documents,
        "Chunks": report.chunks,
        "Unchanged documents": report.reused_documents,
        "Embedded chunks": report.embedded_chunks,
        "Tokens a word": report.tokens.tokens_per_word,
    }
    tables = [
        _table("Summary", ("", ""), facts),
        _table("Personal data found", ("Type", "Count"), report.pii),
        _table("Could not be ingested", ("Document", "Reason"), report.failures),
        _table("Read in part", ("Document", "What was left out"), report.partial),
        _table("In quarantine", ("Document", "Why"), report.quarantined),
        _table("In quarantine in part", ("Document", "Why"), report.passages),
        _table("Let through after approvals", ("Document", "What was found"), report.let_through),
        _table("Taken out on request", ("Document", "Why"), report.removed),
        _table("Copies left out", ("Document", "Copy of"), report.duplicates),
        _table("Dearest words", ("Word", "Tokens"), report.tokens.worst),
        _table("Advice", ("", ""), {str(number): text for number, text in enumerate(report.advice, start=1)}),
        _table("Seconds by stage", ("Stage", "Seconds"), report.timings),
    ]
    title = html.escape(f"Run {report.run_id} of {report.collection}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><main><h1>{title}</h1>{''.join(tables)}</main></html>\n"
    )


_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}"
    "main{max-width:60rem;margin:auto;padding:1.5rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8884;vertical-align:top;"
    "overflow-wrap:anywhere}th[scope=row]{width:40%;font-weight:500}h2{margin-top:2rem}"
)


def _table(title: str, heads: tuple[str, str], rows: Mapping[str, object]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads) if any(heads) else ""
    body = "".join(
        f'<tr><th scope="row">{html.escape(str(key))}</th><td>{html.escape(str(value))}</td></tr>'
        for key, value in rows.items()
    )
    return f"<h2>{html.escape(title)}</h2><table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
