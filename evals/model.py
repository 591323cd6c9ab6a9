"""A model asked directly over OpenAI's protocol, without the service's answer path: prompts in, its own text out."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from tqdm import tqdm

from service.answer.prompts import Wire

_TOGETHER = 8
_PATIENCE_S = 600


@dataclass(frozen=True, slots=True)
class Server:
    """Where the model is; `model` of None: the first that the server lists."""

    url: str
    model: str | None = None
    key: str | None = None


def ask_all(server: Server, prompts: Sequence[list[Wire]], *, max_tokens: int) -> tuple[str, list[str]]:
    """The model's name, and what it says to each prompt, greedily, eight at a time.

    Raises `RuntimeError` for a server that gives no answers.
    """
    try:
        return asyncio.run(_ask_all(server, prompts, max_tokens))
    except (aiohttp.ClientError, TimeoutError, KeyError, IndexError, json.JSONDecodeError) as exc:
        raise RuntimeError(f"the server {server.url!r} gave no answers: {type(exc).__name__}: {exc}") from exc


async def _ask_all(server: Server, prompts: Sequence[list[Wire]], max_tokens: int) -> tuple[str, list[str]]:
    url, limit = server.url.rstrip("/"), asyncio.Semaphore(_TOGETHER)
    headers = {"authorization": f"Bearer {server.key}"} if server.key else {}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        model = server.model or await _first_model(session, url)
        with tqdm(total=len(prompts), desc="Questions", unit="question", disable=None) as bar:

            async def ask(messages: list[Wire]) -> str:
                body = {"model": model, "messages": messages, "temperature": 0.0, "max_tokens": max_tokens}
                async with limit, session.post(f"{url}/chat/completions", json=body) as answer:
                    if answer.status != 200:
                        raise RuntimeError(
                            f"the server {server.url!r} answered {answer.status} for the model {model!r}:"
                            f" {(await answer.text())[:300]}"
                        )
                    read = await answer.json(content_type=None)
                bar.update()
                return str(read["choices"][0]["message"]["content"] or "")

            return model, list(await asyncio.gather(*map(ask, prompts)))


async def _first_model(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(f"{url}/models") as reply:
        return str((await reply.json(content_type=None))["data"][0]["id"])
