"""Templates are whole, used, and make the texts that the shipped heads learned from."""

import ast
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune.guards import hate
from finetune.guards.grammar import MAX_DEPTH, expand, slots_in
from finetune.guards.themes import FOLDER, Theme, read_theme, theme
from finetune.yaml_file import TrainingDataError

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# Digests of what each theme holds and of the texts that one seed makes of it.
GOLDEN = {
    "foreign_attacks": "2efb9830d03a4288",
    "foreign_people": "0082d5a381ef63f7",
    "manipulation": "0e61747f89f428fd",
    "people": "b3b68f4a0390b9e5",
    "extraction": "0f1e53bfc77955d0",
    "jailbreaks": "41fd17a8ec0e9533",
    "hard_negatives": "64e08dc68b887a23",
    "indirect_injection": "7b161789aeb175f7",
    "hate": "a0c8af43b0a5be5f",
    "requests": "ba1f205f5ae1f145",
    "benign": "d9db241b97f2dd8d",
}


def filled(name: str) -> Theme:
    """A theme with a list for every slot, also for slurs, whose list is the guard's."""
    return theme(name).with_slots(slur=("SLUR",)) if name == "hate" else theme(name)


def depth(text: str, of: Theme) -> int:
    """Rounds that fill every slot of a text, whichever values are drawn; a cycle recurs for ever."""
    return max((1 + depth(value, of) for slot in slots_in(text) for value in of.slots[slot]), default=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_template_is_filled_whatever_is_drawn(name: str) -> None:
    whole = filled(name)
    for templates in whole.groups.values():
        for template in templates:
            assert depth(template, whole) <= MAX_DEPTH
            text = expand(template, whole.slots, random.Random(7))
            assert "{" not in text, template
            assert "}" not in text, template


@pytest.mark.parametrize("name", NAMES)
def test_every_slot_is_named_by_a_text(name: str) -> None:
    whole = theme(name)
    texts = [text for texts in (*whole.groups.values(), *whole.slots.values()) for text in texts]
    assert whole.slots.keys() <= {slot for text in texts for slot in slots_in(text)}


def constants() -> Iterator[str]:
    """Every text that a module of `finetune.guards` writes down."""
    for path in FOLDER.parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_file_and_every_group_is_used() -> None:
    written = set(constants())
    assert set(NAMES) <= written
    # The kinds of requests and the languages are all used, in order, without being named.
    whole = ("requests", "foreign_attacks", "foreign_people")
    groups = {group for name in NAMES if name not in whole for group in theme(name).groups}
    assert groups <= written


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_makes_the_texts_that_the_shipped_heads_learned_from(name: str) -> None:
    whole, rng = filled(name), random.Random(7)
    texts = [whole.sample(group, 200, rng) for group in whole.groups]
    content = [list(whole.groups.items()), sorted(whole.slots.items()), texts]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    assert digest == GOLDEN.get(name), (
        f"{name}.yaml makes other texts than before. If that is meant, write {digest!r} for {name!r} into GOLDEN,"
        " make the heads anew with `python -m finetune.guards train --data FOLDER`, and run the guards' evaluations."
    )


def test_hate_is_misspelt_the_same_way_for_the_same_seed() -> None:
    hateful, harmless = hate.hateful(random.Random(7), 50), hate.harmless(random.Random(7), 50)
    assert hateful == hate.hateful(random.Random(7), 50)
    assert harmless == hate.harmless(random.Random(7), 50)
    assert not set(hateful) & set(harmless)


def written(folder: Path, text: str) -> Path:
    path = folder / "fruit.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_slot_that_the_file_lacks_is_refused_by_both_names(tmp_path: Path) -> None:
    path = written(tmp_path, 'slots: {fruit: [apple]}\ntemplates: {eat: ["Eat {fruit} with {spoon}."]}\n')
    with pytest.raises(TrainingDataError, match=r"fruit\.yaml.*'spoon'"):
        read_theme(path)


def test_a_slot_within_a_list_must_be_known_too(tmp_path: Path) -> None:
    path = written(tmp_path, 'slots: {fruit: ["{colour} apple"]}\ntemplates: {eat: ["Eat {fruit}."]}\n')
    with pytest.raises(TrainingDataError, match=r"fruit\.yaml.*'colour'"):
        read_theme(path)


def test_a_template_written_twice_is_refused_and_one_with_turns_is_repeated(tmp_path: Path) -> None:
    head = "slots: {fruit: [apple]}\ntemplates:\n  eat:\n"
    with pytest.raises(TrainingDataError, match="times: 2"):
        read_theme(written(tmp_path, head + '    - "Eat {fruit}."\n    - "Eat {fruit}."\n'))
    repeated = read_theme(
        written(tmp_path, head + '    - {text: "Eat {fruit}.", times: 2}\n    - "Peel it."\n')
    )
    assert repeated.groups["eat"] == ("Eat {fruit}.", "Eat {fruit}.", "Peel it.")


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "slot: {}\nslots: {}\ntemplates: {}\n")
    with pytest.raises(TrainingDataError, match="slot"):
        read_theme(path)
