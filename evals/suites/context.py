"""What every suite gets: the scope, an embedder, and where data lies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from evals.case import Case, load_cases
from evals.corpora import demo_release
from evals.harness import Answered, answer_all
from evals.metrics import Figure
from ingestion.embed import BUILTIN, Embedder, load_embedder
from ingestion.releases.release import Release
from ingestion.search.retrieve import RetrievalSettings
from service.scope import Scope

Item = TypeVar("Item")


@dataclass(frozen=True)
class Context:
    """Shared by the suites of a run, so that the demo is ingested and answered once; `generated` are figures of a
    generator's answers by set, since several suites tell them. `adapter`, `cases` and `report` are the suite `adapter`'s."""

    scope: Scope
    base: Path
    embedder: Embedder
    data_dir: Path
    data: Path | None
    sample: int | None = None
    model: str | None = None
    model_key: str | None = None
    generator: str | None = None
    prompt: str | None = None
    adapter: str | None = None
    cases: Path | None = None
    report: Path | None = None
    generated: dict[str, dict[str, Figure]] = field(default_factory=dict)

    def sampled(self, items: Sequence[Item]) -> Sequence[Item]:
        """All items, or evenly spread ones of them when the run is on samples."""
        if self.sample is None or len(items) <= self.sample:
            return items
        return [items[i * len(items) // self.sample] for i in range(self.sample)]

    @cached_property
    def built_in(self) -> Embedder:
        """The embedder that guards read with, whichever one the collection has."""
        config = self.scope.collections[self.scope.assistants[self.assistant].collection]
        return self.embedder if config.embedder == BUILTIN else load_embedder(BUILTIN)

    @property
    def assistant(self) -> str:
        """The first assistant of the scope."""
        return next(iter(self.scope.assistants))

    @property
    def with_default_floor(self) -> Scope:
        """The scope, whose assistant abstains below the default floor: the demo's own was chosen on its cases, and other
        documents are judged by the default one."""
        floor = RetrievalSettings().relevance_floor
        name = self.scope.assistants[self.assistant].variant
        variant = self.scope.variants[name]
        retrieval = variant.retrieval.model_copy(update={"relevance_floor": floor})
        variants = {**self.scope.variants, name: variant.model_copy(update={"retrieval": retrieval})}
        return self.scope.model_copy(update={"variants": variants})

    @cached_property
    def demo(self) -> Release:
        """The demo's release."""
        name = self.scope.assistants[self.assistant].collection
        config = self.scope.collections[name]
        return demo_release(name, config, self.base, self.embedder, self.data_dir)

    @cached_property
    def demo_answers(self) -> list[tuple[Case, Answered]]:
        """The demo's cases, answered."""
        cases = load_cases()
        questions = [case.question for case in cases]
        answered = answer_all(self.scope, self.assistant, self.demo, self.embedder, questions)
        return list(zip(cases, answered, strict=True))
