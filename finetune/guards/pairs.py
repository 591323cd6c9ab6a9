"""`python -m finetune.guards pairs --data FOLDER --source FOLDER`: the judge of pairs, a MiniLM that reads a claim or a
question beside its evidence.

Two outputs: whether the evidence supports the claim, and whether it answers the question. Learned from the halves of
BEGIN, Q², WiCE and CLAPNQ that nothing is measured with, from questions of XQuAD and COVID-QA with and without the sentence
that answers them, and from claims that `invent` makes. Needs the extra `models`; an hour on two busy cores.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from finetune.guards.claims import claims
from finetune.guards.invent import invent, pool_of
from ingestion.detect.heads import is_held_out
from ingestion.detect.pairs import ANSWERS, MAX_TOKENS, PAIRS_DIR, SUPPORTS, chosen_evidence
from ingestion.embed import builtin_folder
from ingestion.embed.export import MODEL, REVISION, SOURCE_DIGESTS, check_source
from ingestion.sentences import sentence_spans

_TIMES = {"begin": 3, "q2": 4, "wice": 3, "clapnq": 4}
_INVENTED = 12_000
_BATCH, _RATE = 24, 1.5e-4
_WINDOW_CHARS = 900


@dataclass(frozen=True, slots=True)
class Example:
    """A claim or question, its evidence, whether it holds, and of which output."""

    text: str
    evidence: str
    holds: bool
    output: int


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


def build(data: Path, source: Path, out: Path = PAIRS_DIR, *, seed: int = 7) -> None:
    """Train, quantise, write data first and the manifest last."""
    check_source(source)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    examples = list(corpus(data, rng))
    tokenizer = Tokenizer.from_file(str(builtin_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    encoded = [tokenizer.encode(one.text, one.evidence) for one in examples]
    model = Judge(source)
    fit(model, encoded, examples, rng)
    out.mkdir(parents=True, exist_ok=True)
    quantise(model.eval(), encoded[:: max(1, len(encoded) // 300)], out / "model.xml")
    write_manifest(out, data, seed)


def corpus(data: Path, rng: random.Random) -> Iterator[Example]:
    """All that it learns from."""
    for claim in claims(data):
        one = Example(claim.text, chosen_evidence(claim.text, claim.evidence), claim.is_supported, SUPPORTS)
        yield from [one] * _TIMES[claim.source]
    asked = list(_clapnq(data))
    for question, passage, is_answered, _ in asked:
        yield from [Example(question, chosen_evidence(question, passage), is_answered, ANSWERS)] * _TIMES[
            "clapnq"
        ]
        if is_answered:
            other = rng.choice(asked)[1]
            yield Example(question, chosen_evidence(question, other), False, ANSWERS)
    for _, passage, is_answered, answer in asked:
        if is_answered and answer and len(answer.split()) < 60:
            yield from [Example(answer, chosen_evidence(answer, passage), True, SUPPORTS)] * 2
    yield from _squad_like(data, rng)
    yield from _covid(data, rng)
    for text, evidence, holds in invent(pool_of(list(_passages(data))), _INVENTED, rng):
        yield Example(text, evidence, holds, SUPPORTS)


def _clapnq(data: Path) -> Iterator[tuple[str, str, bool, str]]:
    """Question, passage, whether it answers, and the long answer."""
    for name in ("answerable", "unanswerable"):
        for line in (data / "clapnq" / f"clapnq_dev_{name}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            if not is_held_out(row["input"]):
                passage = row["passages"][0]
                answer = row["output"][0]["answer"] if name == "answerable" and row["output"] else ""
                yield row["input"], f"{passage['title']}. {passage['text']}", name == "answerable", answer


def _squad_like(data: Path, rng: random.Random) -> Iterator[Example]:
    """XQuAD's questions with their paragraph, with it less the sentence that answers, and with one of the same article."""
    for article in json.loads((data / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]:
        contexts = [paragraph["context"] for paragraph in article["paragraphs"]]
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            spans = list(sentence_spans(text))
            for number, item in enumerate(paragraph["qas"]):
                question, place = item["question"], item["answers"][0]["answer_start"]
                yield Example(question, chosen_evidence(question, text), True, ANSWERS)
                rest = " ".join(text[a:b] for a, b in spans if not a <= place < b)
                others = [other for other in contexts if other != text]
                if number % 2 and rest:
                    yield Example(question, chosen_evidence(question, rest), False, ANSWERS)
                elif not number % 2 and others:
                    words = set(question.lower().split())
                    near = max(others, key=lambda other: len(words & set(other.lower().split())))
                    yield Example(question, chosen_evidence(question, near), False, ANSWERS)


def _covid(data: Path, rng: random.Random) -> Iterator[Example]:
    for article in _covid_articles(data):
        text = article["context"]
        for item in article["qas"]:
            question, place = item["question"], item["answers"][0]["answer_start"]
            begin = max(0, place - rng.randint(100, 600))
            far = (place + 3_000) % max(len(text) - _WINDOW_CHARS, 1)
            yield Example(
                question, chosen_evidence(question, text[begin : begin + _WINDOW_CHARS]), True, ANSWERS
            )
            yield Example(
                question, chosen_evidence(question, text[far : far + _WINDOW_CHARS]), False, ANSWERS
            )


def _covid_articles(data: Path) -> list[dict[str, Any]]:
    raw = json.loads((data / "covid-qa" / "200423_covidQA.json").read_text("utf-8"))
    return [paragraph for article in raw["data"] for paragraph in article["paragraphs"]]


def _passages(data: Path) -> Iterator[str]:
    """Passages that claims are invented from."""
    for article in json.loads((data / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]:
        yield from (paragraph["context"] for paragraph in article["paragraphs"])
    seen: dict[str, None] = {}
    for name in ("answerable", "unanswerable"):
        for line in (data / "clapnq" / f"clapnq_dev_{name}.jsonl").read_text("utf-8").splitlines():
            seen.update((passage["text"], None) for passage in json.loads(line)["passages"])
    yield from seen
    for article in _covid_articles(data):
        text = article["context"]
        yield from (text[i : i + _WINDOW_CHARS] for i in range(2_000, 11_000, _WINDOW_CHARS))


def fit(model: Judge, encoded: Sequence[Any], examples: Sequence[Example], rng: random.Random) -> None:
    """One pass, in batches of like length, warm-up then linear decay."""
    order = list(range(len(encoded)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for begin in range(0, len(order), _BATCH * 50):
        pool = sorted(order[begin : begin + _BATCH * 50], key=lambda i: len(encoded[i].ids))
        groups = [pool[i : i + _BATCH] for i in range(0, len(pool), _BATCH)]
        rng.shuffle(groups)
        batches += groups
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=len(batches), pct_start=0.08, anneal_strategy="linear"
    )
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    model.train()
    for step, batch in enumerate(batches):
        ids, mask, types = _tensors([encoded[i] for i in batch])
        outputs = torch.tensor([examples[i].output for i in batch])
        labels = torch.tensor([0.98 if examples[i].holds else 0.02 for i in batch])
        logits = model(ids, mask, types)[torch.arange(len(batch)), outputs]
        loss = loss_of(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"{step}/{len(batches)}  loss {float(loss.detach()):.4f}", flush=True)


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


def write_manifest(folder: Path, data: Path, seed: int) -> None:
    """The manifest: what it is, what it was made of, and the digest of every file."""
    sources = (
        "begin/begin_dev_cmu.tsv", "begin/begin_dev_wow.tsv", "q2/cross_annotation.csv", "wice/oracle_chunks_claim_test.jsonl",
        "clapnq/clapnq_dev_answerable.jsonl", "clapnq/clapnq_dev_unanswerable.jsonl", "xquad/xquad.en.json", "covid-qa/200423_covidQA.json",
    )  # fmt: skip
    files = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.xml", "model.bin")
    }
    manifest = {
        "name": "touchstone-pairs-int8",
        "digest": hashlib.sha256("".join(files.values()).encode()).hexdigest(),
        "max_tokens": MAX_TOKENS,
        "source": {"model": MODEL, "revision": REVISION, **SOURCE_DIGESTS},
        "sources": {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in sources},
        "recipe": {"invented": _INVENTED, "batch": _BATCH, "rate": _RATE, "passes": 1, "seed": seed},
        "licence": "Apache-2.0; trained on openly licensed sets, see CARD.md",
        "rebuild": "python -m finetune.guards pairs --data FOLDER --source FOLDER",
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
