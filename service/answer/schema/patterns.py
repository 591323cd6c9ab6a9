"""Patterns that strangers send, by RE2: a search takes time in proportion to the text, whatever the pattern."""

import re
from functools import lru_cache
from typing import Any

import re2

_MOST_CHARS = 500
# Of each pattern's automaton; it is smaller for all but the worst.
_MOST_BYTES = 1 << 20
_KNOWN = 512
# JSON Schema's patterns are ECMAScript's, which writes characters so.
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


class PatternError(ValueError):
    """The pattern can't be used; the message says why."""


@lru_cache(maxsize=_KNOWN)
def read_pattern(pattern: str) -> Any:
    """The compiled pattern. Raises `PatternError` for what is none, and what linear time can't do."""
    if len(pattern) > _MOST_CHARS:
        raise PatternError(f"a pattern has {len(pattern)} characters; at most {_MOST_CHARS} are allowed")
    options = re2.Options()
    options.log_errors, options.max_mem = False, _MOST_BYTES
    written = _ESCAPE.sub(lambda found: f"\\x{{{found[1]}}}" if found[1] else found[0], pattern)
    try:
        return re2.compile(written, options)
    except re2.error as exc:
        raise PatternError(
            f"the pattern {pattern!r} can't be read; patterns have no look-around, no references back, and no"
            " large repetitions"
        ) from exc
