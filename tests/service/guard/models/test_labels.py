"""What a classifier calls that for which a guard looks."""

from service.guard.models.classifier import _BAD, _GOOD, _find


def test_a_label_is_not_taken_for_its_opposite() -> None:
    assert _find({0: "UNSUPPORTED", 1: "SUPPORTED"}, _GOOD) == 1
    assert _find({0: "inconsistent", 1: "consistent"}, _GOOD) == 1
    assert _find({0: "SAFE", 1: "UNSAFE"}, _BAD) == 1
    assert _find({0: "not_hate", 1: "hate"}, _BAD) == 1
