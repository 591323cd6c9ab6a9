"""A base model that knows further terms as single tokens: a new folder, whose new rows are made from the old pieces.

A changed vocabulary is another model. vLLM loads the new folder as its base, or the merged model; an adapter that was trained
on it fits no other base, and vLLM refuses adapters that bring embeddings of their own.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.lora.base import TOKENIZER, base_digest, found_in
from finetune.lora.models import load_model
from finetune.lora.template import Template
from finetune.yaml_file import TrainingDataError
from ingestion.atomic import sync, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

ADDED = "added_terms.json"
_COPIED = (*TOKENIZER, "generation_config.json", "LICEN[SC]E*", "NOTICE*")
_LEAST_CHARS = 4
_WINDOW_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Lesson:
    """How the new embeddings learn: so many steps of Adam, each on a passage of `texts` that has one of the terms."""

    texts: Sequence[str]
    steps: int
    learning_rate: float = 1e-3
    seed: int = 7


@dataclass(frozen=True, slots=True)
class AddedTerms:
    """A new base. `terms` are its new tokens with the pieces that stood for them; `losses` those of their training."""

    folder: Path
    digest: str
    terms: Mapping[str, tuple[str, ...]]
    losses: tuple[float, ...] = ()


def add_terms(base: Path, out: Path, terms: Sequence[str], lesson: Lesson | None = None) -> AddedTerms:
    """Write a base into `out` whose tokenizer has each term as one token, with the blank before it.

    A new embedding is the mean of those of the term's pieces, in the input and, where it isn't tied to it, in the output.
    With a `lesson` the new embeddings, and nothing else, are trained. All other weights stay as they are, bit by bit. Raises
    `TrainingDataError` for a folder that is there, for a term that is none, and for texts that have none of the terms.
    """
    if out.exists():
        raise TrainingDataError(f"{str(out)!r} is there already. Name another folder, or remove it.")
    tokenizer = Template(base).tokenizer
    unique = dict.fromkeys(terms)
    pieces = {term: tokenizer(f" {term}", add_special_tokens=False)["input_ids"] for term in unique}
    _check(pieces)
    shown = {term: tuple(tokenizer.decode([one]).strip() for one in ids) for term, ids in pieces.items()}
    made_of = {"base": base_digest(base), "pieces": shown, "steps": lesson.steps if lesson else 0}
    with _written(out) as fresh:
        # The tokenizer is changed last: the pieces are those of the old one.
        tokenizer.add_tokens(_tokens(pieces))
        losses = _write_model(base, fresh, tokenizer, pieces, lesson)
        for path in found_in(base, _COPIED):
            shutil.copyfile(path, fresh / path.name)
        tokenizer.save_pretrained(str(fresh))
        write_atomically(fresh / ADDED, json.dumps(made_of, ensure_ascii=False, indent=1))
    return AddedTerms(out, base_digest(out), shown, losses)


def _check(pieces: Mapping[str, Sequence[int]]) -> None:
    """Raise `TrainingDataError` for no term, one that is a token already, and one that would cut other words apart."""
    if not pieces:
        raise TrainingDataError("There is no term to add: name some with --add.")
    for term, ids in pieces.items():
        if term != term.strip() or len(term) < _LEAST_CHARS:
            raise TrainingDataError(
                f"The term {term!r} has fewer than {_LEAST_CHARS} letters or blanks around it: it would be found within"
                " other words. Leave it out."
            )
        if len(ids) < 2:
            raise TrainingDataError(f"The term {term!r} is one token already. Leave it out.")


def _tokens(terms: Mapping[str, Any]) -> list[Any]:
    from tokenizers import AddedToken

    # With its blank, so that what is decoded is what was encoded.
    return [AddedToken(f" {term}", normalized=False, special=False) for term in terms]


@contextmanager
def _written(out: Path) -> "Iterator[Path]":
    """A hidden folder beside the place, which takes it at the end or is gone."""
    fresh = out.parent / f".{out.name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        for path in fresh.iterdir():
            sync(path)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_model(
    base: Path, out: Path, tokenizer: Any, pieces: Mapping[str, Sequence[int]], lesson: Lesson | None
) -> tuple[float, ...]:
    import torch

    model = load_model(base)
    kept = model.get_input_embeddings().weight.dtype
    model.float()
    rows = {tokenizer.convert_tokens_to_ids(f" {term}"): list(ids) for term, ids in pieces.items()}
    # Some models have more rows than their tokenizer has tokens.
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    tables = _tables(model)
    with torch.no_grad():
        for table in tables:
            for row, ids in rows.items():
                table[row] = table[ids].mean(dim=0)
    losses = _taught(model, tables, sorted(rows), lesson, tokenizer) if lesson else ()
    model.to(kept).save_pretrained(str(out))
    return losses


def _tables(model: Any) -> "list[torch.Tensor]":
    """The embeddings of input and output; one where they are tied."""
    told, said = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    return [told] if told is said else [told, said]


def _windows(tokenizer: Any, rows: Sequence[int], texts: Sequence[str]) -> list[list[int]]:
    """Pieces of the texts that have a new token."""
    found = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        for start in range(0, len(ids), _WINDOW_TOKENS):
            window = ids[start : start + _WINDOW_TOKENS]
            if len(window) > 1 and not set(rows).isdisjoint(window):
                found.append(window)
    return found


def _taught(
    model: Any, tables: "Sequence[torch.Tensor]", rows: Sequence[int], lesson: Lesson, tokenizer: Any
) -> tuple[float, ...]:
    """Train the new rows alone: a step is taken on copies of them, and the tables get what came out. The losses."""
    import torch

    windows = _windows(tokenizer, rows, lesson.texts)
    if not windows:
        raise TrainingDataError(
            "No text has one of the terms, so nothing can be learned of them: leave out --steps."
        )
    model.eval()
    for weight in model.parameters():
        weight.requires_grad_(any(weight is table for table in tables))
    own = [torch.nn.Parameter(table[list(rows)].detach().clone()) for table in tables]
    optimizer = torch.optim.Adam(own, lr=lesson.learning_rate)
    order = torch.Generator().manual_seed(lesson.seed)
    losses = []
    for _ in range(lesson.steps):
        ids = torch.tensor([windows[int(torch.randint(len(windows), (1,), generator=order))]])
        model.zero_grad(set_to_none=True)
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        for parameter, table in zip(own, tables, strict=True):
            assert table.grad is not None, "the loss depends on every table"
            parameter.grad = table.grad[list(rows)]
        optimizer.step()
        with torch.no_grad():
            for parameter, table in zip(own, tables, strict=True):
                table[list(rows)] = parameter
        losses.append(float(loss.detach()))
    return tuple(losses)
