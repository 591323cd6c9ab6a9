"""What a generator's server sends is read, or is an error that leads to the next try: whatever it is."""

from contextlib import suppress

import aiohttp
import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from service.answer.generate.chunks import ChatStream

KEYS = st.sampled_from(
    ["choices", "delta", "content", "usage", "prompt_tokens", "finish_reason", "error", "x"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


def told(line: bytes) -> None:
    """Read a line; the errors are those that a try is repeated for."""
    with suppress(aiohttp.ClientError, ValueError, KeyError):
        assert isinstance(ChatStream().take([line]), str)


@given(JSON)
@example({"choices": None})
@example({"choices": [{"delta": None}]})
@example({"choices": [{"delta": {"content": 3}}]})
@example({"choices": [], "usage": {"prompt_tokens": None}})
@example([1])
@example(3)
def test_events_of_any_shape_are_read_or_typed_errors(event: object) -> None:
    told(b"data: " + orjson.dumps(event))


@given(st.binary(max_size=200))
def test_lines_of_any_bytes_are_read_or_typed_errors(line: bytes) -> None:
    told(line)
    told(b"data:" + line)
