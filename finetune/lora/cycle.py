"""The whole way: rows, training, proof, publication as a canary. Each step is done once; a cycle that was killed goes on."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.lora.base import check_base
from finetune.lora.dataset import prepare, told
from finetune.lora.lineage import Facts, Record, open_record
from finetune.lora.merge import merge
from finetune.lora.parity import LEAST_TOKENS, Parity, measure_parity
from finetune.lora.preflight import check_template
from finetune.lora.prove import Measured, prove
from finetune.lora.publish import Person, Place, publish
from finetune.lora.recipe import Recipe
from finetune.lora.registry import Adapter, Lineage, digest_of_adapter, open_adapter, register
from finetune.lora.reports import Report, is_of_same_cases, measure, read_report
from finetune.lora.rows import Dataset, open_dataset
from finetune.lora.served import served
from finetune.lora.server import AdapterServer
from finetune.lora.template import Template
from finetune.lora.train import Trained, train
from finetune.yaml_file import TrainingDataError
from ingestion.artifact import digest_of
from service.database import open_database
from service.settings import Settings

# A rehearsal: every step on so little that minutes are enough, and nothing is proved by it.
QUICK = "-quick"
QUICK_ROWS = {"contexts": 16, "questions": 4}
QUICK_TRAINING = {"rank": 8, "evaluate_rows": 8, "evaluate_every": 10}
_QUICK_CASES, _QUICK_TOKENS = 6, 100


@dataclass(frozen=True, slots=True)
class Cycled:
    """What came of a cycle: the adapter's name and folder, the verdict, and the record of all steps."""

    adapter: str
    folder: Path
    verdict: str
    record: Path


class Cycle:
    """One recipe on its way. Every step finds what earlier ones left, also in another process."""

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        *,
        is_quick: bool = False,
        applies: bool = False,
        by: Person | None = None,
    ) -> None:
        self._recipe, self._settings, self._is_quick = recipe, settings, is_quick
        self._applies, self._by = applies, by
        self._server: AdapterServer | None = None
        self._state = settings.data_dir / "finetune" / recipe.name
        self._base = Path(recipe.base.path)
        self._record: Record = open_record(self._state / "cycles" / f"{recipe.digest}.json", recipe)

    def run(self) -> Cycled:
        """All steps. Raises `TrainingDataError`, which names the step's reason and the remedy."""
        self._check_server()
        adapter, verdict = self.prove()
        if verdict["verdict"] == "pass" or self._by is not None:
            self._publish(adapter)
        else:
            _say("Not published. A person may answer for it: --by NAME --reason WHY.")
        return Cycled(adapter.name, adapter.folder, verdict["verdict"], self._record.path)

    def train(self) -> Adapter:
        """The steps up to the adapter. Raises `TrainingDataError`."""
        return self._train(self._prepare())

    def prove(self) -> tuple[Adapter, Facts]:
        """The steps up to the verdict. Raises `TrainingDataError`."""
        dataset = self._prepare()
        adapter = self._train(dataset)
        return adapter, self._prove(adapter, dataset)

    def publish(self) -> Adapter:
        """All steps, whatever the verdict: what didn't pass is refused unless a person answers for it."""
        self._check_server()
        adapter, _ = self.prove()
        self._publish(adapter)
        return adapter

    def _check_server(self) -> None:
        """Better now than after the training."""
        publication = self._recipe.publication
        if publication.loading == "runtime" and "publish" not in self._record.steps:
            self._server = AdapterServer(publication.server)
            self._server.models()

    def _prepare(self) -> Dataset:
        folder = self._state / "datasets"

        def make() -> Facts:
            base = check_base(self._base, self._recipe.base.digest)
            dataset = prepare(self._recipe, self._settings)
            return {"dataset": dataset.digest, "base": base, "shares": dataset.artifact.facts["shares"]}

        def holds(facts: Mapping[str, Any]) -> bool:
            """Until the proof: then rows are made anew, without what was erased meanwhile and with what came."""
            is_there = (folder / facts["dataset"][:12]).is_dir() and facts["base"] == check_base(
                self._base, None
            )
            return is_there and "prove" not in self._record.steps

        facts = self._record.step("prepare", holds, make)
        dataset = open_dataset(folder / facts["dataset"][:12])
        _say(told(dataset))
        return dataset

    def _train(self, dataset: Dataset) -> Adapter:
        def make() -> Facts:
            self._check_template(dataset)
            run = self._state / "runs" / f"{self._recipe.digest}-{dataset.digest[:12]}"
            trained = train(self._recipe, dataset, self._base, run, progress=_progress)
            facts = _facts_of(trained)
            base = self._record.steps["prepare"]["base"]
            adapter = register(
                self._state / "adapters", trained.adapter_folder, Lineage(self._recipe, dataset, base, facts)
            )
            return {"adapter": adapter.name, **facts}

        facts = self._record.step("train", lambda facts: self._adapter_folder(facts).is_dir(), make)
        return open_adapter(self._adapter_folder(facts))

    def _check_template(self, dataset: Dataset) -> None:
        """What is trained must be what the server reads, where there is one already."""
        row = next((row for row in dataset.rows if row.messages), None)
        if self._server is not None and row is not None:
            served = self._server.prompt_tokens(self._recipe.base.served_as, row.messages)
            check_template(Template(self._base).prompt(row), served)

    def _adapter_folder(self, facts: Mapping[str, Any]) -> Path:
        return self._state / "adapters" / str(facts["adapter"])

    def _prove(self, adapter: Adapter, dataset: Dataset) -> Facts:
        """The adapter is measured merged, by a server of our own: a processor's kernels for adapters take ten times as long,
        and parity says that the merged model is the adapter."""
        merged = self._state / "merged" / adapter.name

        def make() -> Facts:
            merge(self._base, adapter.folder, merged, licence=adapter.artifact.licence)
            parity = self._parity(adapter, merged, dataset)
            base_digest = self._record.steps["prepare"]["base"]
            base = self._report(self._base, "base", base_digest)
            found = self._report(merged, adapter.name, digest_of_adapter(adapter.folder))
            if not is_of_same_cases(base, found):
                # The base was asked before the cases or the prompt changed.
                base = self._report(self._base, "base", base_digest, is_anew=True)
            measured = Measured(
                base=base_digest,
                parity=parity,
                forgetting=self._record.steps["train"]["forgetting"],
            )
            verdict = prove(adapter, base, found, measured, self._recipe.gate)
            return verdict.facts() | {"merged": str(merged), "parity": parity.facts()}

        facts = self._record.step("prove", lambda facts: Path(facts["merged"]).is_dir(), make)
        _say(f"{facts['verdict']}: {facts['sentence']}")
        return facts

    def _parity(self, adapter: Adapter, merged: Path, dataset: Dataset) -> Parity:
        template = Template(self._base)
        sequences = [template.encode(row) for row in dataset.of("development")]
        if sum(len(one.completion) for one in sequences) < LEAST_TOKENS:
            sequences += [template.encode(row) for row in dataset.of("train")]
        log = self._state / "logs" / "parity.log"
        options = ("--lora-modules", f"{adapter.name}={adapter.folder}")
        with served(self._base, log, options) as url:
            return measure_parity(
                self._base,
                adapter.folder,
                sequences,
                merged=merged,
                server=AdapterServer(url),
                served_as=adapter.name,
                least=_QUICK_TOKENS if self._is_quick else LEAST_TOKENS,
            )

    def _report(self, model: Path, name: str, digest: str, *, is_anew: bool = False) -> Report:
        """What a model says to the cases; asked once for a model, a prompt and a number of cases, unless `is_anew`."""
        sample = _QUICK_CASES if self._is_quick else None
        data = _public_data()
        key = f"{name}-{digest[:12]}-{self._recipe.prompt}-{sample or 'all'}{'-public' if data else ''}"
        path = self._state / "reports" / f"{key}.json"
        if path.is_file() and not is_anew:
            return read_report(path)
        with served(model, self._state / "logs" / f"{name}.log") as url:
            return measure(url, path, prompt=self._recipe.prompt, data=data, sample=sample)

    def _publish(self, adapter: Adapter) -> None:
        def make() -> Facts:
            engine = open_database(self._settings.database())
            place = Place.of(self._settings, engine)
            try:
                return publish(adapter, self._recipe, place, apply=self._applies, by=self._by).facts()
            finally:
                engine.dispose()

        facts = self._record.step("publish", lambda facts: facts["adapter"] == adapter.name, make)
        for line in facts["steps"]:
            _say(line)


def cycle(
    recipe: Recipe, settings: Settings, *, quick: bool = False, apply: bool = False, by: Person | None = None
) -> Cycled:
    """Go the whole way with a recipe. `quick` is a rehearsal on a few rows and cases; with `apply` variant and experiment
    go into the scope file and the database; `by` is who publishes what its proof didn't let pass.

    Raises `TrainingDataError` for everything a person can mend.
    """
    if quick:
        raw = recipe.model_dump()
        raw["name"] = f"{recipe.name}{QUICK}"
        raw["data"]["documents"] |= QUICK_ROWS
        raw["training"] |= QUICK_TRAINING
        recipe = Recipe.model_validate(raw)
    return Cycle(recipe, settings, is_quick=quick, applies=apply, by=by).run()


def _facts_of(trained: Trained) -> Facts:
    return {
        "steps": trained.steps,
        "best_step": trained.best_step,
        "base_loss": trained.base_loss,
        "best_loss": trained.best_loss,
        "forgetting": trained.forgetting,
        "precision": trained.precision,
        "weights": digest_of(trained.adapter_folder / "adapter_model.safetensors"),
    }


def _public_data() -> Path | None:
    """The folder of public sets, where one was named."""
    named = os.environ.get("TOUCHSTONE_DATA")  # noqa: TID251
    if not named:
        return None
    if not Path(named).is_dir():
        raise TrainingDataError(f"TOUCHSTONE_DATA is {named!r}, which is no folder.")
    return Path(named)


def _progress(moment: Any) -> None:
    if moment.development is not None or moment.step % 5 == 0:
        loss = "" if moment.loss is None else f" loss {moment.loss:.3f}"
        look = "" if moment.development is None else f" development {moment.development:.3f}"
        _say(f"step {moment.step}/{moment.steps}{loss}{look}")


def _say(text: str) -> None:
    """What happens, for who waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
