"""Parity: what was trained is what is served. The same tokens are scored by PEFT, the merged model and the server.

Teacher-forced: each model is asked for the log probability of the token that stands there and for the likeliest one. The
yardstick is the base's own noise, between its float32 and bfloat16 on the same tokens. Heavy libraries load on use.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.lora.server import AdapterServer
from finetune.lora.template import Encoded
from finetune.yaml_file import TrainingDataError

MOST_GAP, LEAST_TOP1, LEAST_TOKENS = 1.5, 0.98, 500
_LEAST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Scores:
    """Of each scored token its log probability, and the likeliest token in its place."""

    log_probs: NDArray[np.float64]
    likeliest: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far two models are apart: the mean difference of log probabilities without its sign, and how often the same
    token is the likeliest."""

    mean: float
    top1: float


@dataclass(frozen=True, slots=True)
class Parity:
    """Gaps over `tokens` scored tokens: of the base to itself in bfloat16 (`noise`), of the adapter to the base
    (`difference`), of the merged model and the server to the adapter in PEFT, where they were asked."""

    tokens: int
    noise: Gap
    difference: Gap
    merged: Gap | None = None
    server: Gap | None = None

    @property
    def differs_from_base(self) -> bool:
        """Whether the adapter does anything that rounding wouldn't."""
        return self.difference.mean > self.noise.mean

    def faults(self) -> list[str]:
        """What isn't what was trained, a sentence each."""
        found = [] if self.tokens >= LEAST_TOKENS else [f"only {self.tokens} tokens were scored"]
        for name, gap in (("the merged model", self.merged), ("the server", self.server)):
            if gap is not None:
                found += _faults_of(name, gap, self.noise)
        return found

    def facts(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self) | {"faults": self.faults(), "differs_from_base": self.differs_from_base}


def _faults_of(name: str, gap: Gap, noise: Gap) -> list[str]:
    found = []
    # Not `>`: of a model that breaks, every gap is NaN.
    if not gap.mean <= MOST_GAP * noise.mean:
        found.append(
            f"log probabilities of {name} are {gap.mean:.4f} from PEFT's, more than {MOST_GAP:g} times the base's own"
            f" noise of {noise.mean:.4f}"
        )
    if not gap.top1 >= LEAST_TOP1:
        found.append(
            f"{name} finds the same likeliest token in {gap.top1:.3f} of places only, below {LEAST_TOP1:g}"
        )
    return found


def gap_of(one: Scores, other: Scores) -> Gap:
    """How far two models are apart on the same tokens."""
    gaps = np.abs(one.log_probs - other.log_probs)
    return Gap(float(gaps.mean()), float((one.likeliest == other.likeliest).mean()))


def measure_parity(
    base: Path,
    adapter: Path,
    sequences: Sequence[Encoded],
    *,
    merged: Path | None = None,
    server: AdapterServer | None = None,
    served_as: str = "",
) -> Parity:
    """Score the sequences with all of them; `served_as` is the name that the server knows the adapter by.

    Nobody else may ask the server meanwhile: a vLLM with adapters on a processor stops for good when prompts are scored
    beside other work (seen with 0.32). Raises `TrainingDataError`.
    """
    chosen = choose(sequences)
    starts = starts_of(chosen)
    peft, plain = _score_adapter(base, adapter, chosen, starts)
    rounded = _score_folder(base, chosen, starts, "bfloat16")
    in_one = _score_folder(merged, chosen, starts, "auto") if merged else None
    served = score_server(server, served_as, chosen, starts) if server else None
    return Parity(
        len(peft.log_probs),
        gap_of(plain, rounded),
        gap_of(peft, plain),
        gap_of(in_one, peft) if in_one else None,
        gap_of(served, peft) if served else None,
    )


def choose(sequences: Sequence[Encoded], *, least: int = LEAST_TOKENS) -> list[Encoded]:
    """Sequences evenly spread over all of them, no more than it takes for so many scored tokens and eight rows.

    Raises `TrainingDataError` where there are too few.
    """
    count = min(_LEAST_ROWS, len(sequences))
    while count:
        chosen = [sequences[i * len(sequences) // count] for i in range(count)]
        starts = starts_of(chosen)
        if sum(len(one) - start for one, start in zip(chosen, starts, strict=True)) >= least:
            return chosen
        if count == len(sequences):
            break
        count = min(2 * count, len(sequences))
    raise TrainingDataError(
        f"Parity takes {least} tokens, and {len(sequences)} rows hold fewer. Prepare more development rows."
    )


def starts_of(sequences: Sequence[Encoded]) -> list[int]:
    """The first scored token of each: what all begin with, such as the rules of the prompt, is left out."""
    whole = [one.prompt + one.completion for one in sequences]
    shortest = min(map(len, whole))
    shared = 0
    while len(whole) > 1 and shared < shortest and len({one[shared] for one in whole}) == 1:
        shared += 1
    # The first token follows nothing, and an answer is always scored.
    return [max(1, min(shared, len(one.prompt))) for one in sequences]


def score_model(model: Any, sequences: Sequence[Encoded], starts: Sequence[int]) -> Scores:
    """Scores by a model of transformers or PEFT, one sequence at a time."""
    import torch

    log_probs, likeliest = [], []
    model.eval()
    with torch.inference_mode():
        for one, start in zip(sequences, starts, strict=True):
            ids = torch.tensor([one.prompt + one.completion], device=model.device)
            kept = len(one) - start + 1
            logits = model(input_ids=ids, logits_to_keep=kept).logits[0, :-1].float()
            targets = ids[0, start:]
            scored = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
            log_probs.append(scored.double().cpu().numpy())
            likeliest.append(logits.argmax(-1).cpu().numpy())
    return Scores(np.concatenate(log_probs), np.concatenate(likeliest))


def _score_adapter(
    base: Path, adapter: Path, sequences: Sequence[Encoded], starts: Sequence[int]
) -> tuple[Scores, Scores]:
    """By PEFT in float32: with the adapter, and without it."""
    from peft import PeftModel

    try:
        model = PeftModel.from_pretrained(_loaded(base, "float32"), str(adapter))
    except (ValueError, RuntimeError, KeyError) as exc:
        raise TrainingDataError(
            f"The adapter {str(adapter)!r} doesn't fit the base {str(base)!r}: {exc}"
        ) from exc
    found = score_model(model, sequences, starts)
    with model.disable_adapter():
        return found, score_model(model, sequences, starts)


def _score_folder(folder: Path, sequences: Sequence[Encoded], starts: Sequence[int], kept: str) -> Scores:
    return score_model(_loaded(folder, kept), sequences, starts)


def _loaded(folder: Path, kept: str) -> Any:
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(str(folder), dtype=kept, local_files_only=True)
    except (OSError, ValueError) as exc:
        raise TrainingDataError(f"There is no model in {str(folder)!r}: {exc}") from exc


def score_server(
    server: AdapterServer, model: str, sequences: Sequence[Encoded], starts: Sequence[int]
) -> Scores:
    """Scores by a vLLM, one request at a time. Raises `TrainingDataError`."""
    log_probs: list[float] = []
    likeliest: list[int] = []
    for one, start in zip(sequences, starts, strict=True):
        tokens = one.prompt + one.completion
        for token, told in zip(tokens[start:], _told(server, model, tokens)[start:], strict=True):
            log_probs.append(told[str(token)]["logprob"])
            likeliest.append(int(next(key for key, value in told.items() if value["rank"] == 1)))
    return Scores(np.array(log_probs), np.array(likeliest))


def _told(server: AdapterServer, model: str, tokens: Sequence[int]) -> list[dict[str, Any]]:
    """For each token of a prompt, what the server says of it and of the likeliest one, by token id."""
    body = {
        "model": model,
        "prompt": list(tokens),
        "prompt_logprobs": 1,
        "max_tokens": 1,
        "temperature": 0,
    }
    reply = server.post("/completions", body)
    if reply.status != 200:
        raise TrainingDataError(
            f"The server {server.url!r} answered {reply.status} when asked to score as {model!r}: {reply.text[:300]}"
        )
    try:
        told: list[dict[str, Any]] = reply.json()["choices"][0]["prompt_logprobs"]
    except (KeyError, IndexError, TypeError) as exc:
        raise TrainingDataError(
            f"The server {server.url!r} tells no `prompt_logprobs`: parity can't be measured on it. Use a vLLM."
        ) from exc
    if not told or len(told) != len(tokens):
        raise TrainingDataError(f"The server {server.url!r} scored another prompt than it was sent.")
    return told
