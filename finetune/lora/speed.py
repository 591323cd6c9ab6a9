"""Tokens a second, memory and loss of a training, by our loop or by TRL's, over the same rows: `bench finetune` runs it.

The rows are of the demo's documents and of the shape that serving has: five passages, several questions about each set,
an answer that is a sentence of a passage with its number. They measure time and loss, and teach nothing useful.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from finetune.lora.rows import Row, Source
from ingestion.corpus import Chunk, Document, Hit
from ingestion.corpus import Source as File
from ingestion.load import read
from ingestion.load.fetch import fetch
from ingestion.load.folder import discover_files
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.preparer import assemble
from ingestion.text.clean import clean_blocks
from ingestion.text.sentences import sentence_spans
from service.answer.prompts import load_prompt, render

HELP = Path("deploy/demo/help")
_PASSAGES, _QUESTIONS = 5, 6
_OTHER_LANGUAGES = ("de/", "es/")
_LEAST_WORDS = 6


def rows_for(groups: int, *, seed: int = 7) -> list[Row]:
    """Sets of passages with questions about each; a tenth of the sets are development rows."""
    chunks = [chunk for chunk in _chunks() if len(_sentences(chunk)) > 1]
    dice = random.Random(seed)
    rows: list[Row] = []
    for number in range(groups):
        passages = dice.sample(chunks, _PASSAGES)
        split: Literal["train", "development"] = "development" if number % 10 == 9 else "train"
        rows += [_row(passages, f"set-{number}", split, dice) for _ in range(_QUESTIONS)]
    return rows


def _chunks() -> Iterator[Chunk]:
    for source in discover_files(HELP, "."):
        if not isinstance(source, File) or not source.id.endswith(".md"):
            continue
        if source.id.startswith(_OTHER_LANGUAGES):
            continue
        text, spans = assemble(clean_blocks(read(fetch(source), source.id).blocks))
        document = Document(source.id, "", source.id, source.id, "en", text, spans)
        yield from chunk_document(document, max_tokens=200, count=_count)


def _count(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 for text in texts]


def _sentences(chunk: Chunk) -> list[str]:
    found = [chunk.text[start:end] for start, end in sentence_spans(chunk.text)]
    return [one for one in found if len(one.split()) >= _LEAST_WORDS]


def _row(
    passages: Sequence[Chunk], group: str, split: Literal["train", "development"], dice: random.Random
) -> Row:
    """A question made of a sentence's words, to which the sentence is the answer."""
    number = dice.randrange(len(passages))
    sentence = dice.choice(_sentences(passages[number]))
    words = [word.strip(".,:;()") for word in sentence.split()]
    question = f"What about {' '.join(dice.sample(words, min(4, len(words))))}?"
    told = render(load_prompt("brief"), question, [], [Hit(one, 1.0, {}) for one in passages])
    source = Source("document", passages[number].document_id, licence="internal")
    completion = f"{sentence} [{number + 1}]"
    return Row("sft", group, tuple(told), completion, (source,), split, question, gold=number + 1)
