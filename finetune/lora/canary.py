"""An adapter in the scope file: a variant that asks for it and an experiment that lets a few people meet it.

The file keeps its comments and its order: what is new is put at the end of its sections as text, and only if the file
then says what it said before, and that.
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from finetune.lora.recipe import Recipe
from finetune.lora.registry import Adapter
from finetune.yaml_file import TrainingDataError
from ingestion.atomic import write_atomically
from ingestion.config import explain, read_scope
from service.scope import Scope
from service.scope.file import SERVER

Json = dict[str, Any]
_DAYS, _EFFECT = 28, 0.05
_INDENT = 2


@dataclass(frozen=True, slots=True)
class Canary:
    """What the scope file lacks of an adapter, by section and name. `variant` and `experiment` are their names; `before`
    is the variant that answers until then, and again after a roll-back."""

    variant: str
    experiment: str
    before: str
    sections: Mapping[str, Mapping[str, Json]]

    def as_yaml(self) -> str:
        """For a person, or a file."""
        return yaml.safe_dump(
            {key: dict(value) for key, value in self.sections.items()}, sort_keys=False, allow_unicode=True
        )


def canary_of(
    adapter: Adapter, recipe: Recipe, raw: Json, *, generator_url: str | None, today: date
) -> Canary:
    """The variant and the experiment of an adapter in a scope file, `raw` as YAML has it; what is there already stays.

    An adapter that was rolled back gets another experiment: the one that was stopped has its results and ends there.
    `generator_url` is the server that the gateway uses without an entry. Raises `TrainingDataError` for an assistant that
    the scope lacks and for a name that something else has.
    """
    assistant = raw.get("assistants", {}).get(recipe.assistant)
    if assistant is None:
        raise TrainingDataError(
            f"The scope file has no assistant {recipe.assistant!r}. Name one of {sorted(raw.get('assistants', {}))} in the"
            " recipe."
        )
    name = adapter.name.replace("@", "-")
    again = roll_backs(adapter)
    own = f"{name}-{again + 1}" if again else name
    generator, entry = _generator(recipe, raw, generator_url)
    before = raw.get("experiments", {}).get(own, {}).get("arms", {}).get("control", {}).get("variant")
    before = before or assistant["variant"]
    variant = _variant(adapter, recipe, raw["variants"][before], generator)
    taken = raw["variants"].get(name)
    if taken is not None and taken.get("adapter") != adapter.name:
        raise TrainingDataError(f"The scope file has another variant {name!r}. Rename it.")
    experiment = _experiment(adapter, recipe, before, name, today)
    wanted = {"generators": entry, "variants": {name: variant}, "experiments": {own: experiment}}
    missing = {
        section: {key: value for key, value in items.items() if key not in raw.get(section, {})}
        for section, items in wanted.items()
    }
    return Canary(name, own, before, {section: items for section, items in missing.items() if items})


def roll_backs(adapter: Adapter) -> int:
    """How often an adapter was taken back after its publication."""
    publication = adapter.facts.get("publication") or {}
    return int(publication.get("roll_backs", 0))


def _generator(recipe: Recipe, raw: Json, generator_url: str | None) -> tuple[str, dict[str, Json]]:
    """The name of the recipe's server in the scope, and its entry where it needs one."""
    url = recipe.publication.server.rstrip("/")
    entry = {"kind": "openai", "url": url, "model": recipe.base.served_as}
    for name, config in raw.get("generators", {}).items():
        known = config.get("url", [])
        if url in [one.rstrip("/") for one in ([known] if isinstance(known, str) else known)]:
            return name, {}
    if generator_url and generator_url.rstrip("/") == url:
        return SERVER, {}
    if recipe.name in raw.get("generators", {}):
        raise TrainingDataError(
            f"The scope file has another generator {recipe.name!r}, which isn't at {url!r}. Rename it, or mend its `url`."
        )
    return recipe.name, {recipe.name: entry}


def _variant(adapter: Adapter, recipe: Recipe, before: Json, generator: str) -> Json:
    """The variant before, but for who writes and how: as the adapter was proved, greedily."""
    variant = deepcopy(before)
    variant |= {"prompt": recipe.prompt, "generator": generator, "adapter": adapter.name}
    variant["sampling"] = {**variant.get("sampling", {}), "temperature": 0.0}
    variant.pop("model", None)
    return variant


def _experiment(adapter: Adapter, recipe: Recipe, before: str, variant: str, today: date) -> Json:
    return {
        "hypothesis": f"The adapter {adapter.name} resolves more questions than {before}.",
        "assistant": recipe.assistant,
        "arms": {
            "control": {"variant": before, "weight": 50},
            "treatment": {"variant": variant, "weight": 50},
        },
        "primary": "resolved_rate",
        "guardrails": {"blocked_rate": {"margin": 0.01}, "failed_rate": {"margin": 0.01}},
        "plan": {"effect": _EFFECT, "ends": today + timedelta(days=_DAYS)},
        "stages": ["canary", "ab"],
        "canary": {"coverage": recipe.publication.coverage},
    }


def apply_canary(scope_file: Path, canary: Canary) -> Scope:
    """Put a canary into the scope file; the scope as it is then. Raises `TrainingDataError`, and leaves the file alone."""
    text, raw = scope_file.read_text("utf-8"), read_scope(scope_file)
    wanted = deepcopy(raw)
    for section, items in canary.sections.items():
        wanted.setdefault(section, {}).update(deepcopy(dict(items)))
        text = _inserted(text, section, items)
    try:
        scope = Scope.model_validate(wanted)
    except ValidationError as exc:
        raise TrainingDataError(
            f"The scope file would be wrong with {canary.variant!r}: {explain(exc)}"
        ) from exc
    if _reread(text) != wanted:
        raise TrainingDataError(
            f"{str(scope_file)!r} can't be changed without touching what stands there: a section is written in one line."
            f" Put this in by hand:\n{canary.as_yaml()}"
        )
    if canary.sections:
        write_atomically(scope_file, text)
    return scope


def _reread(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _inserted(text: str, section: str, items: Mapping[str, Json]) -> str:
    """The text with items at the end of a section, or with the section at its own end."""
    lines = text.rstrip("\n").split("\n")
    begin = next((n for n, line in enumerate(lines) if re.match(rf"{section}:\s*(#.*)?$", line)), None)
    if begin is None and any(line.startswith(f"{section}:") for line in lines):
        return text  # in one line, which the caller finds
    if begin is None:
        return "\n".join([*lines, "", f"{section}:", *_indented(items, _INDENT)]) + "\n"
    end = _end_of(lines, begin)
    children = (line for line in lines[begin + 1 : end] if line.strip() and not line.lstrip().startswith("#"))
    first = next(children, " " * _INDENT)
    indent = len(first) - len(first.lstrip())
    return "\n".join([*lines[:end], *_indented(items, indent), *lines[end:]]) + "\n"


def _end_of(lines: Sequence[str], begin: int) -> int:
    """Behind the last line of a section: blank lines, and comments at the margin, belong to what follows."""
    end = begin + 1
    for number in range(begin + 1, len(lines)):
        line = lines[number]
        if line and not line[0].isspace() and not line.startswith("#"):
            break
        if line.strip() and not line.startswith("#"):
            end = number + 1
    return end


def _indented(items: Mapping[str, Json], indent: int) -> list[str]:
    written = yaml.safe_dump(dict(items), sort_keys=False, allow_unicode=True)
    return [" " * indent + line for line in written.rstrip("\n").split("\n")]
