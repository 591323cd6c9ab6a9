"""The guards of each assistant, put together from its policy: the one place that knows them all."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ingestion.corpus import Hit
from ingestion.scrub import Scrubber
from service.guard.chain import Digests, Guard, ModelGuard, SentenceGuard, switched
from service.guard.checks.attribution import Attribution, Likely, TimedSupport
from service.guard.checks.citations import CitationGuard
from service.guard.checks.egress import EgressGuard
from service.guard.checks.exact import ExactGuard, NumberGuard
from service.guard.checks.leak import LeakGuard
from service.guard.checks.pii import PiiGuard, RestoreGuard
from service.guard.checks.secrets import SecretGuard
from service.guard.checks.sentences import RepetitionGuard, ToxicityGuard
from service.guard.failure import SafeJudge, TimedJudges
from service.guard.input import InputGuards
from service.guard.models.tier import Models, Scores, Supports
from service.guard.models.toxicity import may_attack
from service.guard.output import OutputGuards
from service.guard.passages import PassageMasks
from service.guard.stream.background import AdvisoryGuards, BackgroundQueue
from service.guard.values import ValueGuards
from service.scope import Scope
from service.scope.policy import GuardPolicy, Rule

# Pieces of advisory work that may wait where nobody says otherwise.
_QUEUE = 8


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What an answer may say: the passages it rests on, what was said in the conversation, the question first, and the
    prompt's rules, which it may not. `is_quoted`: its sentences are those of the passages, with their numbers;
    `likely`: the passages' sentences by how likely they are to answer; `results` are those of tools, which are passages
    too and are numbered behind the hits."""

    hits: tuple[Hit, ...]
    conversation: tuple[str, ...]
    groups: frozenset[str] | None = frozenset()
    originals: Mapping[str, set[str]] | None = None
    rules: str = ""
    is_quoted: bool = False
    likely: tuple[Likely, ...] = ()
    results: tuple[str, ...] = ()

    @property
    def passages(self) -> list[str]:
        """The texts of the passages."""
        return [*(hit.chunk.embedded_text for hit in self.hits), *self.results]

    @property
    def language(self) -> str:
        """That of the best passage."""
        return self.hits[0].chunk.language if self.hits else "en"


class AssistantGuards:
    """The guards of one assistant. Safe to share: what remembers is made anew for each answer.

    Models that decide are asked in `executor`, advisory ones through the queue `advisory`, where nobody waits for them.
    `pii_policy`: see `PassageMasks`.
    """

    def __init__(
        self,
        policy: GuardPolicy,
        *,
        input_scrubber: Scrubber,
        output_scrubber: Scrubber,
        models: Models | None,
        executor: Executor | None,
        advisory: BackgroundQueue | None = None,
        digests: Digests,
        canary: str,
        ready: asyncio.Future[None] | None = None,
        pii_policy: str | None = None,
    ) -> None:
        self.policy = policy
        self.passages = PassageMasks(policy, output_scrubber, digests, pii_policy=pii_policy)
        self._scrubbers = (input_scrubber, output_scrubber)
        self._models = models
        self._executor = executor
        self._advisory = advisory or (
            BackgroundQueue(executor, limit=_QUEUE) if executor is not None else None
        )
        self._digests = digests
        self._canary = canary
        self._output_toxicity = self._judge("output", "toxicity")
        self._support = models.support(policy.output["grounding"].model) if models else None
        judges: dict[str, Scores] = {}
        for name in ("injection_model", "toxicity"):
            judge = self._judge("input", name)
            if judge is not None:
                judges[name] = judge
        self.input: InputGuards | None = (
            InputGuards(policy, self.input_redactors, judges, executor, ready)
            if executor is not None
            else None
        )

    def _judge(self, zone: str, name: str) -> Scores | None:
        rule = (self.policy.input if zone == "input" else self.policy.output)[name]
        if not rule.is_on or self._models is None:
            return None
        return self._models.toxicity(rule.model) if name == "toxicity" else self._models.injection(rule.model)

    def input_redactors(self, originals: dict[str, set[str]] | None = None) -> list[Guard]:
        """Guards that mask what was said."""
        rules = self.policy.input
        kept = originals if rules["pii"].restore else None
        found: list[tuple[Rule, Guard]] = [
            (rules["secrets"], SecretGuard(self._digests, tuple(rules["secrets"].allow))),
            (rules["pii"], PiiGuard(self._scrubbers[0], self._digests, originals=kept)),
        ]
        return switched(found)

    def masks(self, named: Sequence[str] = ()) -> list[Guard]:
        """Guards that mask what leaves, whatever it rests on; addresses of hosts that `named` texts hold stay."""
        rules = self.policy.output
        return switched(
            [
                (rules["secrets"], SecretGuard(self._digests, tuple(rules["secrets"].allow))),
                (rules["pii"], PiiGuard(self._scrubbers[1], self._digests)),
                (rules["egress"], EgressGuard(named, rules["egress"].allow, self._digests)),
            ]
        )

    def output(self, context: AnswerContext) -> OutputGuards:
        """The guards of one answer."""
        return OutputGuards(
            self._words(context),
            self._deciding(context),
            self._advising(),
            self._last(context),
            self.policy,
            in_thread=self._executor is not None,
            attribution=None if context.is_quoted else self._attribution(context),
        )

    def values(self, context: AnswerContext) -> ValueGuards:
        """The guards of one answer that is JSON. Values repeat, and a single one says nothing that could be grounded."""
        return ValueGuards(
            self._words(context),
            self._deciding(context, without=(RepetitionGuard.name,)),
            self._last(context),
            self.policy.output["length"],
            in_thread=self._executor is not None,
        )

    def calls(self, context: AnswerContext) -> ValueGuards:
        """The guards of calls of tools. Arguments claim nothing: their numbers, dates and names need no source."""
        rules, said = self.policy.output, [*context.passages, *context.conversation]
        words: list[tuple[Rule, Guard]] = [
            (rules["secrets"], SecretGuard(self._digests, tuple(rules["secrets"].allow))),
            (rules["pii"], self._pii(context, context.passages)),
            (rules["egress"], EgressGuard(said, rules["egress"].allow, self._digests)),
        ]
        claims = (RepetitionGuard.name, ExactGuard.name)
        return ValueGuards(
            switched(words),
            self._deciding(context, without=claims),
            self._last(context),
            rules["length"],
            in_thread=self._executor is not None,
        )

    def _words(self, context: AnswerContext) -> list[Guard]:
        """Those that mask."""
        rules, passages = self.policy.output, context.passages
        sources = [*passages, *(hit.chunk.source for hit in context.hits)]
        words: list[tuple[Rule, Guard]] = [
            (rules["citations"], CitationGuard(len(passages))),
            (rules["secrets"], SecretGuard(self._digests, tuple(rules["secrets"].allow))),
            (rules["pii"], self._pii(context, passages)),
            (rules["egress"], EgressGuard(sources, rules["egress"].allow, self._digests)),
            (rules["numbers"], NumberGuard([*passages, *context.conversation])),
        ]
        return switched(words)

    def _last(self, context: AnswerContext) -> list[Guard]:
        is_restored = context.originals and self.policy.input["pii"].restore
        return [RestoreGuard(context.originals)] if is_restored and context.originals else []

    def _attribution(self, context: AnswerContext) -> Attribution | None:
        """What finds the passage of each sentence, where grounding is on."""
        rule, passages = self.policy.output["grounding"], context.passages
        if self._support is None or not rule.is_on or not passages:
            return None
        support: Supports = self._support
        if self._executor is not None:
            support = TimedSupport(support, self._executor, min(rule.deadline_s, self.policy.deadline_s))
        question = next(iter(context.conversation), "")
        return Attribution(support, passages, question, rule, context.likely, language=context.language)

    def _pii(self, context: AnswerContext, passages: Sequence[str]) -> PiiGuard:
        """Who is entitled sees personal data that stands in a passage; everybody else sees none."""
        is_entitled = self.passages.is_entitled(context.groups)
        joined = "\n".join(passages)
        return PiiGuard(
            self._scrubbers[1],
            self._digests,
            is_entitled=(lambda value: value in joined) if is_entitled else None,
        )

    def _deciding(self, context: AnswerContext, *, without: Sequence[str] = ()) -> list[SentenceGuard]:
        """Rules, and those models that may stop or drop a sentence: it waits for them."""
        rules, passages = self.policy.output, context.passages
        sources = "\n".join([*passages, *context.conversation])
        by_rules: list[tuple[Rule, SentenceGuard]] = [
            (rules["leak"], LeakGuard(context.rules, self._canary, rules["leak"], sources)),
            (rules["repetition"], RepetitionGuard(rules["repetition"])),
            (rules["exact"], ExactGuard(passages, context.conversation, rules["exact"], context.language)),
        ]
        found: list[SentenceGuard] = [
            SafeJudge(guard, rule) for rule, guard in by_rules if rule.is_on and guard.name not in without
        ]
        models = [(rule, guard) for rule, guard in self._judges() if _may_act(rule)]
        return found + self._timed(models)

    def _advising(self) -> AdvisoryGuards:
        """Models whose findings change nothing: the client need not wait for them."""
        guards = [(rule, guard) for rule, guard in self._judges() if not _may_act(rule)]
        longest = max((rule.deadline_s for rule, _ in guards), default=0.0)
        return AdvisoryGuards(guards, self._advisory, min(longest, self.policy.deadline_s))

    def _judges(self) -> list[tuple[Rule, ModelGuard]]:
        rules = self.policy.output
        found: list[tuple[Rule, ModelGuard]] = []
        if self._output_toxicity:
            guard = ToxicityGuard(self._output_toxicity, rules["toxicity"], may_attack)
            found.append((rules["toxicity"], guard))
        return found

    def _timed(self, models: Sequence[tuple[Rule, ModelGuard]]) -> list[SentenceGuard]:
        if not models:
            return []
        if self._executor is None:
            return [SafeJudge(guard, rule) for rule, guard in models]
        return [TimedJudges(models, self._executor, self.policy.deadline_s)]


def _may_act(rule: Rule) -> bool:
    """Whether a finding, or a failure, can change what is sent."""
    return rule.changes_text or rule.fail != "open"


__all__ = ["AssistantGuards", "AnswerContext"]


def guards_key(assistant: str, variant: str) -> str:
    """The name of the guards of a variant that has rules of its own, for an assistant."""
    return f"{assistant}/{variant}"


def policies_of(scope: Scope) -> list[tuple[str, str, GuardPolicy]]:
    """The name of each guards, their assistant's collection, and what they do."""
    plain = [(name, one.collection, scope.policy_of(name)) for name, one in scope.assistants.items()]
    return plain + [
        (guards_key(name, variant), one.collection, scope.policy_of(name, variant))
        for name, one in scope.assistants.items()
        for variant, recipe in scope.variants.items()
        if recipe.guards
    ]
