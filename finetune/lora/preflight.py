"""What is refused before anything is trained, since it would cost hours and show only in the answers."""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from finetune.lora.memory import Need, Shape, Way
from finetune.lora.recipe import Training
from finetune.lora.rows import Row
from finetune.lora.template import Encoded
from finetune.yaml_file import TrainingDataError

Pair = tuple[Row, Encoded]
_SHOWN = 5
_GIB = 2**30


def check_rows(pairs: Sequence[Pair], training: Training, *, end: int | None) -> None:
    """Raise `TrainingDataError` for no rows, and for rows that teach nothing, are too long or don't learn to end.

    `end` is the token that ends an answer.
    """
    if not any(row.split == "train" for row, _ in pairs):
        raise TrainingDataError(
            f"No row of the method {training.method!r} is there to train on. Look at what `prepare` printed: documents need"
            " the purpose `train` in their clearance."
        )
    _refuse(
        pairs,
        lambda row, told: len(told.completion) < 2 or not row.completion.strip(),
        "have no tokens to learn: their completion is empty. Remove them from the data.",
    )
    _refuse(
        pairs,
        lambda _, told: len(told) > training.max_tokens,
        f"are longer than `max_tokens`, {training.max_tokens:,}: {_lengths(pairs, training.max_tokens)}. Nothing is cut, since"
        " the end is the answer: put fewer passages into a row (`data.documents.passages`), or raise `training.max_tokens`.",
    )
    if end is None:
        raise TrainingDataError(
            "The base model's tokenizer names no end token (`eos_token`): an answer would never end. Take an instruct model."
        )
    _refuse(
        pairs,
        lambda row, told: row.kind != "text" and told.completion[-1] != end,
        f"don't end with the end token, {end}: it would be outside the loss, and answers would never end."
        " Encode rows with `Template.encode`.",
    )


def _refuse(pairs: Sequence[Pair], is_bad: Callable[[Row, Encoded], bool], what: str) -> None:
    bad = [row.id for row, told in pairs if is_bad(row, told)]
    if bad:
        raise TrainingDataError(f"{_named(bad)} {what}")


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{len(ids)} rows ({', '.join(ids[:_SHOWN])}{more})"


def _lengths(pairs: Sequence[Pair], most: int) -> str:
    longest = max((len(told) for _, told in pairs), default=0)
    count = sum(len(told) > most for _, told in pairs)
    return f"the longest of these {count} has {longest:,} tokens"


def check_splits(rows: Iterable[Row]) -> None:
    """Raise `TrainingDataError` for what is on both sides of the split: the looks would measure what was learned."""
    sides: dict[tuple[Any, ...], tuple[str, str]] = {}
    for row in rows:
        for key in _keys(row):
            split, first = sides.setdefault(key, (row.split, row.id))
            if split != row.split:
                raise TrainingDataError(
                    f"The rows {first} ({split}) and {row.id} ({row.split}) have the same {key[0]}: development rows would"
                    " measure what was learned. Build the dataset anew with `touchstone finetune prepare RECIPE`, which splits"
                    " by group and removes duplicates."
                )


def _keys(row: Row) -> Iterable[tuple[Any, ...]]:
    yield "group", row.group
    yield "prompt and completion", str(row.messages), row.completion
    # The same question is answered from one passage, whatever else is shown beside it.
    if row.is_answerable and row.question:
        yield "question and answer", row.question.casefold().strip(), row.completion


def check_template(told: Sequence[int], served: Sequence[int] | None) -> None:
    """Raise `TrainingDataError` unless a server reads a prompt as the base model's tokenizer tells it, token by token.

    None stands for a server that doesn't say what it reads.
    """
    if served is None or tuple(told) == tuple(served):
        return
    place = next(
        (i for i, pair in enumerate(zip(told, served, strict=False)) if pair[0] != pair[1]),
        min(len(told), len(served)),
    )
    raise TrainingDataError(
        f"The base model's chat template tells a prompt in {len(told)} tokens and the server reads {len(served)}; they"
        f" differ from token {place} on, so that what is trained would not be what is served. Serve the folder that is"
        " trained on, or copy its tokenizer and chat_template.jinja."
    )


def check_shape(shape: Shape, training: Training) -> None:
    """Raise `TrainingDataError` for modules that the model lacks and rows that it can't read."""
    unknown = sorted(set(training.modules) - set(shape.linear))
    if unknown:
        raise TrainingDataError(
            f"The base model has no linear layers named {unknown}; it has {sorted(shape.linear)}."
            " Name some of these as `training.modules`."
        )
    heads = sorted(set(training.modules) & {"lm_head", "embed_out"})
    if heads:
        raise TrainingDataError(
            f"`training.modules` names {heads}: servers load no adapter of the head, which is often tied to the embeddings."
            " Leave it out."
        )
    if training.max_tokens > shape.positions:
        raise TrainingDataError(
            f"`max_tokens` is {training.max_tokens:,} and the base model reads {shape.positions:,}. Lower it."
        )
    if shape.window is not None and shape.window < training.max_tokens and training.share_prefixes:
        raise TrainingDataError(
            f"The base model sees {shape.window:,} tokens back, and shared prefixes would let it see all. Set"
            f" `share_prefixes: false`, or `max_tokens` to {shape.window:,}."
        )


def check_quantisation(training: Training, *, has_gpu: bool) -> None:
    """Raise `TrainingDataError` for `4bit` where that can't be computed."""
    if training.quantise == "none":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingDataError(
            "`quantise: 4bit` needs bitsandbytes: pip install bitsandbytes. Or set `quantise: none`."
        )
    if not has_gpu:
        raise TrainingDataError("`quantise: 4bit` needs a GPU, and there is none. Set `quantise: none`.")


def check_memory(need: Need, free: int) -> Way:
    """The quickest way that fits. Raises `TrainingDataError`, which shows the arithmetic, where none does."""
    ways: tuple[Way, ...] = ("quick", "tight", "frugal")
    for way in ways:
        if need.total(way) <= free:
            return way
    raise TrainingDataError(
        f"Training takes about {need.total('frugal') / _GIB:.1f} GiB and {free / _GIB:.1f} GiB are free:"
        f" {need.arithmetic('frugal')}. Take fewer passages a row (`data.documents.passages`), a lower `training.rank`,"
        " or a smaller base model."
    )
