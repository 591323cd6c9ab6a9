"""Who gets which arm: a function of the unit's name alone, the same in every process and after every restart."""

import hashlib
from collections.abc import Mapping

_RANGE = 2**64
_PERCENT = 100


def uniform(salt: str, unit: str) -> float:
    """A number from 0 up to 1, evenly spread over units and independent between salts.

    The first 8 bytes of the SHA-256 of `salt:unit`, big-endian, divided by 2^64.
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _RANGE


def is_covered(experiment: str, unit: str, percent: float) -> bool:
    """Whether a unit takes part. Who takes part at some percent does at any higher one."""
    return uniform(f"{experiment}/coverage", unit) * _PERCENT < percent


def is_held_out(unit: str, percent: float) -> bool:
    """Whether a unit meets no experiment at all."""
    return percent > 0 and uniform("holdout", unit) * _PERCENT < percent


def is_in_slice(layer: str, unit: str, start: float, end: float) -> bool:
    """Whether a unit is in a part of a layer, which is given in percent."""
    return start <= uniform(f"layer/{layer}", unit) * _PERCENT < end


def arm_of(experiment: str, unit: str, weights: Mapping[str, float]) -> str:
    """The arm of a unit. Arms lie side by side in the order of `weights`, which need not add up to 100."""
    point = uniform(experiment, unit) * sum(weights.values())
    reached = 0.0
    for arm, weight in weights.items():
        reached += weight
        if point < reached:
            return arm
    return [arm for arm, weight in weights.items() if weight][-1]  # what rounding left at the very end
