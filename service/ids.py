"""Identifiers that sort by time: UUID version 7 (RFC 9562, 5.7)."""

import os
import time
from uuid import UUID


def uuid7() -> str:
    """Milliseconds since the epoch, then random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value & (1 << 128) - 1))
