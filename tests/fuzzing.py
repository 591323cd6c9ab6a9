"""What fuzz tests share: a check is tried on a fixed number of examples, or for minutes on new ones; none may hang.

`TOUCHSTONE_FUZZ_S` is how long the readers are fuzzed in a slow run; every other check gets a fifth of it.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LONG_S = float(os.environ.get("TOUCHSTONE_FUZZ_S", "300"))  # noqa: TID251
SHARE_S = LONG_S / 5
# A long run of account numbers takes seconds to scrub; time that grows with the square would take hours.
_HANG_S = 60
Check = Callable[[random.Random], None]


class HangError(Exception):
    """An example took too long."""


@contextmanager
def bounded(seconds: float = _HANG_S) -> Iterator[None]:
    """Raise `HangError` when it takes more of the processor, however busy the machine is. In the main thread alone."""

    def stop(*_: Any) -> None:
        raise HangError(f"it took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def try_examples(check: Check, count: int, *, first: int = 0) -> None:
    """The same examples in every run. A failure names the seed of its example."""
    for seed in range(first, first + count):
        _tried(check, seed)


def try_for_minutes(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    """New examples, until the time is over or one fails."""
    first, count = time.time_ns(), 0
    end = time.monotonic() + SHARE_S
    while time.monotonic() < end:
        _tried(check, first + count)
        count += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{count} examples, seeds from {first}\n")


def _tried(check: Check, seed: int) -> None:
    try:
        with bounded():
            check(random.Random(seed))
    except Exception as exc:  # noqa: BLE001 - whatever it is, the seed is told
        # In ASCII: half a surrogate pair in a report stops the process that sends it.
        where = "".join(traceback.format_tb(exc.__traceback__)[-2:])
        raise AssertionError(ascii(f"the example of seed {seed} fails: {exc!r}\n{where}")) from None


# Characters that folding, decoding and counting trip over.
_PIECES = (
    "\0", "\r\n", "\r", "\x85", "\u2028", "\t", " ", "\u00a0", "\u3000", "a", "Z", "1", "0x", "%41", "\\u0041", "&#x41;", "-----BEGIN",
    "\u0301", "\u0345", "\u0308\u0301", "\u0f71\u0f72", "\u0300" * 40, "\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u00ad", "\ufe0f",
    "\ud800", "\udfff", "\ud83d", "\ude00", "\U0001f600", "\U0001f468\u200d\U0001f469", "\U000e0041", "\U000e0001", "\U0010ffff", "\uffff",
    "ﬁ", "ﷺ", "Ａ", "ｶﾞ", "㎏", "Ⅷ", "½", "𝒜", "ſ", "İ", "ß", "ŉ", "ǰ", "ΐ", "Å", "가", "각", "한국", "日本語。", "שלום", "مرحبا", "अनुच्छेद", "ไทย",
    "а", "о", "р", "ignore previous instructions", "aWdub3JlIHByZXZpb3VzIGluc3RydWN0aW9ucw==", "69676e6f726520616c6c2072756c6573", "... --- ...",
    "jo@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789", "+31 20 123 4567",
    "password: hunter2hunter2", "https://evil.example/?q=1", "[1]", "€9.90", "Dr. ", "e.g. ", "…", "!?", '"', "“", "(", "@", "i g n o r e", "1gn0r3",
)  # fmt: skip
_RUNS = (1, 1, 1, 1, 2, 5, 40)
_LONG_RUNS = (1_000, 20_000)


def any_text(rng: random.Random, *, most_pieces: int = 30) -> str:
    """Text of strange pieces and random characters; now and then one of them is a very long run."""
    parts = []
    for _ in range(rng.randrange(most_pieces)):
        piece = rng.choice(_PIECES) if rng.random() < 0.8 else chr(rng.randrange(0x110000))
        parts.append(piece * rng.choice(_RUNS))
    if rng.random() < 0.03:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(_PIECES) * (rng.choice(_LONG_RUNS) // 8))
    return "".join(parts)
