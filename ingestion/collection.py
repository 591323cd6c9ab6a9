"""What the scope file says of a collection, and how to read that part of it."""

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingestion.errors import ScopeError

Entity = Literal[
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "CREDIT_CARD",
    "IBAN_CODE",
    "IP_ADDRESS",
    "US_SSN",
    "URL_CREDENTIALS",
]
DEFAULT_PII: list[Entity] = list(get_args(Entity))


class PiiPolicy(BaseModel):
    """Which personal data is masked in a collection, and what is exempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entities: list[Entity] = Field(DEFAULT_PII, description="Presidio entity types to mask.")
    allow: list[str] = Field(
        [], description="Shell patterns of values that are public, e.g. `*@example.com`."
    )
    regions: list[str] = Field(
        ["US", "GB", "DE", "ES", "FR", "NL", "IE"],
        description="Countries whose national phone formats are recognised.",
    )


class CollectionConfig(BaseModel):
    """A named set of documents with one index."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: list[str] = Field([], description="Folders or files, relative to the scope file.")
    embedder: str = Field(
        "builtin",
        description="`builtin`, or the folder or hub name of a sentence-transformers model.",
    )
    chunk_tokens: int = Field(200, ge=32, le=2048, description="Largest chunk, in the embedder's tokens.")
    languages: list[str] = Field(
        ["en", "de", "es", "fr", "nl", "it", "pt"],
        min_length=1,
        description="Languages a document may be in, for those that don't say.",
    )
    pii: PiiPolicy = PiiPolicy.model_validate({})


def read_scope(path: Path) -> dict[str, Any]:
    """The scope file as a mapping. Raises `ScopeError` when it is missing or no YAML mapping."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as exc:
        raise ScopeError(
            f"No scope file at {str(path)!r}. Create it, or name one with --scope or TOUCHSTONE_SCOPE_FILE."
        ) from exc
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ScopeError(f"The scope file {str(path)!r} cannot be read as YAML: {exc}") from exc
    if not isinstance(raw, dict):
        raise ScopeError(f"The scope file {str(path)!r} must hold a mapping at its top level.")
    return raw


def explain(error: ValidationError) -> str:
    """Pydantic's findings, one line a field, without links."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'top level'}: {item['msg']}"
        for item in error.errors(include_url=False)
    )


def read_collections(path: Path) -> dict[str, CollectionConfig]:
    """The collections that the scope file declares, by name. Raises `ScopeError`."""
    raw = read_scope(path).get("collections")
    if not isinstance(raw, dict) or not raw:
        raise ScopeError(f"The scope file {str(path)!r} declares no `collections`.")
    try:
        return {str(name): CollectionConfig.model_validate(body or {}) for name, body in raw.items()}
    except ValidationError as exc:
        raise ScopeError(f"The scope file {str(path)!r} is wrong: {explain(exc)}") from exc
