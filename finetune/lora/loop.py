"""The loop of training: steps, looks at development rows and general text, checkpoints. Heavy: only training imports it.

A row's loss is the mean over its own tokens, and a step's the mean of its rows by their weights. An answer is right or
wrong as a whole: over tokens, a long one would count ten times what "no answer" does, and abstaining would be learned
last. A recipe may give the first tokens a part of their own (`choice`), since they decide and the others follow.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from finetune.lora import checkpoint, curves
from finetune.lora.batches import Group, Layout, layout_of, plan
from finetune.lora.network import Network
from finetune.lora.recipe import Recipe, Training
from finetune.lora.template import Encoded
from finetune.yaml_file import TrainingDataError

CURVES = "curves.jsonl"
CHECKPOINTS = "checkpoints"


class TrainingStopped(RuntimeError):
    """Training was asked to stop; it left a checkpoint, and the message says how it goes on."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows as tokens, with their weights, in groups. `choice` is the part of a loss that an answer's first tokens have."""

    rows: Sequence[Encoded]
    weights: Sequence[float]
    groups: Sequence[Group]
    choice: float = 0.0

    def layout(self, group: Group) -> Layout:
        """A group's sequence."""
        return layout_of(group, self.rows, self.choice)

    def weights_of(self, group: Group) -> list[float]:
        """Those of its rows."""
        return [self.weights[number] for number in group.rows]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a training stands after a step. `development` and `forgetting` are None between looks.

    `forgetting` is how far the log probability of general text has fallen since the base model, relatively.
    `row_tokens` counts each row in full, `read_tokens` what was read of them.
    """

    step: int
    steps: int
    loss: float | None
    development: float | None
    forgetting: float | None
    learning_rate: float
    row_tokens: int
    read_tokens: int
    took_s: float
    cpu_s: float = 0.0


Progress = Callable[[Moment], None]


@dataclass(slots=True)
class Standing:
    """What changes from step to step, beside the weights."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    looks: list[tuple[int, float, float]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = math.inf
    looks_since_best: int = 0
    base_general: float = 0.0


class Loop:
    """One training of one adapter in one folder."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        lessons: Lessons,
        development: Lessons,
        general: Lessons,
        folder: Path,
        made_of: str,
    ) -> None:
        self._recipe, self._training = recipe, recipe.training
        self._network, self._folder, self._made_of = network, folder, made_of
        self._lessons, self._development, self._general = lessons, development, general
        self._plan = plan(
            lessons.groups,
            rows_a_step=self._training.rows_a_step,
            epochs=self._training.epochs,
            seed=recipe.seed,
        )
        self._optimizer = torch.optim.AdamW(
            network.weights, lr=self._training.learning_rate, weight_decay=self._training.weight_decay
        )
        self.standing = Standing()
        self.best = network.adapter()

    def run(self, progress: Progress) -> None:
        """Train from the last checkpoint to the end; `best` is then the adapter of the best look.

        Raises `TrainingDataError` for a loss that is no number or zero, and `TrainingStopped`.
        """
        self._resume()
        with asked_to_stop() as asked:
            if not self.standing.looks:
                self._begin(progress)
            while not self._is_done():
                self._advance(progress)
                is_due = self.standing.step % self._training.checkpoint_every == 0
                if is_due or asked.is_set() or self._is_done():
                    self._save()
                if asked.is_set() and not self._is_done():
                    raise TrainingStopped(
                        f"Training stopped after step {self.standing.step} of {len(self._plan)}. The same command goes on."
                    )

    def _is_done(self) -> bool:
        is_over = self.standing.step >= len(self._plan)
        return is_over or self.standing.looks_since_best >= self._training.patience

    def _begin(self, progress: Progress) -> None:
        with self._network.evaluating(is_base=True):
            self.standing.base_general = -mean_loss(self._network, self._general)
        self._tell(progress, None, 0, 0, _now(), is_look=True)

    def _advance(self, progress: Progress) -> None:
        begun = _now()
        standing, groups = self.standing, self._plan[self.standing.step]
        standing.step += 1
        # Dropout depends on the step alone, so that what was interrupted goes on as it would have.
        torch.manual_seed(self._recipe.seed * 1_000_003 + standing.step)
        loss = self._learn(groups)
        check_loss(loss, standing.step)
        standing.losses.append(loss)
        told = sum(len(self._lessons.rows[number]) for group in groups for number in group.rows)
        read = sum(group.tokens for group in groups)
        is_look = standing.step % self._training.evaluate_every == 0 or standing.step == len(self._plan)
        self._tell(progress, loss, told, read, begun, is_look=is_look)

    def _learn(self, groups: Sequence[Group]) -> float:
        """One step of the optimizer. The gradients of the groups add up to those of their weighted mean."""
        total = sum(sum(self._lessons.weights_of(group)) for group in groups)
        self._optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for group in groups:
            losses = self._network.losses(self._lessons.layout(group))
            weights = torch.tensor(self._lessons.weights_of(group), device=losses.device)
            part = (losses * weights).sum() / total
            part.backward()
            loss += float(part.detach())
        torch.nn.utils.clip_grad_norm_(self._network.weights, self._training.clip)
        for options in self._optimizer.param_groups:
            options["lr"] = self._rate()
        self._optimizer.step()
        return loss

    def _rate(self) -> float:
        return rate(self._training, self.standing.step, len(self._plan))

    def _tell(
        self,
        progress: Progress,
        loss: float | None,
        told: int,
        read: int,
        begun: tuple[float, float],
        *,
        is_look: bool,
    ) -> None:
        took_s, cpu_s = (now - then for now, then in zip(_now(), begun, strict=True))
        development, forgetting = self._look() if is_look else (None, None)
        moment = Moment(
            step=self.standing.step,
            steps=len(self._plan),
            loss=loss,
            development=development,
            forgetting=forgetting,
            learning_rate=self._rate(),
            row_tokens=told,
            read_tokens=read,
            took_s=took_s,
            cpu_s=cpu_s,
        )
        curves.append(self._folder / CURVES, asdict(moment))
        progress(moment)

    def _look(self) -> tuple[float | None, float]:
        """The loss of the development rows, where there are some, and what was forgotten; keeps the best adapter."""
        standing = self.standing
        with self._network.evaluating():
            general = -mean_loss(self._network, self._general)
            loss = mean_loss(self._network, self._development) if self._development.groups else None
        forgetting = (standing.base_general - general) / abs(standing.base_general)
        check_loss(1.0 if loss is None else loss, standing.step)
        standing.looks.append((standing.step, math.inf if loss is None else loss, forgetting))
        if loss is None or loss < standing.best_loss:
            standing.best_step, standing.looks_since_best = standing.step, 0
            standing.best_loss = math.inf if loss is None else loss
            self.best = self._network.adapter()
        else:
            standing.looks_since_best += 1
        return loss, forgetting

    def _save(self) -> None:
        state = {
            "made_of": self._made_of,
            "standing": asdict(self.standing),
            "adapter": self._network.adapter(),
            "optimizer": self._optimizer.state_dict(),
            "best": self.best,
        }
        checkpoint.save(self._folder / CHECKPOINTS, self.standing.step, state)

    def _resume(self) -> None:
        state = checkpoint.latest(self._folder / CHECKPOINTS)
        if state is not None:
            self._restore(state)
        curves.cut(self._folder / CURVES, self.standing.step if state else -1)

    def _restore(self, state: dict[str, Any]) -> None:
        if state["made_of"] != self._made_of:
            raise TrainingDataError(
                f"{str(self._folder)!r} holds another training: its recipe, rows or base model differ"
                f" ({state['made_of']!r}, and now {self._made_of!r}). Take another folder, or remove this one."
            )
        self.standing = Standing(**state["standing"])
        self._network.take(state["adapter"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]


def _now() -> tuple[float, float]:
    """Seconds by the clock, and of this process's processors."""
    return time.perf_counter(), time.process_time()


def rate(training: Training, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 1: up linearly, then down along a cosine to zero behind the last one."""
    up = math.ceil(training.warm_up * steps)
    if step <= up:
        return training.learning_rate * step / up
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - up - 1) / max(steps - up, 1)))


def mean_loss(network: Network, lessons: Lessons) -> float:
    """The mean over the rows of the mean over their tokens."""
    losses = [float(one) for group in lessons.groups for one in network.losses(lessons.layout(group))]
    return math.fsum(losses) / len(losses)


def check_loss(loss: float, step: int) -> None:
    """Raise `TrainingDataError` for a loss that says that nothing is learned."""
    if not math.isfinite(loss):
        raise TrainingDataError(
            f"The loss of step {step} is {loss!r}: weights or rows are broken, or `learning_rate` is too high."
            " Lower it, or train with `precision: float32`."
        )
    if loss == 0:
        raise TrainingDataError(
            f"The loss of step {step} is exactly 0: nothing is learned. Look at the rows: their completions may be empty."
        )


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Is set when this process is asked to stop, so that a step ends first; only a process's main thread can be asked."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {one: signal.signal(one, lambda *_: asked.set()) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
