"""What a generator is told: the rules by name, and the one renderer."""

from service.answer.prompts.prompt import NO_ANSWER, Prompt, load_prompt, prompt_names
from service.answer.prompts.render import Marking, Message, Wire, new_nonce, render, render_rewrite

__all__ = [
    "NO_ANSWER",
    "Marking",
    "Message",
    "Prompt",
    "Wire",
    "load_prompt",
    "new_nonce",
    "prompt_names",
    "render",
    "render_rewrite",
]
