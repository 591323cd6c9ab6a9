"""What the scope file says of a collection, and how to read that part of it."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingestion.errors import ScopeError

Entity = Literal[
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "CREDIT_CARD",
    "IBAN_CODE",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "CRYPTO",
    "URL_CREDENTIALS",
    "SECRET_KEY",
    "US_SSN",
    "US_ITIN",
    "US_PASSPORT",
    "US_DRIVER_LICENSE",
    "UK_NHS",
    "UK_NINO",
    "DE_TAX_ID",
    "ES_NIF",
    "ES_NIE",
    "IT_FISCAL_CODE",
    "PL_PESEL",
    "FI_PERSONAL_IDENTITY_CODE",
    "SE_PERSONNUMMER",
    "NL_BSN",
    "FR_NIR",
    "BE_NATIONAL_NUMBER",
    "IN_AADHAAR",
    "IN_PAN",
    "AU_TFN",
    "AU_MEDICARE",
    "SG_NRIC_FIN",
    "TAX_ID",
    "PASSPORT",
    "LICENSE_PLATE",
    "DATE_OF_BIRTH",
    "PASSWORD",
    "USERNAME",
    "PERSON",
    "STREET_ADDRESS",
    "LOCATION",
    "ORGANIZATION",
    "NRP",
    "DATE_TIME",
    "TITLE",
    "AGE",
    "ZIP_CODE",
    "DOMAIN_NAME",
]
# Where somebody was, worked or came from says little without a name beside it, and a help page that
# has lost its places, dates and makers answers nothing. They can be switched on for each source.
_NOT_BY_DEFAULT = frozenset(
    "LOCATION ORGANIZATION NRP DATE_TIME TITLE AGE ZIP_CODE DOMAIN_NAME US_PASSPORT US_DRIVER_LICENSE".split()
)
ALL_PII: list[Entity] = list(get_args(Entity))
DEFAULT_PII: list[Entity] = [entity for entity in ALL_PII if entity not in _NOT_BY_DEFAULT]
# What is sought in any text: a secret opens something, whoever it belongs to.
SECRET_PII: list[Entity] = ["URL_CREDENTIALS", "SECRET_KEY"]
# What is sought in program code, which is full of numbers: what has a form or check digits that leave no doubt.
CODE_PII: list[Entity] = [*SECRET_PII, "EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE"]
Action = Literal["mask", "pseudonymise", "block", "keep"]
Purpose = Literal["retrieve", "train"]


class PiiPolicy(BaseModel):
    """Which personal data is looked for in a collection or a source, and what becomes of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entities: list[Entity] = Field(DEFAULT_PII, description="Types to look for.")
    allow: list[str] = Field(
        [], description="Shell patterns of values that are public, e.g. `*@example.com` or `ORD-*`."
    )
    regions: list[str] = Field(
        ["US", "GB", "DE", "ES", "FR", "NL", "IE"],
        description="Countries, by ISO 3166 code, whose national phone formats are recognised without a word beside them."
        " Beside a word such as `tel.` or `call`, and in groups that only one country writes, numbers of all countries are.",
    )
    action: Action = Field(
        "mask",
        description="`mask` writes the type, `pseudonymise` the type and a number that stands for the value"
        " within the collection, `block` keeps the document out, `keep` only counts.",
    )
    actions: dict[Entity, Action] = Field(
        {"PERSON": "pseudonymise"}, description="Actions for single types; the others follow `action`."
    )
    names: Literal["builtin", "none"] | str = Field(
        "builtin",
        description="The model for names and places: the built-in one, `none`, or `spacy:NAME` of an installed"
        " spaCy pipeline, `transformers:FOLDER`, `gliner:FOLDER`.",
    )
    min_name_score: float = Field(0.5, ge=0, le=1, description="Probability below which a name is ignored.")
    everywhere: bool = Field(
        False,
        description="Whether all `entities` are looked for in program code, and in documents whose clearance says"
        " `no_personal_data`. By default code loses only secrets, e-mail addresses, and cards and accounts whose check"
        " digits are right, and those documents only secrets.",
    )

    @property
    def digest(self) -> str:
        """Tells this policy from any other; part of every document that was scrubbed under it."""
        body = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    def of_code(self) -> Self:
        """The policy as it holds for program code."""
        return self if self.everywhere else self._limited_to(CODE_PII)

    def of_cleared(self) -> Self:
        """The policy as it holds for documents that were cleared as holding no personal data."""
        return self if self.everywhere else self._limited_to(SECRET_PII)

    def _limited_to(self, entities: Sequence[Entity]) -> Self:
        kept = [entity for entity in self.entities if entity in entities]
        return self.model_copy(update={"entities": kept})

    def action_of(self, entity: str) -> Action:
        """What becomes of a type."""
        return next((action for name, action in self.actions.items() if name == entity), self.action)


class Clearance(BaseModel):
    """Who supplied a source, and what may be done with it, for how long, on what ground."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    supplier: str = Field(min_length=1, description="Who supplied it: a team, a person's role, a company.")
    licence: str = Field(min_length=1, description="Licence or contract, e.g. `internal` or `CC BY 4.0`.")
    legal_basis: Literal[
        "consent",
        "contract",
        "legal_obligation",
        "vital_interests",
        "public_task",
        "legitimate_interests",
        "no_personal_data",
    ] = Field(description="Ground of the processing, after article 6 (1) GDPR.")
    consent: str | None = Field(
        None, description="Where the consent is recorded; required when `legal_basis` is `consent`."
    )
    purposes: list[Purpose] = Field(["retrieve"], description="What it may be used for.")
    trust: Literal["high", "normal", "low"] = Field(
        "normal",
        description="How far the source is believed: its passages are preferred when trusted `high`, and can't be"
        " outvoted by copies; `low` ones come after others.",
    )
    expires: date | None = Field(None, description="The last day on which it may be used.")

    @model_validator(mode="after")
    def _names_its_consent(self) -> Self:
        if self.legal_basis == "consent" and not self.consent:
            raise ValueError("`legal_basis: consent` needs `consent`: say where it is recorded")
        return self

    def refusal(self, purpose: Purpose, today: date) -> str | None:
        """Why it may not be used for a purpose on a day; None when it may."""
        if purpose not in self.purposes:
            return f"Its clearance allows {self.purposes}, not {purpose!r}. Ask {self.supplier!r} for it."
        if self.expires is not None and today > self.expires:
            return f"Its clearance expired on {self.expires}. Ask {self.supplier!r} to renew it."
        return None


class SourceConfig(BaseModel):
    """Where documents come from, with its rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        min_length=1,
        description="A folder, file or pattern relative to the scope file; `https://…`, `sitemap+https://…`,"
        " an fsspec URL (`s3://…`), `sql+<SQLAlchemy URL>` with `query`, or `loader:<dotted path>`.",
    )
    name: str | None = Field(
        None, description="Name of the source in reports and provenance; by default its path."
    )
    clearance: Clearance | None = Field(
        None, description="Clearance of this source, instead of the collection's."
    )
    pii: PiiPolicy | None = Field(None, description="Policy of this source, instead of the collection's.")
    query: str | None = Field(
        None, description="SQL of a `sql+` source; it selects `id`, `text` and any further columns."
    )
    arguments: dict[str, Any] = Field(
        {}, description="Keyword arguments of the LangChain loader or the fsspec file system."
    )
    metadata: dict[str, str | int | float | bool] = Field(
        {}, description="Metadata that every document of the source gets."
    )
    groups: list[str] | None = Field(
        None,
        description="Groups that may see its documents, instead of the collection's; an empty list means everybody.",
    )
    max_pages: int = Field(2_000, ge=1, description="Largest number of pages fetched from a site.")
    pages_per_s: float = Field(
        2.0, gt=0, le=100, description="Largest number of requests to a site per second."
    )

    @property
    def source_name(self) -> str:
        """How reports and provenance call it."""
        return self.name or self.path


class ScreenPolicy(BaseModel):
    """When a document must wait for a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="Whether documents are screened at all.")
    model: bool = Field(True, description="Whether a model looks for planted sentences too.")
    flag_above: float = Field(
        0.9, ge=0, le=1, description="Score of a sentence at which its passages are flagged and ranked last."
    )
    quarantine_above: float = Field(
        0.98, ge=0, le=1, description="Score of a sentence at which its document waits for a person."
    )
    new_sources: Literal["allow", "quarantine"] = Field(
        "allow", description="What happens to documents of a source the collection has not seen before."
    )
    flood_factor: float = Field(5.0, gt=1, description="Growth of a source in one go that counts as a flood.")
    flood_documents: int = Field(200, ge=1, description="Fewer new documents than this are never a flood.")
    near_copies: int = Field(
        3,
        ge=2,
        description="Number of short documents of a source that begin with one question and answer it alike, which counts"
        " as an attack.",
    )


class IndexConfig(BaseModel):
    """How the passages of a collection are indexed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["auto", "exact", "ivf"] = Field(
        "auto",
        description="How vectors are searched: `exact`, or by inverted lists (`ivf`); `auto`: exact below 50,000 passages.",
    )
    milvus: str | None = Field(
        None,
        description="A Milvus server, or a file for Milvus Lite, that proposes candidates (extra `milvus`).",
    )
    golden: str | None = Field(
        None,
        description="A JSON-lines file, relative to the scope file, of questions and the documents that must be found.",
    )
    least_golden: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Least share of golden questions whose document is among the first five; a release below it is refused.",
    )


class CollectionConfig(BaseModel):
    """A named set of documents with one index."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: list[str | SourceConfig] = Field([], description="Where documents come from.")
    clearance: Clearance | None = Field(
        None,
        description="Clearance of sources that declare none. A document without clearance is not ingested.",
    )
    embedder: str = Field(
        "builtin",
        description="`builtin` for English; `multilingual` for a hundred languages, which `make multilingual` builds once; or"
        " the folder or hub name of a sentence-transformers model.",
    )
    chunk_tokens: int = Field(200, ge=32, le=2048, description="Largest chunk, in the embedder's tokens.")
    contextual_header: bool = Field(
        True, description="Whether title and headings are embedded in front of a chunk's text."
    )
    deduplicate: bool = Field(True, description="Whether copies and near copies are left out.")
    languages: list[str] = Field(
        ["en", "de", "es", "fr", "nl", "it", "pt"],
        min_length=1,
        description="Languages among which that of a document is guessed when it does not state one.",
    )
    groups: list[str] = Field(
        [],
        description="Groups that may see documents whose source names none; an empty list means everybody.",
    )
    index: IndexConfig = Field(IndexConfig.model_validate({}), description="How passages are indexed.")
    pii: PiiPolicy = Field(
        PiiPolicy.model_validate({}),
        description="What becomes of personal data, for sources that declare nothing of their own.",
    )
    screen: ScreenPolicy = Field(
        ScreenPolicy.model_validate({}), description="When a document waits in quarantine for a person."
    )

    @cached_property
    def sources_by_name(self) -> dict[str, SourceConfig]:
        """The declared sources by name."""
        sources = [SourceConfig(path=s) if isinstance(s, str) else s for s in self.sources]
        return {source.source_name: source for source in sources}

    def source_of(self, source_name: str) -> SourceConfig:
        """The declaration of a source; an undeclared one follows the collection's rules."""
        return self.sources_by_name.get(source_name) or SourceConfig(path=source_name or ".")

    def clearance_of(self, source_name: str) -> Clearance | None:
        """The clearance of a source."""
        return self.source_of(source_name).clearance or self.clearance

    def groups_of(self, source_name: str) -> list[str]:
        """Who may see the documents of a source."""
        own = self.source_of(source_name).groups
        return self.groups if own is None else own

    def pii_of(self, source_name: str) -> PiiPolicy:
        """The policy for personal data of a source."""
        policy = self.source_of(source_name).pii or self.pii
        clearance = self.clearance_of(source_name)
        is_cleared = clearance is not None and clearance.legal_basis == "no_personal_data"
        return policy.of_cleared() if is_cleared else policy

    @property
    def one_pii_policy(self) -> str | None:
        """The digest of the policy that holds for every source; None where they have several."""
        names = [*self.sources_by_name, *([""] if self.clearance or not self.sources else [])]
        digests = {self.pii_of(name).digest for name in names}
        return digests.pop() if len(digests) == 1 else None


def read_scope(path: Path) -> dict[str, Any]:
    """The scope file as a mapping. Raises `ScopeError` when it is missing or no YAML mapping."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as exc:
        raise ScopeError(
            f"No scope file at {str(path)!r}. Create it, or name one with --scope or TOUCHSTONE_SCOPE_FILE."
        ) from exc
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        reason = " ".join(str(exc).split())
        raise ScopeError(f"The scope file {str(path)!r} cannot be read as YAML: {reason}") from exc
    except RecursionError as exc:
        raise ScopeError(f"The scope file {str(path)!r} is nested too deeply to be read.") from exc
    if not isinstance(raw, dict):
        raise ScopeError(f"The scope file {str(path)!r} must hold a mapping at its top level.")
    return raw


def explain(error: ValidationError) -> str:
    """Pydantic's findings, one line a field, without links."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'top level'}: {item['msg']}"
        for item in error.errors(include_url=False)
    )


def read_pins(path: Path) -> frozenset[str]:
    """Releases that variants of the scope file name: they must stay."""
    variants = read_scope(path).get("variants")
    named = variants.values() if isinstance(variants, dict) else ()
    return frozenset(str(v["release"]) for v in named if isinstance(v, dict) and v.get("release"))


def read_collections(path: Path) -> dict[str, CollectionConfig]:
    """The collections that the scope file declares, by name. Raises `ScopeError`."""
    raw = read_scope(path).get("collections")
    if not isinstance(raw, dict) or not raw:
        raise ScopeError(f"The scope file {str(path)!r} declares no `collections`.")
    try:
        return {str(name): CollectionConfig.model_validate(body or {}) for name, body in raw.items()}
    except ValidationError as exc:
        raise ScopeError(f"The scope file {str(path)!r} is wrong: {explain(exc)}") from exc
