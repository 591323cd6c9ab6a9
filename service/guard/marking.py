"""What marking passages as data did for the served model, as `evals run marking` measured it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "marking.json"


@dataclass(frozen=True, slots=True)
class MarkingMeasurement:
    """The model, the share of planted orders that it carried out with marking and without, and of how many."""

    model: str
    success_on: float
    success_off: float
    cases: int

    @property
    def helps(self) -> bool:
        """Whether fewer orders were carried out with marking."""
        return self.success_on < self.success_off


def write_measured(folder: Path, measured: MarkingMeasurement) -> None:
    """Keep it where the gateway finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_FILE}.partial"
    partial.write_text(json.dumps(asdict(measured)) + "\n", "utf-8")
    partial.replace(folder / _FILE)


def read_measured(folder: Path) -> MarkingMeasurement | None:
    """The last measurement; None when there is none that can be read."""
    try:
        return MarkingMeasurement(**json.loads((folder / _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
