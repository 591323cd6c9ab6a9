"""`python -m finetune.guards cross-encoder --data FOLDER --source FOLDER`: trains the cross-encoder, a MiniLM that reads
a claim or a question together with its evidence.

Two outputs: whether the evidence supports the claim, and whether it answers the question. Training data: the halves of
BEGIN, Q², WiCE and CLAPNQ that no figure is measured on, questions of XQuAD and COVID-QA with and without the sentence
that answers them, and claims that `invent` makes. Needs the extra `models`; an hour on two busy cores.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from finetune.embedder.export import MODEL, REVISION, SOURCE_DIGESTS, check_source
from finetune.guards.examples import INVENTED, Example, corpus
from ingestion.artifact import digest_of, written_artifact
from ingestion.embed.builtin import BUILTIN_DIR
from service.guard.models.cross_encoder import CROSS_ENCODER_DIR, MAX_TOKENS, REBUILD

_BATCH, _BATCH_TOKENS, _POOL = 32, 3_840, 1_200
_SHORT_TOKENS = 96
_RATE, _SHOWN = 1e-4, 50


class Judge(torch.nn.Module):  # type: ignore[misc]  # untyped where torch is absent
    """Token ids, mask and types in; a logit for each output out."""

    def __init__(self, source: Path) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(
            str(source), add_pooling_layer=False, attn_implementation="sdpa"
        )
        self.head = torch.nn.Linear(self.bert.config.hidden_size, 2)
        self.drop = torch.nn.Dropout(0.1)

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        hidden = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)
        return self.head(self.drop(pooled + hidden[:, 0]))


def build(data: Path, source: Path, out: Path = CROSS_ENCODER_DIR, *, seed: int = 7) -> None:
    """Train, quantise, write the artefact."""
    check_source(source)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    examples = list(corpus(data, rng))
    tokenizer = Tokenizer.from_file(str(BUILTIN_DIR / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")
    encoded = [tokenizer.encode(one.text, one.evidence) for one in examples]
    model = Judge(source)
    fit(model, encoded, examples, rng)
    with written_artifact(
        out,
        ("model.xml", "model.bin"),
        name="touchstone-cross-encoder-int8",
        licence="Apache-2.0; trained on openly licensed sets, see CARD.md",
        rebuild=REBUILD,
        facts=facts_of(data, seed),
    ) as folder:
        quantise(model.eval(), encoded[:: max(1, len(encoded) // 300)], folder / "model.xml")


def fit(model: Judge, encoded: Sequence[Any], examples: Sequence[Example], rng: random.Random) -> None:
    """One pass, in batches of like length, warm-up then linear decay."""
    # Comparing is learned from short pairs, quickly; then all of them are read.
    sizes = [len(one.ids) for one in encoded]
    short = [place for place, size in enumerate(sizes) if size <= _SHORT_TOKENS]
    batches = _batches(short, sizes, rng) + _batches(list(range(len(sizes))), sizes, rng)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=len(batches), pct_start=0.08, anneal_strategy="linear"
    )
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    # Where the processor has bfloat16, in half the time.
    is_quick = torch.cpu._is_avx512_bf16_supported()
    recent: list[float] = []
    model.train()
    for step, batch in enumerate(batches):
        ids, mask, types = _tensors([encoded[i] for i in batch])
        outputs = torch.tensor([examples[i].output for i in batch])
        labels = torch.tensor([0.98 if examples[i].holds else 0.02 for i in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=is_quick):
            logits = model(ids, mask, types)[torch.arange(len(batch)), outputs].float()
        loss = loss_of(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        recent = (recent + [float(loss.detach())])[-_SHOWN:]
        if (step + 1) % _SHOWN == 0:
            print(f"{step + 1}/{len(batches)}  mean loss {sum(recent) / len(recent):.4f}", flush=True)


def _batches(places: Sequence[int], sizes: Sequence[int], rng: random.Random) -> list[list[int]]:
    """Places in a random order, those of like size together, each batch within the tokens that processors do best with."""
    order = list(places)
    rng.shuffle(order)
    batches: list[list[int]] = []
    for begin in range(0, len(order), _POOL):
        groups: list[list[int]] = [[]]
        for place in sorted(order[begin : begin + _POOL], key=lambda i: sizes[i]):
            if len(groups[-1]) == _BATCH or (len(groups[-1]) + 1) * sizes[place] > _BATCH_TOKENS:
                groups.append([])
            groups[-1].append(place)
        rng.shuffle(groups)
        batches += groups
    return batches


def _tensors(batch: Sequence[Any]) -> tuple[Any, Any, Any]:
    width = max(len(one.ids) for one in batch)
    ids = torch.tensor([one.ids + [0] * (width - len(one.ids)) for one in batch])
    types = torch.tensor([one.type_ids + [0] * (width - len(one.ids)) for one in batch])
    mask = torch.tensor([[1] * len(one.ids) + [0] * (width - len(one.ids)) for one in batch])
    return ids, mask, types


def quantise(model: Judge, encoded: Sequence[Any], target: Path) -> None:
    """Write the int8 graph: post-training quantisation with NNCF, calibrated on training pairs."""
    example = torch.ones(2, 16, dtype=torch.long)
    shape = openvino.PartialShape([-1, -1])
    names = ("input_ids", "attention_mask", "token_type_ids")
    with torch.no_grad():
        graph = openvino.convert_model(
            model, example_input={name: example.clone() for name in names}, input=[shape, shape, shape]
        )

    def inputs(one: Any) -> dict[str, Any]:
        ids = np.array([one.ids])
        return dict(zip(names, (ids, np.ones_like(ids), np.array([one.type_ids])), strict=True))

    quantised = nncf.quantize(
        graph,
        nncf.Dataset(list(encoded), inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(encoded),
    )
    openvino.save_model(quantised, target)


def facts_of(data: Path, seed: int) -> dict[str, Any]:
    """What the manifest says of the model: what it was made of, and how."""
    sources = (
        "begin/begin_dev_cmu.tsv", "begin/begin_dev_wow.tsv", "q2/cross_annotation.csv", "wice/oracle_chunks_claim_test.jsonl",
        "clapnq/clapnq_dev_answerable.jsonl", "clapnq/clapnq_dev_unanswerable.jsonl", "xquad/xquad.en.json", "covid-qa/200423_covidQA.json",
    )  # fmt: skip
    return {
        "max_tokens": MAX_TOKENS,
        "source": {"model": MODEL, "revision": REVISION, **SOURCE_DIGESTS},
        "sources": {name: digest_of(data / name) for name in sources},
        "recipe": {
            "invented": INVENTED,
            "batch": _BATCH,
            "batch_tokens": _BATCH_TOKENS,
            "short_first": _SHORT_TOKENS,
            "rate": _RATE,
            "seed": seed,
        },
    }
