"""The curves of a training: one JSON object a line, on the disk before the next step, and a picture of them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from ingestion.atomic import write_atomically

Point = dict[str, Any]


def append(path: Path, point: Mapping[str, Any]) -> None:
    """Add a point, durably."""
    with path.open("ab") as file:
        file.write(orjson.dumps(point) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[Point]:
    """The points; a last line that a kill has torn is none."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    # What stands behind the last line break, if anything does, is torn.
    return [orjson.loads(line) for line in lines[:-1]]


def cut(path: Path, step: int) -> None:
    """Leave the points up to a step: those behind it are made again."""
    kept = [point for point in read(path) if point["step"] <= step]
    write_atomically(path, "".join(orjson.dumps(point).decode() + "\n" for point in kept))


def draw(path: Path, points: Sequence[Mapping[str, Any]]) -> None:
    """Write the picture: losses above, general text below. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    for name, style in (("loss", "-"), ("development", "o-")):
        above.plot(*_series(points, name), style, label=name, markersize=3)
    above.set_ylabel("-log p a token, mean of rows")
    above.legend()
    below.plot(*_series(points, "forgetting"), "o-", markersize=3)
    below.axhline(0, linewidth=0.5)
    below.set_ylabel("general text: relative fall")
    below.set_xlabel("step")
    fresh = path.with_name(f".{path.name}")
    figure.savefig(fresh, format="png", dpi=100)
    fresh.replace(path)


def _series(points: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    known = [point for point in points if point.get(name) is not None]
    return [point["step"] for point in known], [point[name] for point in known]
