"""With a generator, `answers` and `abstention` measure what it writes beside the documents' own sentences."""

from dataclasses import replace
from typing import Any

import pytest

from evals.suites import abstention, answers, generated
from evals.suites.context import Context
from ingestion.embed import Embedder
from service.scope import load_scope
from tests.conftest import ROOT, SCOPE, Demo
from tests.upstream import ScriptedUpstream

SAMPLE = 8


@pytest.fixture
def context(demo: Demo, embedder: Embedder, upstream: ScriptedUpstream) -> Context:
    made = Context(
        load_scope(SCOPE), ROOT, embedder, demo.data_dir, None, sample=SAMPLE, generator=upstream.url
    )
    made.__dict__["demo"] = demo.release  # what the cached property would build
    made.__dict__["demo_answers"] = []
    return made


def changed(context: Context, **changes: Any) -> Context:
    made = replace(context, generated={}, **changes)
    made.__dict__.update({key: context.__dict__[key] for key in ("demo", "demo_answers")})
    return made


@pytest.fixture(autouse=True)
def _only_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the documents' suites measure has tests of its own."""
    monkeypatch.setattr(answers, "share", lambda outcomes: None)
    monkeypatch.setattr(abstention, "share", lambda outcomes: None)


def test_both_suites_tell_of_the_generator_which_is_asked_once(
    context: Context, upstream: ScriptedUpstream
) -> None:
    upstream.tokens = ["The standard delivery costs €4.90. [1]"]
    told = answers.measure(context)
    asked = len(upstream.bodies)
    also = abstention.measure(context)
    assert 0 < len(upstream.bodies) == asked
    names = (
        "contains",
        "token_f1",
        "cited_right",
        "uncited",
        "supported",
        "loops",
        "leaks",
        "wrong_language",
    )
    for name in names:
        assert f"demo.generated.{name}" in told
    for name in ("contains", "uncited", "loops"):
        assert f"demo.generated.bare.{name}" in told
    assert told["demo.generated.bare.uncited"].value == 0
    assert told["demo.generated.leaks"].value == 0
    assert not [name for name in told if ".abstention." in name]
    for writer in ("", "extractive."):
        assert f"demo.generated.{writer}abstention.recall" in also
        assert f"demo.generated.{writer}abstention.false" in also
    # On the same questions.
    assert told["demo.generated.contains"].n == told["demo.generated.extractive.contains"].n
    both = generated.measure(context)
    assert both.items() <= (told | also).items()


def test_another_prompt_reaches_the_generator(context: Context, upstream: ScriptedUpstream) -> None:
    answers.measure(changed(context, prompt="brief"))
    assert {body["messages"][0]["content"].split("\n")[0] for body in upstream.bodies} == {
        "Answer the question with one or two sentences copied from the passages."
    }


def test_without_a_generator_the_documents_alone_are_measured(context: Context) -> None:
    alone = changed(context, generator=None)
    figures = answers.measure(alone) | abstention.measure(alone)
    assert not [name for name in figures if ".generated." in name]
    with pytest.raises(RuntimeError, match="--generator"):
        generated.measure(alone)


def test_a_generator_that_isnt_there_is_named(context: Context) -> None:
    with pytest.raises(RuntimeError, match="there is no server 'house'"):
        generated.measure(changed(context, generator="house"))
