"""Themes of training texts: groups of templates and the lists that fill their slots, one file a theme in `templates/`."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from finetune.guards.grammar import Slots, sample, slots_in
from finetune.yaml_file import Strict, TrainingDataError, read

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Theme:
    """Templates by group, and the lists that fill the slots of them all."""

    groups: Mapping[str, tuple[str, ...]]
    slots: Slots

    def with_slots(self, **lists: Sequence[str]) -> "Theme":
        """The same templates with other lists for some slots."""
        return replace(self, slots={**self.slots, **lists})

    def sample(self, group: str, count: int, rng: random.Random) -> list[str]:
        """`count` texts or fewer of a group, each once, from all its templates in turn."""
        return sample(self.groups[group], self.slots, count, rng)


class RepeatedTemplate(Strict):
    """A template that takes several turns, so that more of the texts are made from it."""

    text: str
    times: Annotated[int, Field(ge=2)]


class ThemeFile(Strict):
    """A file as written. Lists may repeat a value, to have it drawn more often."""

    slots: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
    templates: dict[str, Annotated[tuple[str | RepeatedTemplate, ...], Field(min_length=1)]]
    filled_by_code: tuple[str, ...] = Field((), description="Slots whose lists are kept elsewhere.")


@lru_cache(maxsize=16)
def theme(name: str) -> Theme:
    """A theme by its file's name. Raises `TrainingDataError`, and `OSError` for a missing file."""
    return read_theme(FOLDER / f"{name}.yaml")


def read_theme(path: Path) -> Theme:
    """A theme of a file, whose slots are all known. Raises `TrainingDataError`, and `OSError` for a missing file."""
    file = read(path, ThemeFile)
    for group, templates in file.templates.items():
        _refuse_duplicates(path, group, [_text(template) for template in templates])
    _refuse_unknown_slots(path, file)
    groups = {
        group: tuple(text for template in templates for text in _turns(template))
        for group, templates in file.templates.items()
    }
    return Theme(groups, file.slots)


def _refuse_duplicates(path: Path, group: str, templates: Sequence[str]) -> None:
    for template, count in Counter(templates).items():
        if count > 1:
            raise TrainingDataError(
                f"{path.name}: the group {group!r} holds {template!r} {count} times. Write it once, as"
                f" `{{text: ..., times: {count}}}` if it should take several turns."
            )


def _refuse_unknown_slots(path: Path, file: ThemeFile) -> None:
    known = {*file.slots, *file.filled_by_code}
    for text in _texts(file):
        for slot in slots_in(text):
            if slot not in known:
                raise TrainingDataError(
                    f"{path.name}: {text!r} names the slot {slot!r}, which the file lacks. Add a list {slot!r}"
                    f" under `slots`, or name it in `filled_by_code`."
                )


def _texts(file: ThemeFile) -> Iterator[str]:
    """Every text that may name a slot: templates, and the values of slots."""
    for templates in file.templates.values():
        yield from (_text(template) for template in templates)
    for values in file.slots.values():
        yield from values


def _text(template: str | RepeatedTemplate) -> str:
    return template if isinstance(template, str) else template.text


def _turns(template: str | RepeatedTemplate) -> tuple[str, ...]:
    return (template,) if isinstance(template, str) else (template.text,) * template.times
