"""Texts for the name model: whole templates, rightly labelled words, and the same texts for the same seed anywhere."""

import hashlib
import json
import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from finetune.names import lists
from finetune.names.generate import LabelledText, fill, join, rewrite, templates
from finetune.names.values import Values
from ingestion.scrub.names.labels import LABELS
from tests.conftest import ROOT

SLOT = re.compile(r"\{(\w+)\}")
# Digests of the lists and of the templates.
GOLDEN = {
    "people": "3b9648bd408195d5",
    "places": "2d1f63236d3db621",
    "organisations": "f7c9ebdf913adce7",
    "numbers": "9b7c26205c542c94",
    "templates": "caf26928da414567",
}


@pytest.fixture(scope="module")
def values() -> Values:
    return Values(17)


def test_every_template_is_filled_and_every_draw_is_used(values: Values) -> None:
    named = {slot for template in templates() for slot in SLOT.findall(template)}
    assert named == values.slots.keys()
    for template in templates():
        assert not re.search(r"[{}]", SLOT.sub("", template)), template


def test_no_template_is_written_twice_but_bare_slots() -> None:
    """A bare slot is written more than once to be drawn more often."""
    assert not [t for t, count in Counter(templates()).items() if count > 1 and not SLOT.fullmatch(t)]


def test_labels_are_of_the_model_and_spans_hold_what_was_drawn(values: Values) -> None:
    for template in templates():
        one = fill(template, values)
        assert [label for *_, label in one.spans] == [
            label for slot in SLOT.findall(template) if (label := values.slots[slot][0])
        ]
        assert all(label in LABELS and one.text[start:end].strip() for start, end, label in one.spans)
        borders = [border for start, end, _ in one.spans for border in (start, end)]
        assert borders == sorted(borders)


def test_rewritten_and_joined_texts_keep_their_labelled_words() -> None:
    one = LabelledText("Ask Anna Weber, please.", ((4, 14, "PERSON"),))
    for seed in range(100):
        changed = rewrite(one, random.Random(seed))
        ((start, end, label),) = changed.spans
        assert (changed.text[start:end].casefold(), label) == ("anna weber", "PERSON")
    both = join([one, one], "\n")
    assert [both.text[start:end] for start, end, _ in both.spans] == ["Anna Weber", "Anna Weber"]


def test_every_list_has_values_and_no_file_is_unread() -> None:
    read = (lists.people, lists.places, lists.organisations, lists.numbers)
    assert {path.stem for path in lists.FOLDER.glob("*.yaml")} == {kind.__name__ for kind in read}
    assert all(words for kind in read for _, words in kind())


@pytest.mark.parametrize("name", ["people", "places", "organisations", "numbers", "templates"])
def test_lists_and_templates_are_those_that_the_shipped_model_learned_from(name: str) -> None:
    content = templates() if name == "templates" else getattr(lists, name)().model_dump()
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    assert digest == GOLDEN.get(name), (
        f"{name!r} of finetune/names holds something else than before. If that is meant, write {digest!r} for {name!r}"
        " into GOLDEN, make the model anew with `python -m finetune.names.train`, and run `touchstone evals run pii`."
    )


def test_a_seed_makes_the_same_texts_in_every_process() -> None:
    """A set of texts is walked in another order wherever Python hashes with another seed."""
    code = (
        "from finetune.names.generate import generate; print([(t.text, t.spans) for t in generate(400, 17)])"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1
