"""Options of OpenAI's API that aren't supported: refused by name where they would change the answer, else no matter."""

from collections.abc import Mapping
from typing import Any

from service.errors import InvalidRequestError

# Each option with the values that change nothing, beside null.
CHAT: Mapping[str, tuple[Any, ...]] = {
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
    "reasoning_effort": (),
    "verbosity": ("medium",),
    "top_k": (-1, 0),
    "min_p": (0,),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
    "structured_outputs": (),
}
RESPONSES: Mapping[str, tuple[Any, ...]] = {
    "instructions": ("",),
    "previous_response_id": (),
    "conversation": (),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "background": (False,),
    "store": (False,),
    "include": ([],),
    "prompt": (),
    "reasoning": ({},),
    "top_logprobs": (0,),
    "context_management": ([],),
}
_SHOWN_CHARS = 80


def refuse_unsupported(sent: Mapping[str, Any], known: Mapping[str, tuple[Any, ...]]) -> None:
    """Raises `InvalidRequestError` that names the first option that would change the answer and isn't supported."""
    for name, harmless in known.items():
        value = sent.get(name)
        if value is None or any(_is_same(value, one) for one in harmless):
            continue
        if name in ("tools", "functions") and "none" in (sent.get("tool_choice"), sent.get("function_call")):
            continue  # what may not be called
        raise InvalidRequestError(
            f"{name!r}{_shown(value)} isn't supported, and the answer would not be what it asks for. Leave it out.",
            param="logprobs" if name == "top_logprobs" and known is CHAT else name,
        )


def _is_same(value: object, other: object) -> bool:
    """Equal, where `False` is no number."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _shown(value: object) -> str:
    """The value, where it is short: others may be deeper than they can be written."""
    return f" with the value {value!r}" if isinstance(value, (bool, int, float)) or _is_word(value) else ""


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _SHOWN_CHARS
