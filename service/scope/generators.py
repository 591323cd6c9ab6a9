"""Generators of the scope file: servers that speak OpenAI's protocol, and LangChain's chat models."""

import os
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from service.scope.strict import Strict


class Timeouts(Strict):
    """How patient the gateway is, in seconds."""

    connect_s: Annotated[float, Field(gt=0)] = Field(2.0, description="Longest wait for a connection.")
    first_token_s: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Longest wait for the first token, over all tries."
    )
    idle_s: Annotated[float, Field(gt=0)] = Field(20.0, description="Longest silence between two tokens.")


class Price(Strict):
    """What a million tokens cost."""

    prompt: Annotated[float, Field(ge=0)] = Field(0.0, description="A million tokens of prompts.")
    completion: Annotated[float, Field(ge=0)] = Field(0.0, description="A million tokens of answers.")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(
        "USD", description="Three letters of ISO 4217."
    )

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The cost of an answer, in `currency`."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1_000_000


class _Generator(Strict):
    timeouts: Timeouts = Field(Timeouts.model_validate({}), description="How patient the gateway is.")
    api_key_env: str | None = Field(
        None, description="Environment variable with the key; the key itself never stands in this file."
    )
    context: Annotated[int, Field(ge=256)] | None = Field(
        None,
        description="Longest prompt with its answer in tokens, where the server doesn't tell; longer prompts are packed.",
    )
    price: Price | None = Field(None, description="What tokens cost, for the metrics.")
    licence: str | None = Field(None, description="Licence of the model, for who reads this file.")

    def api_key(self) -> str | None:
        """The key. Raises `ValueError` where the variable is named and not set."""
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env)  # noqa: TID251 - the scope file says which one
        if not key:
            raise ValueError(f"the environment variable {self.api_key_env} holds no key")
        return key


class OpenAIServers(_Generator):
    """Servers that speak OpenAI's protocol, such as vLLM, and serve the same model."""

    kind: Literal["openai"] = Field(description="A server that speaks OpenAI's protocol.")
    url: str | list[str] = Field(
        description="Base URL, or several of replicas, e.g. http://127.0.0.1:8001/v1."
    )
    model: str | None = Field(None, description="Model to ask for; without one, the first that is listed.")
    retries: Annotated[int, Field(ge=0, le=5)] = Field(2, description="Further tries before the first token.")

    @property
    def urls(self) -> list[str]:
        """Base URLs without a slash at the end."""
        return [url.rstrip("/") for url in ([self.url] if isinstance(self.url, str) else self.url)]

    @model_validator(mode="after")
    def _are_urls(self) -> Self:
        if not self.urls:
            raise ValueError("url: it is an empty list")
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"url: {url!r} is no URL of the form http://host:port/v1")
            _ = parts.port  # raises ValueError
        return self


class LangChainModel(_Generator):
    """A chat model of LangChain, e.g. `langchain_anthropic.ChatAnthropic`."""

    kind: Literal["langchain"] = Field(description="A chat model of LangChain.")
    model: Annotated[str, Field(pattern=r"^\w+(\.\w+)+$")] = Field(
        description="Dotted path of its class, whose package must be installed."
    )
    options: dict[str, Any] = Field({}, description="Arguments of the class, such as the model's name.")


GeneratorConfig = Annotated[OpenAIServers | LangChainModel, Field(discriminator="kind")]
