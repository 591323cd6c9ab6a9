"""Documents of any LangChain loader, named by its dotted path."""

import hashlib
import importlib
import json
from collections.abc import Iterator
from typing import Any

from ingestion.config import SourceConfig
from ingestion.corpus import Scalar, Source, SourceFacts
from ingestion.errors import SourceError


def discover_loaded(config: SourceConfig) -> Iterator[Source | tuple[Source, str]]:
    """`loader:package.module.Class` with `arguments` as its keywords. Ids are those of its documents or their sources.

    Raises `SourceError` when the class is not there or fails.
    """
    dotted = config.path.removeprefix("loader:")
    module, _, name = dotted.rpartition(".")
    try:
        loader = getattr(importlib.import_module(module), name)(**config.arguments)
    except (ImportError, AttributeError, ValueError, TypeError) as exc:
        raise SourceError(f"The loader {dotted!r} cannot be made: {exc}. Install its package.") from exc
    if not hasattr(loader, "lazy_load"):
        raise SourceError(f"{dotted!r} is no LangChain loader: it has no `lazy_load`.")
    counts: dict[str, int] = {}
    try:
        for document in loader.lazy_load():
            yield _source(config, document, counts)
    except SourceError:
        raise
    except Exception as exc:
        raise SourceError(f"The loader {dotted!r} failed: {type(exc).__name__}: {exc}.") from exc


def _source(config: SourceConfig, document: Any, counts: dict[str, int]) -> Source:
    metadata = dict(document.metadata or {})
    key = str(getattr(document, "id", None) or metadata.get("source") or "document")
    counts[key] = counts.get(key, 0) + 1
    name = f"{config.source_name}/{key}" + (f"#{counts[key]}" if counts[key] > 1 else "")
    # All of it is the author's word, so nothing in it says who may see the document: `groups` is plain metadata here.
    values: dict[str, Scalar] = {
        str(k): v if isinstance(v, (str, int, float, bool)) else json.dumps(v, default=str)
        for k, v in metadata.items()
        if v is not None
    }
    data = str(document.page_content).encode()
    digest = hashlib.sha256(data + json.dumps(values, sort_keys=True).encode()).hexdigest()
    return Source(name, "loaded.txt", digest, len(data), data=data, facts=SourceFacts.of(values))
