"""Identifiers that sort by time: UUID version 7 (RFC 9562, 5.7)."""

import os
import threading
import time
from uuid import UUID

_RANDOM_BITS, _STEP_BYTES = 74, 8
_LOW_BITS = 62
_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """Milliseconds since the epoch, then random bits; above every earlier one of this process, whatever the clock does.

    Within a millisecond, and after a clock that was set back, the random part is increased at random (6.2, method 2).
    """
    global _last
    fresh = time.time_ns() // 1_000_000 << _RANDOM_BITS | _random(10) >> 80 - _RANDOM_BITS
    with _lock:
        _last = fresh if fresh > _last else _last + 1 + _random(_STEP_BYTES)
        value = _last
    return str(UUID(int=_framed(value)))


def _random(size: int) -> int:
    return int.from_bytes(os.urandom(size), "big")


def _framed(value: int) -> int:
    """Version and variant between the 48 bits of time, 12 bits and 62 bits."""
    low = value & (1 << _LOW_BITS) - 1
    middle = value >> _LOW_BITS & 0xFFF
    milliseconds = value >> _RANDOM_BITS & (1 << 48) - 1
    return milliseconds << 80 | 0x7 << 76 | middle << 64 | 0b10 << 62 | low
