"""What a search found, written down: the best recipe as a file that the other commands take, with what was tried above it."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from finetune.lora.search import Budget, Found, Goal
from ingestion.atomic import write_atomically


def write_best(path: Path, found: Found, goal: Goal, budget: Budget) -> None:
    """Write the recipe; the trials stand in its comments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = yaml.safe_dump(found.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_atomically(path, "\n".join([*(f"# {line}".rstrip() for line in told(found, goal, budget)), body]))


def told(found: Found, goal: Goal, budget: Budget) -> Iterator[str]:
    """The search in a few lines, the best trial first."""
    least = "least" if goal.direction == "minimize" else "most"
    yield f"Found by a search for the {least} {goal.metric}: {found.value:.6g}, in {len(found.tried)} trials."
    yield f"It cost {found.spent:.0f} of {budget.limit:g} {budget.unit}, and ended since {found.why}."
    yield ""
    sign = 1 if goal.direction == "minimize" else -1
    order = sorted(found.tried, key=lambda one: (one.value is None, sign * (one.value or 0.0), one.number))
    for one in order:
        params = ", ".join(f"{name} {_short(value)}" for name, value in sorted(one.params.items()))
        result = f"{one.value:.6g}" if one.value is not None else f"{one.state} {one.reason}".strip()
        yield f"{one.number:3}  {result:>12}  {one.spent:8.0f} {budget.unit}  {params}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
