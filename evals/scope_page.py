"""The page of the scope file's keys, from the field descriptions of its models. It reads no scope file."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ingestion.config import (
    ALL_PII,
    DEFAULT_PII,
    Clearance,
    CollectionConfig,
    IndexConfig,
    PiiPolicy,
    ScreenPolicy,
    SourceConfig,
)
from ingestion.search.retrieve import RetrievalSettings
from service.scope import Assistant, Metric, Retention, Sampling, Scope, Variant
from service.scope.experiments import Arm, Canary, Cohort, Experiment, Guardrail, LayerSlice, Plan, Shadow
from service.scope.feedback import FeedbackLimits
from service.scope.file import Holdout
from service.scope.generators import LangChainModel, OpenAIServers, Price, Timeouts
from service.scope.policy import GuardPolicy, Rule, Zone, policy_of
from service.scope.replies import Reply
from service.scope.webhooks import Webhook

_BY_GUARD = "[by guard](#what-guards-do-by-default)"


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the page: where its keys stand in the scope file, their model, and a piece of a scope file.

    `required` says what a field without a default gets: a guard's rule is laid over the default rule of that guard.
    """

    title: str
    model: type[BaseModel]
    example: str
    required: str = "required"


SECTIONS = (
    Section(
        "The file",
        Scope,
        """version: 1
use_case: Answers questions of customers from the public help centre.""",
    ),
    Section(
        "collections.NAME",
        CollectionConfig,
        """collections:
  help:
    sources: [handbook]
    languages: [en, de]
    chunk_tokens: 200""",
    ),
    Section(
        "collections.NAME.sources[]",
        SourceConfig,
        """collections:
  help:
    sources:
      - handbook                       # a path alone is enough
      - {path: "sitemap+https://www.example.com/sitemap.xml", name: site, pages_per_s: 1}
      - {path: "s3://bucket/policies", name: policies, groups: [staff]}""",
    ),
    Section(
        "collections.NAME.clearance",
        Clearance,
        """collections:
  help:
    clearance:
      supplier: Customer service
      licence: internal
      legal_basis: legitimate_interests
      purposes: [retrieve, train]""",
    ),
    Section(
        "collections.NAME.pii",
        PiiPolicy,
        """collections:
  help:
    pii:
      allow: ["*@example.com"]
      actions: {PERSON: pseudonymise, IBAN_CODE: block}""",
    ),
    Section(
        "collections.NAME.screen",
        ScreenPolicy,
        """collections:
  help:
    screen: {new_sources: quarantine, flood_documents: 500}""",
    ),
    Section(
        "collections.NAME.index",
        IndexConfig,
        """collections:
  help:
    index: {golden: golden.jsonl, least_golden: 0.9}""",
    ),
    Section(
        "generators.NAME of kind openai",
        OpenAIServers,
        """generators:
  house:
    kind: openai
    url: [http://10.0.0.5:8001/v1, http://10.0.0.6:8001/v1]
    licence: Apache-2.0
  vendor:
    kind: openai
    url: https://api.example.com/v1
    model: large
    api_key_env: VENDOR_API_KEY
    price: {prompt: 2.5, completion: 10, currency: EUR}
variants:
  baseline: {generator: house, fallback: [vendor, extractive]}""",
    ),
    Section(
        "generators.NAME of kind langchain",
        LangChainModel,
        """generators:
  claude:
    kind: langchain
    model: langchain_anthropic.ChatAnthropic      # pip install langchain-anthropic
    options: {model_name: claude-sonnet-4-5}
    api_key_env: ANTHROPIC_API_KEY""",
    ),
    Section(
        "generators.NAME.timeouts",
        Timeouts,
        """generators:
  house: {kind: openai, url: http://127.0.0.1:8001/v1, timeouts: {first_token_s: 10}}""",
    ),
    Section(
        "generators.NAME.price",
        Price,
        """generators:
  vendor: {kind: openai, url: https://api.example.com/v1, price: {prompt: 2.5, completion: 10, currency: EUR}}""",
    ),
    Section(
        "variants.NAME",
        Variant,
        """variants:
  baseline: {generator: auto}
  brief: {prompt: brief}
  documents: {generator: extractive, rewrite: rules}""",
    ),
    Section(
        "variants.NAME.retrieval",
        RetrievalSettings,
        """variants:
  baseline:
    retrieval: {top_k: 8, dense_weight: 0.6, rerank: late}""",
    ),
    Section(
        "variants.NAME.sampling",
        Sampling,
        """variants:
  baseline:
    sampling: {temperature: 0.0, max_tokens: 600}""",
    ),
    Section(
        "assistants.NAME",
        Assistant,
        """assistants:
  support:
    collection: help
    variant: baseline
    examples: ["How long do I have to return something?"]
    tools: ["order_*"]""",
    ),
    Section(
        "guards",
        GuardPolicy,
        """guards:
  deadline_s: 0.5
  output: {grounding: drop}            # an action alone is enough""",
        _BY_GUARD,
    ),
    Section(
        "guards.ZONE.GUARD",
        Rule,
        """guards:
  input:
    injection_model: {action: block, threshold: 0.95}
    toxicity: off""",
        _BY_GUARD,
    ),
    Section(
        "experiments.NAME",
        Experiment,
        """experiments:
  brief-prompt:
    hypothesis: A shorter prompt resolves more questions with the small model.
    assistant: support
    arms: {control: {variant: baseline, weight: 50}, treatment: {variant: brief, weight: 50}}
    primary: resolved_rate
    guardrails: {first_token_s: {margin: 0.1}, blocked_rate: {margin: 0.01}}
    plan: {effect: 0.05, ends: 2026-12-24}
    stages: [shadow, canary, ab]""",
    ),
    Section(
        "experiments.NAME.arms.ARM",
        Arm,
        """experiments:
  brief-prompt:
    arms:
      control: {variant: baseline, weight: 50}     # the first arm is the control
      treatment: {variant: brief, weight: 50}""",
    ),
    Section(
        "experiments.NAME.plan",
        Plan,
        """experiments:
  brief-prompt:
    plan: {effect: 0.05, power: 0.8, alpha: 0.05, ends: 2026-12-24, method: hybrid}""",
    ),
    Section(
        "experiments.NAME.guardrails.METRIC",
        Guardrail,
        """experiments:
  brief-prompt:
    guardrails:
      first_token_s: {margin: 0.1}                 # seconds
      blocked_rate: {margin: 0.01}                 # one percentage point""",
    ),
    Section(
        "experiments.NAME.shadow",
        Shadow,
        """experiments:
  brief-prompt:
    shadow: {share: 0.05, answers_a_day: 200}""",
    ),
    Section(
        "experiments.NAME.canary",
        Canary,
        """experiments:
  brief-prompt:
    canary: {coverage: 5}""",
    ),
    Section(
        "experiments.NAME.cohort",
        Cohort,
        """experiments:
  brief-prompt:
    cohort: {groups: [pilot-customers]}""",
    ),
    Section(
        "experiments.NAME.layer",
        LayerSlice,
        """experiments:
  brief-prompt:
    layer: {name: answers, start: 0, end: 50}      # another experiment takes 50 to 100""",
    ),
    Section("holdout", Holdout, """holdout: {percent: 5}"""),
    Section(
        "metrics.NAME",
        Metric,
        """metrics:
  escalated_in_a_day: {numerator: escalated, denominator: conversations, better: lower, window_days: 1}""",
    ),
    Section("feedback", FeedbackLimits, """feedback: {events_an_answer: 10}"""),
    Section(
        "webhooks.NAME",
        Webhook,
        """webhooks:
  desk:
    secret_env: DESK_SECRET
    signature_header: X-Hub-Signature-256
    prefix: sha256=
    conversation: ticket.external_id
    outcome: ticket.status
    outcomes: {solved: resolved, closed: ticket_closed}
    id: event.id""",
    ),
    Section(
        "retention",
        Retention,
        """retention:
  answers_days: 90""",
    ),
)
_HEAD = """<!-- Generated by `touchstone evals scope --write docs/scope.md` from the field descriptions. Don't edit. -->

# The scope file

`touchstone.yaml` says what the service is for, what it may use and how it answers. This page lists every key. A key that
is not listed is refused, by name, when the file is read. `touchstone evals scope` prints this page.
"""
_ZONES: tuple[Zone, ...] = ("input", "retrieved", "output")
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any value"}
_LIMITS = (("ge", "from {}"), ("gt", "above {}"), ("le", "up to {}"), ("min_length", "(at least {})"))
_LONGEST = 90  # characters of a default that a cell of a table still shows


def render() -> str:
    """The page, in Markdown."""
    parts = [_HEAD, *(_section(section) for section in SECTIONS), _types(), _guards()]
    return "\n".join(parts)


def _section(section: Section) -> str:
    rows = [
        (f"`{name}`", _type(field), _default(field, section.required), field.description or "")
        for name, field in section.model.model_fields.items()
    ]
    doc = (section.model.__doc__ or "").strip().splitlines()[0]
    table = _table(("key", "type", "default", "what it does"), rows)
    return f"## {section.title}\n\n{doc}\n\n```yaml\n{section.example}\n```\n\n{table}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)


def _type(field: FieldInfo) -> str:
    found = _type_name(field.annotation)
    limits = [text.format(value) for text, value in _limits(field.metadata)]
    return " ".join([found, *limits])


def _limits(metadata: Sequence[object]) -> Iterator[tuple[str, object]]:
    for name, text in _LIMITS:
        yield from ((text, getattr(one, name)) for one in metadata if getattr(one, name, None) is not None)


def _type_name(annotation: Any) -> str:
    """The type in words; a long list of choices is named, not spelt out."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "a type of personal data" if arguments == tuple(ALL_PII) else _choices(arguments)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin in (Union, UnionType):
        *first, last = ("null" if one is NoneType else _type_name(one) for one in arguments)
        return f"{', '.join(first)} or {last}"
    if origin is list:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type_name(arguments[1])}"
    return _WORDS.get(annotation) or _link(annotation)


def _choices(values: Sequence[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _link(annotation: Any) -> str:
    titles = {section.model: section.title for section in SECTIONS}
    title = titles.get(annotation)
    return f"[{title}](#{_anchor(title)})" if title else str(annotation.__name__)


def _anchor(title: str) -> str:
    """The fragment that a heading gets on GitHub."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _default(field: FieldInfo, required: str) -> str:
    if field.is_required():
        return required
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its defaults"
    if field.annotation in (Reply, Reply | None):
        return f"`{json.dumps(value['en'])}`, in {len(value)} languages"
    shown = json.dumps(value, ensure_ascii=False)
    return f"`{shown}`" if len(shown) <= _LONGEST or isinstance(value, str) else "see below"


def _types() -> str:
    """The types of personal data, by whether they are looked for when the scope says nothing."""
    others = [entity for entity in ALL_PII if entity not in DEFAULT_PII]
    return (
        "## Types of personal data\n\n"
        f"Looked for by default: {_choices(DEFAULT_PII)}.\n\nOnly where `entities` names them: {_choices(others)}.\n"
    )


def _guards() -> str:
    """The rule of every guard when the scope says nothing."""
    policy = policy_of()
    rows = [
        (f"`{zone}`", f"`{name}`", f"`{rule.action}`", _others(rule))
        for zone in _ZONES
        for name, rule in policy.of(zone).items()
    ]
    table = _table(("zone", "guard", "action", "differs from the rule's defaults by"), rows)
    return f"## What guards do by default\n\n[guards.md](guards.md) says what each one looks for.\n\n{table}"


def _others(rule: Rule) -> str:
    plain: Mapping[str, Any] = Rule(action=rule.action).model_dump()
    changed = {name: value for name, value in rule.model_dump().items() if value != plain[name]}
    return ", ".join(f"`{name}: {value}`" for name, value in changed.items())
