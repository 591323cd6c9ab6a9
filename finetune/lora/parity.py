"""Parity: what was trained is what is served. The same tokens are scored by PEFT, the merged model and the server.

Teacher-forced: each model is asked for the log probability of the token that stands there and for the likeliest one. The
yardstick is the base's own noise, between its float32 and bfloat16 on the same tokens. Answers are scored and what they
follow isn't: in prose the two likeliest words are often as likely, so that the base in bfloat16 finds other ones than
itself in 2 % of places. Heavy libraries load on use.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.lora.models import load_model, load_with_adapter
from finetune.lora.server import AdapterServer
from finetune.lora.template import Encoded
from finetune.yaml_file import TrainingDataError

MOST_GAP, LEAST_TOP1, LEAST_TOKENS = 1.5, 0.98, 500
# Scored tokens of a line at most, so that several groups of passages are read.
_MOST_PLACES = 150


@dataclass(frozen=True, slots=True)
class Line:
    """Tokens that are read in one go, and the places of those that are scored."""

    tokens: tuple[int, ...]
    places: tuple[int, ...]


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

    @property
    def is_enough(self) -> bool:
        """Whether so many tokens were scored that a gap says something."""
        return self.tokens >= LEAST_TOKENS

    def faults(self) -> list[str]:
        """What isn't what was trained, a sentence each."""
        found = [] if self.is_enough else [f"only {self.tokens} tokens were scored"]
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
    least: int = LEAST_TOKENS,
) -> Parity:
    """Score the sequences with all of them; `served_as` is the name that the server knows the adapter by. With a smaller
    `least` it takes less time, and proves nothing.

    Nobody else may ask the server meanwhile: a vLLM with adapters on a processor stops for good when prompts are scored
    beside other work (seen with 0.32). Raises `TrainingDataError`.
    """
    lines = choose(sequences, least=least)
    peft, plain = _score_adapter(base, adapter, lines)
    rounded = score_model(load_model(base, "bfloat16"), lines)
    in_one = score_model(load_model(merged), lines) if merged else None
    served = score_server(server, served_as, lines) if server else None
    return Parity(
        len(peft.log_probs),
        gap_of(plain, rounded),
        gap_of(peft, plain),
        gap_of(in_one, peft) if in_one else None,
        gap_of(served, peft) if served else None,
    )


def choose(sequences: Sequence[Encoded], *, least: int = LEAST_TOKENS) -> list[Line]:
    """Lines evenly spread over all sequences, no more than it takes for so many scored tokens.

    Raises `TrainingDataError` where there are too few.
    """
    lines = lines_of(sequences)
    for count in range(1, len(lines) + 1):
        chosen = [lines[i * len(lines) // count] for i in range(count)]
        if sum(len(line.places) for line in chosen) >= least:
            return chosen
    raise TrainingDataError(
        f"Parity takes {least} tokens of answers, and {len(sequences)} rows hold fewer. Prepare more development rows."
    )


def lines_of(sequences: Sequence[Encoded]) -> list[Line]:
    """Sequences as lines. Those next to each other that have at least half of a prompt in common are one: the rest of each
    follows the answer before it, so that long passages are read once for all their questions."""
    lines: list[Line] = []
    first: Encoded | None = None
    for one in sequences:
        shared = _common(first.prompt, one.prompt) if first else 0
        if first is not None and 2 * shared >= len(one.prompt) and len(lines[-1].places) < _MOST_PLACES:
            lines[-1] = _longer(lines[-1], one, shared)
        else:
            first = one
            lines.append(_longer(Line((), ()), one, 0))
    return lines


def _longer(line: Line, one: Encoded, shared: int) -> Line:
    read = line.tokens + one.prompt[shared:]
    # The first token of all follows nothing.
    places = range(max(1, len(read)), len(read) + len(one.completion))
    return Line(read + one.completion, line.places + tuple(places))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next(
        (number for number, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other))
    )


def score_model(model: Any, lines: Sequence[Line]) -> Scores:
    """Scores by a model of transformers or PEFT, one line at a time."""
    import torch

    log_probs, likeliest = [], []
    model.eval()
    with torch.inference_mode():
        for line in lines:
            ids = torch.tensor([line.tokens], device=model.device)
            places = torch.tensor(line.places, device=model.device)
            logits = model(input_ids=ids, logits_to_keep=places - 1).logits[0].float()
            scored = logits.log_softmax(-1).gather(1, ids[0, places][:, None])[:, 0]
            log_probs.append(scored.double().cpu().numpy())
            likeliest.append(logits.argmax(-1).cpu().numpy())
    return Scores(np.concatenate(log_probs), np.concatenate(likeliest))


def _score_adapter(base: Path, adapter: Path, lines: Sequence[Line]) -> tuple[Scores, Scores]:
    """By PEFT in float32: with the adapter, and without it."""
    model = load_with_adapter(base, adapter)
    found = score_model(model, lines)
    with model.disable_adapter():
        return found, score_model(model, lines)


def score_server(server: AdapterServer, model: str, lines: Sequence[Line]) -> Scores:
    """Scores by a vLLM, one request at a time. Raises `TrainingDataError`."""
    log_probs: list[float] = []
    likeliest: list[int] = []
    for line in lines:
        told = _told(server, model, line.tokens)
        for place in line.places:
            log_probs.append(told[place][str(line.tokens[place])]["logprob"])
            likeliest.append(int(next(key for key, value in told[place].items() if value["rank"] == 1)))
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
