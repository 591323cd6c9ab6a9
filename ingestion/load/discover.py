"""Where sources come from: folders, patterns, sites, buckets, databases, LangChain loaders. One generator for all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ingestion.config import SourceConfig
from ingestion.corpus import Source
from ingestion.errors import SourceError
from ingestion.load.archive import is_container, members
from ingestion.load.folder import discover_files

# What a site said of a page the last time: ETag or date, and the digest that the page had.
Validators = Mapping[str, tuple[str, str]]


def discover(
    config: SourceConfig, base: Path, validators: Validators | None = None
) -> Iterator[Source | tuple[Source, str]]:
    """Every source of a place, in a stable order; one that can't be had comes with the reason.

    `base` is what relative paths are relative to. Raises `SourceError` when the place itself can't be reached.
    """
    for found in _listed(config, base, validators or {}):
        if isinstance(found, tuple):
            yield replace(found[0], source_name=config.source_name), found[1]
            continue
        source = replace(found, source_name=config.source_name)
        if not is_container((source.inner or (source.path,))[-1]):
            yield source
            continue
        try:
            yield from members(source)
        except SourceError as exc:
            yield source, str(exc)


def _listed(
    config: SourceConfig, base: Path, validators: Validators
) -> Iterator[Source | tuple[Source, str]]:
    try:
        yield from _discover(config, base, validators)
    except OSError as exc:
        raise SourceError(
            f"The source {config.source_name!r} can't be listed: {exc}. Check that it can be reached."
        ) from exc


def _discover(
    config: SourceConfig, base: Path, validators: Validators
) -> Iterator[Source | tuple[Source, str]]:
    # Each of these stands on a package of its own, of which most deployments need none.
    path = config.path
    if path.startswith(("http://", "https://", "sitemap+http")):
        from ingestion.load.web import discover_site

        return discover_site(config, validators)
    if path.startswith("sql+"):
        from ingestion.load.sql import discover_rows

        return discover_rows(config)
    if path.startswith("loader:"):
        from ingestion.load.langchain import discover_loaded

        return discover_loaded(config)
    if "://" in path:
        from ingestion.load.remote import discover_remote

        return discover_remote(config)
    return discover_files(base, path)


Discover = Callable[[SourceConfig, Path, Validators | None], Iterator[Source | tuple[Source, str]]]
