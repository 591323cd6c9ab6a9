"""The language of a question, of those that a collection declares."""

from types import SimpleNamespace
from typing import Any

import pytest

from service.answer.understand import Turn


@pytest.mark.parametrize(
    ("question", "languages", "expected"),
    [
        ("保修期多长？", ["en", "zh"], "zh"),
        ("Сколько стоит ремонт?", ["en", "ru"], "ru"),
        ("كم تكلفة الإصلاح؟", ["en", "ar"], "ar"),
        ("Welcher Akku?", ["en", "de"], "de"),
        ("Hub E27", ["de", "en"], "de"),
        ("Quanto dura la garanzia del termostato nuovo?", ["en", "it"], "it"),
        ("a" * 8_000, ["en", "de", "es"], "en"),
        ("?" * 3_000, ["en", "de", "es"], "en"),
        ("忘" * 3_000, ["en", "de", "es"], "en"),
        ("Anything", [], "en"),
        ("Anything at all", ["und"], "en"),
    ],
)
def test_the_language_of_a_question_is_a_declared_one(
    question: str, languages: list[str], expected: str
) -> None:
    release: Any = SimpleNamespace(manifest=SimpleNamespace(languages=languages))
    values: dict[str, Any] = {"id": "a", "request": None, "route": None, "started": 0.0, "search": None}
    assert Turn(release=release, question=question, **values).language == expected  # type: ignore[arg-type]
