"""What the heads learn from: templates of our own, and openly licensed sets; never a text that a suite measures with."""

import csv
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.guards.themes import theme
from ingestion.corpus import Source
from ingestion.load import read
from ingestion.load.fetch import fetch
from ingestion.load.folder import discover_files
from ingestion.prepare.preparer import assemble
from ingestion.text.clean import clean_blocks

PLACES = ("start", "middle", "end")
_ARTICLE_CHARS, _ARTICLE_PART = 12_000, 1_000


@dataclass(frozen=True, slots=True)
class Material:
    """Public texts by what they are. `attacks` are BIPIA's of its training part, which has other kinds than its test part."""

    attacks: tuple[str, ...]
    mails: tuple[str, ...]
    passages: tuple[str, ...]
    articles: tuple[str, ...]
    guidelines: tuple[str, ...]
    questions: tuple[tuple[str, ...], ...]
    other_questions: tuple[str, ...]
    help_pages: tuple[str, ...]


def load(data: Path, root: Path) -> Material:
    """The public sets under `data`, and the help pages of the demo under `root`. Raises `OSError` for a missing file."""
    attacks_by_kind = json.loads((data / "bipia" / "text_attack_train.json").read_text("utf-8"))
    clapnq = [
        row
        for name in ("answerable", "unanswerable")
        for row in _rows(data / "clapnq" / f"clapnq_dev_{name}.jsonl")
    ]
    guidelines = json.loads((data / "abcd" / "guidelines.json").read_text("utf-8"))
    by_category: dict[str, list[str]] = {}
    for row in _table(data / "banking77" / "train.csv"):
        by_category.setdefault(row["category"], []).append(row["text"])
    bitext = _table(data / "bitext" / "Bitext_Sample_Customer_Service_Testing_Dataset.csv")
    return Material(
        attacks=tuple(text for texts in attacks_by_kind.values() for text in texts),
        mails=tuple(row["context"] for row in _rows(data / "bipia" / "email_train.jsonl")),
        passages=tuple(dict.fromkeys(p["text"] for row in clapnq for p in row["passages"])),
        articles=tuple(_articles(data / "covid-qa" / "200423_covidQA.json")),
        guidelines=tuple(
            "\n".join(text for text in _strings(subflow) if len(text) > 25)
            for flow in guidelines.values()
            for subflow in flow["subflows"].values()
        ),
        questions=tuple(tuple(texts) for texts in by_category.values()),
        other_questions=tuple(
            [row["input"] for row in clapnq]
            + [row.get("utterance") or row.get("text") or "" for row in bitext]
        ),
        help_pages=tuple(_help_pages(root)),
    )


def planted(rng: random.Random, material: Material) -> list[str]:
    """What an attacker hides in a document: orders about the reply, orders to act, and requests of any kind."""
    injection = theme("indirect_injection")
    found = injection.sample("output_manipulation", 2_400, rng)
    found += injection.sample("unwanted_actions", 600, rng)
    found += theme("jailbreaks").sample("overrides", 1_200, rng)
    found += requests(400, rng)
    return found + list(material.attacks) * 8


def requests(count: int, rng: random.Random) -> list[str]:
    """`count` requests of each kind that people make of an assistant: knowledge, texts, code, advice."""
    kinds = theme("requests")
    return [text for kind in kinds.groups for text in kinds.sample(kind, count, rng)]


def documents(rng: random.Random, material: Material) -> list[str]:
    """Harmless documents: mails, passages, articles, guidelines, help pages, lists of questions, made-up pages."""
    found = list(material.mails) * 4 + list(material.guidelines) * 2 + list(material.help_pages) * 4
    found += rng.sample(material.passages, min(500, len(material.passages)))
    found += rng.sample(material.articles, min(400, len(material.articles)))
    for texts in material.questions:
        found += ["\n".join(rng.sample(texts, rng.randint(3, 8))) for _ in range(3)]
    mails = theme("benign").sample("mails", 500, rng)
    pages = theme("benign").sample("help_pages", 2_000, rng)
    found += [" ".join(rng.sample(mails, rng.randint(2, 7))) for _ in range(400)]
    found += [rng.choice("\n ").join(rng.sample(pages, rng.randint(3, 9))) for _ in range(800)]
    # People add requests of their own to what they send on.
    for hosts, additions in ((material.mails, mails), (material.help_pages, pages)):
        found += [plant(rng.choice(hosts), rng.choice(additions), rng.choice(PLACES)) for _ in range(400)]
    return found


def plant(document: str, text: str, place: str) -> str:
    """A document with a text at its `start`, in its `middle` (at a line's or a sentence's end) or at its `end`."""
    if place == "start":
        return f"{text}\n{document}"
    if place == "middle":
        half = len(document) // 2
        ends = [document.find(mark, half) for mark in ("\n", ". ")]
        cuts = [end + 1 for end in ends if end >= 0]
        if cuts:
            return f"{document[: min(cuts)].rstrip()}\n{text}\n{document[min(cuts) :].lstrip()}"
    return f"{document}\n{text}"


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _articles(path: Path) -> Iterator[str]:
    for article in json.loads(path.read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"][:_ARTICLE_CHARS]
            yield from (text[i : i + _ARTICLE_PART] for i in range(0, len(text), _ARTICLE_PART))


def _help_pages(root: Path) -> Iterator[str]:
    """The demo's help pages as ingestion reads them, whatever their format, and this project's own pages."""
    for source in discover_files(root / "deploy" / "demo" / "help", "."):
        if isinstance(source, Source):
            blocks = clean_blocks(read(fetch(source), source.id).blocks)
            yield assemble(blocks)[0]
    for page in sorted(root.glob("*.md")):
        yield page.read_text("utf-8")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _strings(inner)
