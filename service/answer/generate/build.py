"""The generators of a deployment by name: the documents' own sentences, the settings' server, and the scope's."""

from collections.abc import Mapping

import aiohttp

from ingestion.embed import Embedder
from ingestion.errors import ScopeError
from service.answer.generate import Generator
from service.answer.generate.extractive import ExtractiveGenerator
from service.answer.generate.openai import OpenAIGenerator
from service.answer.generate.replica import Replica, Upstream
from service.scope.file import EXTRACTIVE, SERVER
from service.scope.generators import GeneratorConfig, LangChainModel, OpenAIServers
from service.settings import Settings


def build_generators(
    configs: Mapping[str, GeneratorConfig],
    settings: Settings,
    session: aiohttp.ClientSession,
    embedder: Embedder,
) -> dict[str, Generator]:
    """All of them. Raises `ScopeError` for a key that isn't set and a model that isn't installed."""
    generators: dict[str, Generator] = {EXTRACTIVE: ExtractiveGenerator(embedder)}
    if settings.generator_url:
        generators[SERVER] = OpenAIGenerator(SERVER, [Replica(SERVER, session, _upstream(settings))])
    for name, config in configs.items():
        try:
            generators[name] = _built(name, config, settings, session)
        except ValueError as exc:
            raise ScopeError(f"The generator {name!r} can't be used: {exc}.") from exc
    return generators


def _built(
    name: str, config: GeneratorConfig, settings: Settings, session: aiohttp.ClientSession
) -> Generator:
    key = config.api_key()
    if isinstance(config, LangChainModel):
        try:
            # An extra, which takes half a second to import.
            from service.answer.generate.langchain import LangChainGenerator, load_chat_model
        except ModuleNotFoundError as exc:
            raise ValueError(
                "install Touchstone with the extra `langchain`, and the model's package"
            ) from exc
        options = {**config.options, "api_key": key} if key else config.options
        return LangChainGenerator(
            name,
            load_chat_model(config.model, options),
            config.timeouts,
            keep_alive_s=settings.keep_alive_s,
            context=config.context,
        )
    upstreams = [_upstream_at(url, config, key, settings) for url in config.urls]
    replicas = [
        Replica(name, session, upstream, number) for number, upstream in enumerate(upstreams, start=1)
    ]
    return OpenAIGenerator(name, replicas)


def _upstream_at(url: str, config: OpenAIServers, key: str | None, settings: Settings) -> Upstream:
    return Upstream(
        base_url=url,
        model=config.model,
        api_key=key,
        connect_timeout_s=config.timeouts.connect_s,
        first_token_timeout_s=config.timeouts.first_token_s,
        idle_timeout_s=config.timeouts.idle_s,
        keep_alive_s=settings.keep_alive_s,
        retries=config.retries,
        context=config.context,
    )


def _upstream(settings: Settings) -> Upstream:
    key = settings.generator_api_key
    return Upstream(
        base_url=str(settings.generator_url).rstrip("/"),
        model=settings.generator_model,
        api_key=key.get_secret_value() if key else None,
        connect_timeout_s=settings.generator_connect_timeout_s,
        first_token_timeout_s=settings.generator_first_token_timeout_s,
        idle_timeout_s=settings.generator_idle_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        retries=settings.generator_retries,
    )
