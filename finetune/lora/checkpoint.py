"""What a training must know to go on exactly: whole or not there, the last two kept; one process at a time."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from finetune.yaml_file import TrainingDataError
from ingestion.atomic import sync

_KEPT = 2
_NAME = re.compile(r"step-(\d{8})\.pt")


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the checkpoint of a step; a kill at any moment leaves it whole or the ones before it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08}.pt"
    fresh = folder / f".{path.name}"
    with fresh.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(folder)
    for old in _all(folder)[_KEPT:]:
        old.unlink()


def latest(folder: Path) -> dict[str, Any] | None:
    """The state of the last step that has one; one that the disk has damaged is passed over. None without any."""
    for path in _all(folder):
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError):
            continue
        return state
    return None


def _all(folder: Path) -> list[Path]:
    """The last one first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While this holds, no other process trains in the folder. Raises `TrainingDataError`, which names the one that does.

    The lock goes with its process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise TrainingDataError(
                f"Process {file.read().strip()} trains in {str(folder)!r}. Wait until it ends, or stop it with"
                " SIGTERM: it then leaves a checkpoint, from which the same command goes on."
            ) from exc
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
