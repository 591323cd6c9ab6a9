"""Train the name model: `python -m finetune.names.train --source FOLDER --wnut17 FILE`.

Needs the extra `models`. FOLDER holds the official MiniLM weights (`finetune.embedder.export` names their
digests), FILE is WNUT17's training set (Derczynski et al. 2017, CC BY 4.0). Everything else is made here
from `templates.txt` and Faker, and ordinary prose comes from Python's own language reference.

The model is MiniLM's embeddings and its first layers with a tag for each word, after Devlin et al. 2019
(BERT, section 5.3); what BERT's small letters lose is added as an embedding of how a word is written.
"""

import argparse
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from pydoc_data import topics
from typing import Any

import nncf
import numpy as np
import openvino
import torch
from faker import Faker
from tokenizers import Tokenizer
from transformers import BertModel

from finetune.embedder.export import MODEL, REVISION, SOURCE_DIGESTS, check_source
from finetune.names.generate import LabelledText, generate, templates
from finetune.names.lexicon import write_lexicon
from finetune.names.prose import WORDY
from finetune.names.values import Values
from ingestion.artifact import digest_of, written_artifact
from ingestion.scrub.names.labels import LABELS, MAX_TOKENS, SHAPES, TAGS, shapes_of
from ingestion.scrub.names.model import NAMES_DIR, REBUILD

_WNUT = {"person": "PERSON", "location": "GPE", "corporation": "ORGANIZATION"}
_IGNORED = -100
_BATCH = 32
FILES = ("model.xml", "model.bin", "lexicon.txt")
Example = tuple[list[int], list[int], list[int]]  # token ids, shapes, tags


class Tagger(torch.nn.Module):  # type: ignore[misc]  # untyped where torch is absent
    """Token ids, mask and shapes in; logits of tags out."""

    def __init__(self, source: Path, layers: int) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(
            str(source), add_pooling_layer=False, attn_implementation="sdpa", num_hidden_layers=layers
        )
        width = self.bert.config.hidden_size
        self.shapes = torch.nn.Embedding(SHAPES, width)
        torch.nn.init.normal_(self.shapes.weight, std=0.02)
        self.head = torch.nn.Linear(width, TAGS)
        self.dropout = torch.nn.Dropout(0.1)

    def forward(self, input_ids: Any, attention_mask: Any, shapes: Any) -> Any:
        words = self.bert.embeddings.word_embeddings(input_ids) + self.shapes(shapes)
        hidden = self.bert(inputs_embeds=words, attention_mask=attention_mask).last_hidden_state
        return self.head(self.dropout(hidden))


def main() -> None:
    """Train, quantise, write the artefact."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m finetune.names.train")
    parser.add_argument("--source", type=Path, required=True, help="folder with MiniLM's weights")
    parser.add_argument("--wnut17", type=Path, required=True, help="wnut17train.conll")
    parser.add_argument("--texts", type=int, default=140_000, help="generated texts")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=3e-4, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--out", type=Path, default=NAMES_DIR)
    args = parser.parse_args()
    check_source(args.source)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(args.source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    examples = [encode(tokenizer, one) for one in corpus(args.texts, args.wnut17, args.seed)]
    model = Tagger(args.source, args.layers)
    fit(model, examples, rate=args.rate, seed=args.seed)
    recipe = {"texts": args.texts, "layers": args.layers, "rate": args.rate, "seed": args.seed}
    with written_artifact(
        args.out,
        FILES,
        name="touchstone-names-int8",
        licence="Apache-2.0; trained on WNUT17 (CC BY 4.0) among others, see CARD.md",
        rebuild=REBUILD,
        facts=facts_of(recipe, args.wnut17),
    ) as folder:
        quantise(model.eval(), examples[:: max(1, len(examples) // 400)], folder / "model.xml")
        write_lexicon(folder, known_names(args.seed), ordinary_words())


def corpus(count: int, wnut17: Path, seed: int) -> Iterator[LabelledText]:
    """Generated texts, tweets (three times over) and prose without names."""
    yield from generate(count, seed)
    tweets = list(read_conll(wnut17.read_text("utf-8")))
    for _ in range(3):
        yield from tweets
    yield from prose()


def read_conll(text: str) -> Iterator[LabelledText]:
    """Texts of a CoNLL file; words are joined by spaces, labels that aren't ours are dropped."""
    for block in text.split("\n\n"):
        words: list[str] = []
        spans: list[tuple[int, int, str]] = []
        size = 0
        for line in filter(str.strip, block.split("\n")):
            word, tag = line.split("\t")[:2]
            kind = _WNUT.get(tag.strip()[2:])
            if kind and tag.startswith("I-") and spans and spans[-1][1] == size - 1:
                spans[-1] = (spans[-1][0], size + len(word), kind)
            elif kind:
                spans.append((size, size + len(word), kind))
            words.append(word)
            size += len(word) + 1
        if words:
            yield LabelledText(" ".join(words), tuple(spans))


def prose() -> Iterator[LabelledText]:
    """Paragraphs of Python's language reference (PSF licence), in which nobody is named."""
    for topic in sorted(topics.topics):
        for paragraph in topics.topics[topic].split("\n\n"):
            text = " ".join(paragraph.split())
            if 60 < len(text) < 600 and not any(name in text for name in ("Guido", "Rossum", "Monty")):
                yield LabelledText(text, ())


def encode(tokenizer: Tokenizer, one: LabelledText) -> Example:
    """Ids, shapes and tags. Only the first token of a word has a tag."""
    encoding = tokenizer.encode(one.text)
    tags = []
    seen: set[int] = set()
    for (start, _), word in zip(encoding.offsets, encoding.word_ids, strict=True):
        if word is None or word in seen:
            tags.append(_IGNORED)
            continue
        seen.add(word)
        tags.append(_tag(start, one.spans))
    shapes = shapes_of(one.text, encoding.offsets, encoding.word_ids)
    return encoding.ids, shapes.tolist(), tags


def _tag(start: int, spans: Sequence[tuple[int, int, str]]) -> int:
    for begin, end, label in spans:
        if begin <= start < end:
            return 2 * LABELS.index(label) + (1 if start == begin else 2)
    return 0


def known_names(seed: int) -> Iterator[str]:
    """Given and family names of every locale, without those that are words as well in small letters."""
    for names in Values(seed).names:
        yield from names.given
        yield from names.family


def ordinary_words() -> Iterator[str]:
    """Texts of ordinary words: prose, the templates without their slots, Faker's word lists."""
    yield from (one.text for one in prose())
    yield from (re.sub(r"\{\w+\}", " ", template) for template in templates())
    for locale in sorted(set(WORDY)):
        yield " ".join(str(word) for word in Faker(locale).get_words_list())


def fit(model: Tagger, examples: Sequence[Example], *, rate: float, seed: int) -> None:
    """One pass over the examples (the generated ones never repeat), warm-up then linear decay."""
    chance = random.Random(seed)
    batches = list(batched(examples, chance))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=len(batches), pct_start=0.06, anneal_strategy="linear"
    )
    loss_of = torch.nn.CrossEntropyLoss(ignore_index=_IGNORED, label_smoothing=0.02)
    model.train()
    average = 0.0
    for step, batch in enumerate(batches):
        ids, mask, shapes, tags = tensors(batch)
        loss = loss_of(model(ids, mask, shapes).flatten(0, 1), tags.flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average = 0.98 * average + 0.02 * float(loss.detach())
        if step % 100 == 0:
            print(f"{step}/{len(batches)}  loss {average / (1 - 0.98 ** (step + 1)):.4f}", flush=True)


def batched(examples: Sequence[Example], chance: random.Random) -> Iterator[list[Example]]:
    """Batches of like length, in random order."""
    order = list(range(len(examples)))
    chance.shuffle(order)
    pools = [order[i : i + _BATCH * 64] for i in range(0, len(order), _BATCH * 64)]
    for pool in pools:
        pool.sort(key=lambda i: len(examples[i][0]))
        groups = [pool[i : i + _BATCH] for i in range(0, len(pool), _BATCH)]
        chance.shuffle(groups)
        yield from ([examples[i] for i in group] for group in groups)


def tensors(batch: Sequence[Example]) -> tuple[Any, Any, Any, Any]:
    """Ids, mask, shapes and tags, padded, each of shape `(len(batch), longest)`."""
    width = max(len(ids) for ids, _, _ in batch)

    def padded(column: int, filler: int) -> Any:
        return torch.tensor([[*row[column], *[filler] * (width - len(row[0]))] for row in batch])

    mask = torch.tensor([[1] * len(row[0]) + [0] * (width - len(row[0])) for row in batch])
    return padded(0, 0), mask, padded(1, 0), padded(2, _IGNORED)


def quantise(model: Tagger, examples: Sequence[Example], target: Path) -> None:
    """Write the int8 graph: post-training quantisation with NNCF, calibrated on training texts."""
    example = torch.ones(2, 16, dtype=torch.long)
    shape = openvino.PartialShape([-1, -1])
    with torch.no_grad():
        graph = openvino.convert_model(
            model,
            example_input={
                "input_ids": example,
                "attention_mask": example.clone(),
                "shapes": example.clone(),
            },
            input=[shape, shape, shape],
        )

    def inputs(one: Example) -> dict[str, Any]:
        ids = np.array([one[0]])
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "shapes": np.array([one[1]])}

    quantised = nncf.quantize(
        graph,
        nncf.Dataset(list(examples), inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(examples),
    )
    openvino.save_model(
        nncf.compress_weights(quantised) if _has_wide_embeddings(quantised) else quantised, target
    )


def _has_wide_embeddings(graph: Any) -> bool:
    return any(
        op.get_type_name() == "Constant"
        and op.get_element_type() == openvino.Type.f32
        and op.data.size > 1_000_000
        for op in graph.get_ops()
    )


def facts_of(recipe: dict[str, Any], wnut17: Path) -> dict[str, Any]:
    """What the manifest says of the model: its labels, what it was made of and how."""
    return {
        "labels": LABELS,
        "max_tokens": MAX_TOKENS,
        "source": {
            "model": MODEL,
            "revision": REVISION,
            **SOURCE_DIGESTS,
            "wnut17train.conll": digest_of(wnut17),
        },
        "recipe": recipe,
    }


if __name__ == "__main__":
    main()
