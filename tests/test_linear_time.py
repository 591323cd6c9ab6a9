"""No text makes the service or an ingestion stop: time grows with the text, whatever it holds.

`python -m tests.linear` prints the whole sweep as a table.
"""

import ast
import re
from collections.abc import Iterable
from itertools import islice

import pytest

from tests.linear import clock
from tests.linear.patterns import patterns_in
from tests.linear.reader import Reader
from tests.linear.readers import OUR_OWN, readers
from tests.linear.sweep import forms_for, superlinear
from tests.linear.texts import Form, forms_of, generic
from tests.test_architecture import modules

READERS = tuple(readers())
_MOST_SHOWN = 5
each_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


def law(reader: Reader, forms: Iterable[Form]) -> None:
    """A few pairs are enough to see why; each is measured again after the others, when the machine may be less busy."""
    tried = list(forms)
    suspected = {one.form for one in islice(superlinear(reader, tried), _MOST_SHOWN)}
    found = list(superlinear(reader, [form for form in tried if form.name in suspected]))
    assert not found, "grows faster than the text, at 5,000 and 20,000 characters:\n" + "\n".join(
        map(str, found)
    )


def some(reader: Reader, forms: Iterable[Form], every: int) -> list[Form]:
    """One form of so many, other ones for each reader; `python -m tests.linear` tries all, which takes long."""
    return list(forms)[READERS.index(reader) % every :: every]


@pytest.mark.slow
@each_reader
def test_time_grows_no_faster_than_the_text(reader: Reader) -> None:
    law(reader, some(reader, generic(), 20))


@pytest.mark.slow
@each_reader
def test_time_grows_no_faster_than_texts_made_from_the_patterns(reader: Reader) -> None:
    law(reader, some(reader, forms_for(reader), 30))


def test_a_reader_that_grows_with_the_square_is_found() -> None:
    def worse(text: str) -> int:
        return sum(text.count(letter) for letter in text[::8])

    assert [found.form for found in superlinear(Reader("worse", worse), [Form("", "ab")])] == ["'ab'"]
    assert not list(superlinear(Reader("better", str.casefold), [Form("", "ab")]))


def test_a_pattern_that_would_never_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "MOST_S", 0.5)
    endless = Reader("endless", re.compile(r"(?:a+b?)+c").search)
    assert [found.large_s for found in superlinear(endless, [Form("", "a")])] == [None]


def test_the_forms_of_a_pattern_repeat_what_it_repeats_without_its_end() -> None:
    forms = set(forms_of(re.compile(r"\bx(?:[ _]+\w){2,}z")))
    assert {
        Form("x", " "),
        Form("x", "_", "ab"),
        Form("x", " a"),
        Form("", "x a a"),
        Form("", "x a az"),
    } <= forms


def test_every_pattern_belongs_to_a_reader_of_the_sweep() -> None:
    covered = {name for reader in READERS for name in reader.modules}
    missing = sorted(name for name in with_patterns() if name not in covered and name not in OUR_OWN)
    assert not missing, f"name them in tests/linear/readers.py, in a reader or in OUR_OWN: {missing}"
    assert not covered & OUR_OWN.keys()


def test_a_module_is_no_longer_excused_when_it_has_no_pattern() -> None:
    assert OUR_OWN.keys() <= with_patterns()


def with_patterns() -> set[str]:
    """The modules of ingestion and service that hold or write a pattern."""
    return {
        name
        for name, path in modules().items()
        if name.split(".")[0] in ("ingestion", "service")
        and _imports_re(ast.parse(path.read_text("utf-8")))
        and patterns_in(name)
    }


def _imports_re(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Import) and node.names[0].name == "re" for node in ast.walk(tree))
