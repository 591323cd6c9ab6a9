"""The record of a cycle: what each step made of what, from documents and feedback to the decision. Survives kills."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.lora.recipe import Recipe
from finetune.yaml_file import TrainingDataError
from ingestion.atomic import write_atomically

Facts = dict[str, Any]
_WHEN = ("at", "took_s")


@dataclass
class Record:
    """Facts of the steps that are done, in their order, in one file."""

    path: Path
    recipe: Recipe
    steps: dict[str, Facts] = field(default_factory=dict)

    def step(self, name: str, holds: Callable[[Facts], bool], work: Callable[[], Facts]) -> Facts:
        """The facts of a step: those that are written where what they name is still there, else those of the work.

        What comes after a step that made something else than before is forgotten: it was made of that.
        """
        known = self.steps.get(name)
        if known is not None and holds(known):
            return known
        began = datetime.now(UTC)
        facts = work()
        if known is not None and facts == {key: value for key, value in known.items() if key not in _WHEN}:
            return known
        self._forget_from(name)
        took = (datetime.now(UTC) - began).total_seconds()
        self.steps[name] = {**facts, "at": began.isoformat(), "took_s": round(took, 1)}
        self._write()
        return self.steps[name]

    def _forget_from(self, name: str) -> None:
        names = list(self.steps)
        for later in names[names.index(name) :] if name in names else []:
            del self.steps[later]

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {"recipe": self.recipe.model_dump(mode="json"), "steps": self.steps}
        write_atomically(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def open_record(path: Path, recipe: Recipe) -> Record:
    """The record of a recipe, empty where there is none. Raises `TrainingDataError` for a file that is none."""
    if not path.is_file():
        return Record(path, recipe)
    try:
        raw = json.loads(path.read_text("utf-8"))
        return Record(path, recipe, dict(raw["steps"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise TrainingDataError(
            f"The record {str(path)!r} can't be read: {exc}. Remove it to begin anew."
        ) from exc
