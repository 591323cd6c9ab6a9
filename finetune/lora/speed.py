"""Tokens a second, memory and loss of a training, by our loop or by TRL's, over the same rows: `bench finetune` runs it.

The rows are of the demo's documents and of the shape that serving has: five passages, several questions about each set,
an answer that is a sentence of a passage with its number. They measure time and loss, and teach nothing useful.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finetune.lora.machine import precision_of, set_environment, steady
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Row, Source, write_dataset
from finetune.lora.template import Template
from finetune.lora.train import lessons_of, train
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

# TRL's own number of rows a step.
_ROWS_A_STEP = 8

if TYPE_CHECKING:
    from finetune.lora.loop import Moment


@dataclass(frozen=True, slots=True)
class Speed:
    """What a training took. `row_tokens` are those of the rows in full, whatever was read of them; `loss` is that of the
    development rows, measured in one way for both."""

    row_tokens: int
    took_s: float
    cpu_s: float
    peak_bytes: int
    loss: float
    steps: int


def main() -> None:
    """Measure one and print it as the last line."""
    parser = argparse.ArgumentParser(prog="python -m finetune.lora.speed", description=__doc__)
    parser.add_argument("which", choices=("ours", "trl"))
    parser.add_argument("--base", type=Path, default=Path("var/smollm2"))
    parser.add_argument("--groups", type=int, default=20, help="sets of passages with six questions each")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    set_environment()
    rows = rows_for(args.groups)
    recipe = recipe_for(args.base, rows, threads=args.threads)
    measure = ours if args.which == "ours" else trl
    sys.stdout.write(json.dumps(asdict(measure(recipe, rows))) + "\n")


def recipe_for(base: Path, rows: Sequence[Row], *, threads: int) -> Recipe:
    """The recipe of both: one epoch, a length that fits every row."""
    template = Template(base)
    longest = max(len(template.encode(row)) for row in rows)
    training = {
        "rows_a_step": _ROWS_A_STEP,
        "max_tokens": max(2_048, longest),
        "threads": threads,
        "evaluate_every": 10_000,
    }
    return Recipe.model_validate(
        {
            "name": "speed",
            "assistant": "none",
            "base": {"path": str(base), "served_as": base.name},
            "training": training,
        }
    )


def ours(recipe: Recipe, rows: Sequence[Row]) -> Speed:
    """Our loop, as `train` runs it; looks at development rows and checkpoints are outside the time, as with TRL."""
    moments: list[Moment] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = write_dataset(folder / "rows", rows, name="speed", licence="internal", facts={})
        trained = train(recipe, dataset, Path(recipe.base.path), folder / "run", progress=moments.append)
    steps = [moment for moment in moments if moment.step]
    last = trained.looks[-1][1]
    assert last is not None
    return Speed(
        row_tokens=sum(moment.row_tokens for moment in steps),
        took_s=sum(moment.took_s for moment in steps),
        cpu_s=sum(moment.cpu_s for moment in steps),
        peak_bytes=_peak(),
        loss=last,
        steps=trained.steps,
    )


def trl(recipe: Recipe, rows: Sequence[Row]) -> Speed:
    """TRL's `SFTTrainer` with its own defaults, but for a length that cuts no answer off, and our rate and precision: its
    rate is made for full weights, and its bfloat16 would cost it more than twice the time on processors without it."""
    import torch
    from datasets.arrow_dataset import Dataset as Table
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from finetune.lora.loop import mean_loss
    from finetune.lora.network import Network, lora_config

    training, template = recipe.training, Template(Path(recipe.base.path))
    precision = precision_of(training.precision)
    chosen = [row for row in rows if row.split == "train"]
    columns = {
        "prompt": [template.told(row) for row in chosen],
        "completion": [row.completion for row in chosen],
    }
    with tempfile.TemporaryDirectory() as folder, steady(training.threads, recipe.seed):
        base = AutoModelForCausalLM.from_pretrained(recipe.base.path, dtype=getattr(torch, precision))
        trainer: Any = SFTTrainer(
            model=base,
            args=SFTConfig(
                output_dir=folder,
                max_length=training.max_tokens,
                learning_rate=training.learning_rate,
                num_train_epochs=1,
                bf16=precision == "bfloat16",
                use_cpu=not torch.cuda.is_available(),
                seed=recipe.seed,
                report_to="none",
                save_strategy="no",
            ),
            train_dataset=Table.from_dict(columns),
            processing_class=template.tokenizer,
            peft_config=lora_config(recipe),
        )
        begun, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        took_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        peak = _peak()
        network = Network(trainer.model, precision)
        with network.evaluating():
            development = lessons_of([row for row in rows if row.split == "development"], template, training)
            loss = mean_loss(network, development)
    tokens = sum(len(template.encode(row)) for row in chosen)
    return Speed(tokens, took_s, cpu_s, peak, loss, trainer.state.global_step)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rows_for(groups: int, *, seed: int = 7) -> list[Row]:
    """Sets of passages with questions about each; a tenth of the sets are development rows."""
    chunks = [chunk for chunk in _chunks() if len(_sentences(chunk)) > 1]
    dice = random.Random(seed)
    rows: list[Row] = []
    for number in range(groups):
        passages = dice.sample(chunks, _PASSAGES)
        split: Literal["train", "development"] = (
            "development" if number % 10 == min(groups, 10) - 1 else "train"
        )
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


if __name__ == "__main__":
    main()
