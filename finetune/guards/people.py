"""Public sets of what people ask without harm, each under its name, so that a whole set can be left out of training."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ingestion.detect.heads import is_held_out

LANGUAGES = ("en", "de", "es", "ru", "tr", "ar", "zh")
SOURCES = (
    "clinc150/data_full.json",
    "nq-open/NQ-open.dev.jsonl",
    "instructions/self_instruct_seeds.jsonl",
    "instructions/user_oriented.jsonl",
    "instructions/vicuna_bench.jsonl",
    "instructions/mt_bench.jsonl",
    *(f"xquad/xquad.{language}.json" for language in LANGUAGES),
)
PASTED = (
    "germeval14/NER-de-dev.tsv",
    "uner/da_ddt-train.iob2",
    "uner/sv_talbanken-train.iob2",
    "uner/pt_bosque-dev.iob2",
    "uner/zh_gsdsimp-train.iob2",
)
_MOST_OF_A_FILE = 600
_BLANK = re.compile(r" (?=[.,;:!?)])")
Sets = Mapping[str, tuple[str, ...]]


def learned(data: Path) -> Sets:
    """The half of each set that the shipped head learns from; the other half is measured. Raises `OSError`."""
    return {name: tuple(t for key, t in rows if not is_held_out(key)) for name, rows in _all(data).items()}


def kept(data: Path) -> Sets:
    """The other half. Raises `OSError` for a missing file."""
    return {name: tuple(t for key, t in rows if is_held_out(key)) for name, rows in _all(data).items()}


def foreign_sentences(data: Path) -> list[str]:
    """Sentences of news and web pages in German, Danish, Swedish, Portuguese and Chinese. Raises `OSError`."""
    return [text for name in PASTED for text in list(_conll_sentences(data / name))[:_MOST_OF_A_FILE]]


def _conll_sentences(path: Path) -> Iterator[str]:
    """The sentences of a file with a word a line: as written where it says so, else its words in a row."""
    written, words = "", list[str]()
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if line.startswith("#"):
            written = line.partition("# text = ")[2] or written
        elif line.strip():
            words.append(line.split("\t")[1])
        elif words:
            yield written or _BLANK.sub("", " ".join(words))
            written, words = "", []


def _all(data: Path) -> dict[str, list[tuple[str, str]]]:
    """By set its texts, each with the key that decides its half."""
    return {
        "clinc150": list(_clinc150(data)),
        "nq_open": [
            (row["question"], row["question"]) for row in _rows(data / "nq-open" / "NQ-open.dev.jsonl")
        ],
        "instructions": list(_instructions(data / "instructions")),
        **{f"xquad.{language}": list(_xquad(data, language)) for language in LANGUAGES},
    }


def _clinc150(data: Path) -> Iterator[tuple[str, str]]:
    parts = json.loads((data / "clinc150" / "data_full.json").read_text("utf-8"))
    for part in ("test", "oos_test"):
        yield from ((text, text) for text, _ in parts[part])


def _instructions(folder: Path) -> Iterator[tuple[str, str]]:
    """Instructions with their first input, and the turns of conversations, one by one."""
    for name in ("self_instruct_seeds", "user_oriented"):
        for row in _rows(folder / f"{name}.jsonl"):
            yield row["instruction"], "\n".join([row["instruction"], row["instances"][0]["input"]]).strip()
    for name in ("vicuna_bench", "mt_bench"):
        for row in _rows(folder / f"{name}.jsonl"):
            yield from ((row["turns"][0], turn) for turn in row["turns"])


def _xquad(data: Path, language: str) -> Iterator[tuple[str, str]]:
    """Questions, of which every language has the same under the same id."""
    raw = json.loads((data / "xquad" / f"xquad.{language}.json").read_text("utf-8"))
    for article in raw["data"]:
        for paragraph in article["paragraphs"]:
            yield from ((item["id"], item["question"]) for item in paragraph["qas"])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
