"""What marking passages as data did for the served model, as `evals run marking` measured it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ingestion.atomic import write_atomically
from service.logs import get_logger
from service.metrics import GUARD_MARKING

log = get_logger()
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
    write_atomically(folder / _FILE, json.dumps(asdict(measured)) + "\n")


def read_measured(folder: Path) -> MarkingMeasurement | None:
    """The last measurement; None when there is none that can be read."""
    try:
        return MarkingMeasurement(**json.loads((folder / _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def show_measured(folder: Path) -> None:
    """Set the gauges of the last measurement and log it; nothing where there is none."""
    measured = read_measured(folder)
    if measured is None:
        return
    GUARD_MARKING.labels("on").set(measured.success_on)
    GUARD_MARKING.labels("off").set(measured.success_off)
    log.info("marking_measured", model=measured.model, helps=measured.helps, cases=measured.cases)
