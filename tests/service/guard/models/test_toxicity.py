"""Who is attacked, and how it is spelled."""

import pytest

from service.guard.models.toxicity import lexicon, mask_groups, may_attack, mend


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("I h4te them", "I hate them"),
        ("v i l e people", "vile people"),
        ("disgsuting", "disgusting"),
        ("worthles", "worthless"),
    ],
)
def test_spelling_is_mended(written: str, meant: str) -> None:
    assert mend(written) == meant


def test_every_group_looks_the_same_to_the_model() -> None:
    masked = {
        mask_groups(f"I met some {group} at work.")[0]
        for group in ("women", "gay people", "Muslims", "disabled people")
    }
    assert len(masked) == 1


def test_who_is_not_named_nor_insulted_is_not_attacked() -> None:
    slur = max(filter(str.isalpha, lexicon()["slurs"]), key=len)
    for text in ("All imigrants are scum.", f"so many{slur}s here", "You are vermin.", "black throats"):
        assert may_attack(text)
    for text in ("How do I return the lamp?", "The Hub needs a router.", "Your order is late."):
        assert not may_attack(text)
