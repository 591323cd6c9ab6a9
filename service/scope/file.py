"""The scope file, typed and checked: collections, assistants, variants, and its digest."""

import hashlib
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ingestion.config import CollectionConfig, explain, read_scope
from ingestion.errors import ScopeError
from ingestion.search.retrieve import RetrievalSettings
from service.scope.experiments import Experiment, check_experiments
from service.scope.feedback import FeedbackLimits
from service.scope.generators import GeneratorConfig
from service.scope.metrics import METRICS, Metric
from service.scope.policy import GuardPolicy, policy_of
from service.scope.replies import ABSTAIN, REFUSE, SMALL_TALK, Reply
from service.scope.strict import Strict
from service.scope.webhooks import Webhook

# Generators that need no entry: the documents' own sentences, and the server of TOUCHSTONE_GENERATOR_URL.
EXTRACTIVE, SERVER, AUTO = "extractive", "openai", "auto"
# An adapter that is never loaded anew under its name: the name, and 12 digits of its SHA-256.
ADDRESSED = re.compile(r"[\w.-]+@[0-9a-f]{12}")
# The longest answer that any variant or request may ask for, in the generator's tokens.
MOST_TOKENS = 8_192


class Sampling(Strict):
    """What the generator is asked for."""

    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        0.2, description="Randomness of the generator; a request can ask for another."
    )
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] = Field(
        400, description="Longest answer in the generator's tokens; a request can ask for another."
    )


class Variant(Strict):
    """One full recipe of the answer path."""

    release: str | None = Field(
        None, description="A release of the assistant's collection that is served instead of the active one."
    )
    retrieval: RetrievalSettings = Field(
        RetrievalSettings.model_validate({}), description="How passages are found."
    )
    rewrite: Literal["auto", "rules", "none"] = Field(
        "auto",
        description="How a follow-up becomes a question that stands alone: `auto` asks the generator where it is a"
        " server and follows rules otherwise.",
    )
    rewrite_deadline_s: Annotated[float, Field(gt=0, le=30)] = Field(
        1.5, description="Longest wait for the server's rewriting; then rules do it."
    )
    prompt: Literal["cited", "brief"] = Field(
        "cited",
        description="What the generator is told: `cited` for models that follow several rules at once, `brief` for small"
        " ones, with few words and an example. `touchstone evals run answers --generator URL --prompt brief` says which"
        " is better for yours.",
    )
    marking: Literal["fence", "none"] = Field(
        "fence",
        description="Whether passages are fenced as data with a word that is new for every request; measure what it"
        " does for your model with `touchstone evals run marking --model URL`.",
    )
    generator: str = Field(
        AUTO,
        description="Who writes the answer: a name of `generators`, `openai` for the server of"
        " TOUCHSTONE_GENERATOR_URL, `extractive` for the documents' own sentences, or `auto` for that server where it"
        " is set and else the documents.",
    )
    fallback: Annotated[list[str], Field(min_length=1)] = Field(
        [EXTRACTIVE],
        description="Who writes it when the generator fails, in this order; the last is `extractive`, which never does.",
    )
    adapter: str | None = Field(
        None, description="LoRA adapter that the server has loaded, asked for as the model."
    )
    model: str | None = Field(
        None, description="Model that the server is asked for instead of the generator's own."
    )
    sampling: Sampling = Field(Sampling.model_validate({}), description="What the generator is asked for.")
    guards: dict[str, Any] = Field(
        {}, description="Rules of guards that differ from the assistant's, by zone and guard."
    )

    @cached_property
    def digest(self) -> str:
        """Of everything that it declares; 16 hexadecimal digits."""
        return _digest(self)


class Assistant(Strict):
    """What a client addresses as `model`."""

    collection: str = Field(description="Collection whose documents it answers from.")
    variant: str = Field(description="Variant that answers when a request names none.")
    description: str = Field("", description="What the list of models and the page call it.")
    instructions: Annotated[str, Field(max_length=4_000)] = Field(
        "",
        description="Tone, audience and language of what a generator writes, in your own words. They stand below the"
        " prompt's rules, and no answer may tell them.",
    )
    guards: dict[str, Any] = Field(
        {}, description="Rules of its guards that differ from the scope's, by zone and guard."
    )
    refuse_message: Reply = Field(
        default_factory=lambda: dict(REFUSE),
        description="Reply to a question that a guard refuses, and the end of an answer that one stops: a text, or one for"
        " each language.",
    )
    abstain_message: Reply = Field(
        default_factory=lambda: dict(ABSTAIN),
        description="Reply when the documents don't answer: a text, or one for each language.",
    )
    small_talk_message: Reply | None = Field(
        default_factory=lambda: dict(SMALL_TALK),
        description="Fixed reply to greetings, thanks and good-byes, in the same forms; with `null` they are answered like"
        " questions.",
    )
    examples: list[str] = Field([], description="Questions that the page offers.")
    tools: list[str] = Field(
        [],
        description="Shell patterns of functions that callers may offer to the generator as `tools` and whose results are"
        " read, such as `order_*` or `*`; empty: none. It takes a generator that is a server.",
    )


class Retention(Strict):
    """How long what is recorded of people stays."""

    answers_days: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Age at which `touchstone purge` deletes an answer with its feedback; `null`: never.",
    )


class Holdout(Strict):
    """Units that meet no experiment, so that what all of them did together can be told later."""

    percent: Annotated[float, Field(ge=0, le=50)] = Field(0, description="Percent of the units.")


class Scope(Strict):
    """The whole file."""

    version: Literal[1] = Field(description="Version of the format.")
    use_case: str = Field(description="What the service is for, in a sentence.")
    collections: dict[str, CollectionConfig] = Field(min_length=1, description="Collections by name.")
    variants: dict[str, Variant] = Field(min_length=1, description="Variants by name.")
    assistants: dict[str, Assistant] = Field(min_length=1, description="Assistants by name.")
    generators: dict[str, GeneratorConfig] = Field({}, description="Servers and models that write, by name.")
    guards: dict[str, Any] = Field(
        {}, description="Rules of guards that differ from the default, by zone and guard."
    )
    retention: Retention = Field(
        Retention.model_validate({}), description="How long what is recorded of people stays."
    )
    feedback: FeedbackLimits = Field(
        FeedbackLimits.model_validate({}), description="How much feedback is taken."
    )
    webhooks: dict[str, Webhook] = Field({}, description="Helpdesks that post outcomes, by name.")
    metrics: dict[str, Metric] = Field(
        {}, description="Metrics of experiments beside the built-in ones, or instead of them, by name."
    )
    experiments: dict[str, Experiment] = Field({}, description="Experiments by name.")
    holdout: Holdout = Field(Holdout.model_validate({}), description="Units that meet no experiment.")

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, assistant in self.assistants.items():
            if assistant.collection not in self.collections:
                raise ValueError(f"assistant {name!r} names the unknown collection {assistant.collection!r}")
            if assistant.variant not in self.variants:
                raise ValueError(f"assistant {name!r} names the unknown variant {assistant.variant!r}")
            self.policy_of(name)
        for name, variant in self.variants.items():
            self._check_generators(name, variant)
        for name, experiment in self.experiments.items():
            self.check_experiment(name, experiment)
        check_experiments(self.experiments)
        return self

    def check_experiment(self, name: str, experiment: Experiment) -> None:
        """Raise `ValueError` for an experiment whose assistant, variants or metrics the scope doesn't have."""
        if experiment.assistant not in self.assistants:
            raise ValueError(f"experiment {name!r} names the unknown assistant {experiment.assistant!r}")
        for arm, one in experiment.arms.items():
            if one.variant not in self.variants:
                raise ValueError(f"experiment {name!r}, arm {arm!r}: there is no variant {one.variant!r}")
            adapter = self.variants[one.variant].adapter
            if adapter is not None and not ADDRESSED.fullmatch(adapter):
                raise ValueError(
                    f"experiment {name!r}, arm {arm!r}: the adapter {adapter!r} is not named by its content, like"
                    " 'returns@0f3a9c21d4e5', so that another one could take its place unseen"
                )
            self.policy_of(experiment.assistant, one.variant)
        for metric in experiment.metrics:
            if metric not in self.all_metrics:
                raise ValueError(
                    f"experiment {name!r} names the unknown metric {metric!r}: {sorted(self.all_metrics)}"
                )

    @property
    def all_metrics(self) -> dict[str, Metric]:
        """The built-in metrics with the scope's own laid over them."""
        return {**METRICS, **self.metrics}

    def _check_generators(self, name: str, variant: Variant) -> None:
        known = {EXTRACTIVE, SERVER, *self.generators}
        for one in ({variant.generator} - {AUTO}) | set(variant.fallback):
            if one not in known:
                raise ValueError(f"variant {name!r} names the unknown generator {one!r}: {sorted(known)}")
        if variant.fallback[-1] != EXTRACTIVE:
            raise ValueError(f"variant {name!r}: its fallback must end with {EXTRACTIVE!r}")
        taken = {AUTO, EXTRACTIVE, SERVER} & self.generators.keys()
        if taken:
            raise ValueError(f"generators: the name {min(taken)!r} has a meaning already")

    def policy_of(self, assistant: str, variant: str | None = None) -> GuardPolicy:
        """What the guards of an assistant do; a variant may have rules of its own."""
        own = self.variants[variant].guards if variant else {}
        return policy_of(self.guards, self.assistants[assistant].guards, own)

    def policy_of_collection(self, collection: str) -> GuardPolicy:
        """What guards do for a search without an assistant: as for the collection's first assistant."""
        own = [a.guards for a in self.assistants.values() if a.collection == collection]
        return policy_of(self.guards, *own[:1])

    def retrieval_of(self, collection: str) -> RetrievalSettings:
        """How passages of a collection are found: as its first assistant's variant does it."""
        names = [a.variant for a in self.assistants.values() if a.collection == collection]
        return self.variants[names[0]].retrieval if names else RetrievalSettings()

    @property
    def digest(self) -> str:
        """Of the content, whatever the order of keys or the comments; 16 hexadecimal digits."""
        return _digest(self)


def _digest(value: Strict) -> str:
    content = json.dumps(value.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_scope(path: Path) -> Scope:
    """Raises `ScopeError` that names every wrong key."""
    try:
        return Scope.model_validate(read_scope(path))
    except ValidationError as exc:
        raise ScopeError(f"The scope file {str(path)!r} is wrong: {explain(exc)}") from exc
