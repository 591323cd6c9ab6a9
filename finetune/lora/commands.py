"""What the commands of `touchstone finetune` do: settings in, a few lines for a person out."""

import json
import math
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from finetune.lora.base import base_digest
from finetune.lora.candidates import measure_all, quality_by_evals
from finetune.lora.choose import load_choice, verdict, weigh
from finetune.lora.cycle import Cycle, cycle
from finetune.lora.dataset import prepare, told
from finetune.lora.decision import write_decision
from finetune.lora.licences import decide, decide_one
from finetune.lora.merge import merge
from finetune.lora.objective import GOALS, trials_of
from finetune.lora.passages import cleared_documents
from finetune.lora.publish import Person, Place, roll_back
from finetune.lora.recipe import Recipe, load_recipe
from finetune.lora.registry import adapters_in, adapters_with
from finetune.lora.search import Budget, Space, search
from finetune.lora.searched import told as told_of_search
from finetune.lora.searched import write_best
from finetune.lora.server import AdapterServer
from finetune.lora.template import Template
from finetune.lora.tokens import fit_of, general_texts, terms_of
from finetune.lora.tokens import record as record_of_fit
from finetune.lora.tokens import told as told_of_fit
from finetune.lora.vocabulary import Lesson, add_terms
from finetune.yaml_file import TrainingDataError, read
from ingestion.releases.release import collection_folder, open_active
from service.database import migrate, open_database
from service.scope import load_scope
from service.settings import Settings


class CommandStoppedError(Exception):
    """A command was told to stop; the message says how it goes on."""


def run(args: Namespace, settings: Settings) -> str:
    """Do a command; what is to be printed.

    Raises `TrainingDataError`, the errors of settings, scope and releases, and `CommandStoppedError`.
    """
    try:
        if args.command in _WITH_DATABASE:
            _migrate(settings)
        return _COMMANDS[args.command](args, settings)
    except KeyboardInterrupt as exc:
        raise CommandStoppedError("Stopped. The same command goes on from what is done.") from exc
    except _training_stopped() as exc:
        raise CommandStoppedError(str(exc)) from exc


def _migrate(settings: Settings) -> None:
    """The service may never have been started here, and it is the one that makes the tables."""
    engine = open_database(settings.database())
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _training_stopped() -> tuple[type[BaseException], ...]:
    """What training raises when it is told to stop. Its module needs torch: where nothing was trained, it isn't there."""
    loop = sys.modules.get("finetune.lora.loop")
    return (loop.TrainingStopped,) if loop else ()


def _state(recipe: Recipe, settings: Settings) -> Path:
    return settings.data_dir / "finetune" / recipe.name


def _adapters_folder(settings: Settings) -> Path:
    return settings.data_dir / "finetune"


def _person(args: Namespace) -> Person | None:
    """Who answers for it. Raises `TrainingDataError` for a name without a reason, and the reverse."""
    if bool(args.by) != bool(args.reason):
        raise TrainingDataError("Whoever answers for an adapter says who and why: --by NAME --reason WHY.")
    return Person(args.by, args.reason) if args.by else None


def _base(args: Namespace, _: Settings) -> str:
    recipe = load_recipe(args.recipe)
    licence = decide(recipe, {}).base
    return "\n".join(
        (
            f"digest: {base_digest(Path(recipe.base.path))}",
            f"licence: {licence.licence}, {licence.outcome}. {licence.reason}",
        )
    )


def _prepare(args: Namespace, settings: Settings) -> str:
    return told(prepare(load_recipe(args.recipe), settings))


def _train(args: Namespace, settings: Settings) -> str:
    adapter = Cycle(load_recipe(args.recipe), settings).train()
    return f"{adapter.name}\n{adapter.folder}"


def _merge(args: Namespace, settings: Settings) -> str:
    recipe = load_recipe(args.recipe)
    adapter = Cycle(recipe, settings).train()
    out = args.out or _state(recipe, settings) / "merged" / adapter.name
    # What was learned decides its licence too.
    licence = adapter.artifact.licence
    return str(merge(Path(recipe.base.path), adapter.folder, out, licence=licence).folder)


def _prove(args: Namespace, settings: Settings) -> str:
    adapter, facts = Cycle(load_recipe(args.recipe), settings).prove()
    if args.json:
        return json.dumps({"adapter": adapter.name, **facts}, ensure_ascii=False)
    return f"{adapter.name}: {facts['verdict']}. {facts['sentence']}"


def _publish(args: Namespace, settings: Settings) -> str:
    one = Cycle(load_recipe(args.recipe), settings, applies=args.apply, by=_person(args))
    return f"{one.publish().name} is published"


def _rollback(args: Namespace, settings: Settings) -> str:
    recipe, person = load_recipe(args.recipe), _person(args)
    if person is None:
        raise TrainingDataError("Say who rolls back, and why: --by NAME --reason WHY.")
    # Of every recipe: a rehearsal's are published under a name of their own.
    found = {one.name: one for one in adapters_in(_adapters_folder(settings))}
    if args.adapter not in found:
        raise TrainingDataError(f"There is no adapter {args.adapter!r}. Name one of {sorted(found)}.")
    engine = open_database(settings.database())
    try:
        server = AdapterServer(recipe.publication.server) if recipe.publication.loading == "runtime" else None
        done = roll_back(found[args.adapter], Place.of(settings, engine), person, server=server)
        return f"{done.name} is withdrawn: the variant before it answers"
    finally:
        engine.dispose()


def _cycle(args: Namespace, settings: Settings) -> str:
    done = cycle(load_recipe(args.recipe), settings, quick=args.quick, apply=args.apply, by=_person(args))
    return f"{done.adapter}: {done.verdict}\n{done.folder}\n{done.record}"


def _adapters(args: Namespace, settings: Settings) -> str:
    load_recipe(args.recipe)
    state = _adapters_folder(settings)
    if args.source is not None:
        return "\n".join(adapters_with(state, args.source)) or f"No adapter learned from {args.source!r}."
    found = adapters_in(state)
    return "\n".join(f"{one.name}  {one.status}" for one in found) or "There is no adapter yet."


def _search(args: Namespace, settings: Settings) -> str:
    recipe, goal = load_recipe(args.recipe), GOALS[args.metric]
    each = args.a_trial or math.inf
    budget = (
        Budget(args.trials, args.tokens, "tokens", each)
        if args.tokens
        else Budget(args.trials, args.seconds, "seconds", each)
    )
    space = _space(args.space)
    trials = trials_of(recipe, settings, goal)
    state = _state(recipe, settings)
    found = search(
        recipe, trials, storage=state / "search.sqlite", goal=goal, budget=budget, space=space,
        made_of=trials.dataset_of(recipe).digest,
    )  # fmt: skip
    best = args.out or state / "best.yaml"
    write_best(best, found, goal, budget)
    return "\n".join((*told_of_search(found, goal, budget), "", str(best)))


def _space(path: Path | None) -> Space:
    if path is None:
        return Space.model_validate({})
    try:
        return read(path, Space)
    except OSError as exc:
        raise TrainingDataError(f"The space {str(path)!r} can't be read: {exc.strerror}.") from exc


def _choose(args: Namespace, settings: Settings) -> str:
    choice, scope = load_choice(args.file), load_scope(settings.scope_file)
    options = [
        *(("--data", str(args.data)) if args.data else ()),
        *(("--sample", str(args.sample)) if args.sample else ()),
    ]
    weighed = weigh(
        choice, measure_all(choice, scope, quality_by_evals(options), lambda name: _say(f"measures {name}"))
    )
    folder = args.out or settings.data_dir / "finetune" / "choices"
    page, _ = write_decision(folder, args.file.stem, choice, weighed, datetime.now(UTC).date())
    lines = [
        f"{'out' if one.score is None else f'{one.score:.3f}'}  {one.measured.candidate.name}"
        + "".join(f": {fault}" for fault in one.faults[:1])
        for one in weighed
    ]
    return "\n".join((verdict(weighed), *lines, str(page)))


def _tokens(args: Namespace, settings: Settings) -> str:
    recipe = load_recipe(args.recipe)
    texts = _texts(recipe, settings)
    base = Path(recipe.base.path)
    tokenizer = Template(base).tokenizer
    domain = fit_of(tokenizer, texts, most_terms=args.terms)
    general = fit_of(tokenizer, general_texts())
    if args.out is None:
        if args.add:
            raise TrainingDataError("Name the folder of the new base: --out FOLDER.")
        return json.dumps(record_of_fit(domain, general)) if args.json else told_of_fit(domain, general)
    licence = decide_one(recipe.licences, recipe.base.licence, recipe.base.path)
    if licence.outcome == "refused":
        raise TrainingDataError(licence.reason)
    lesson = Lesson(texts, args.steps, seed=recipe.seed) if args.steps > 0 else None
    added = add_terms(base, args.out, terms_of(args.add, domain, args.terms), lesson)
    if args.json:
        return json.dumps({**asdict(added), "folder": str(added.folder)}, ensure_ascii=False)
    return (
        f"{added.folder}: {len(added.terms)} terms, digest {added.digest}\nName it as `base.path` of the recipe. A server must"
        " load this folder, or the merged model: an adapter that was trained on it fits no other base."
    )


def _texts(recipe: Recipe, settings: Settings) -> list[str]:
    """The cleared documents of the recipe's assistant."""
    scope = load_scope(settings.scope_file)
    assistant = scope.assistants.get(recipe.assistant)
    if assistant is None:
        raise TrainingDataError(
            f"The scope has no assistant {recipe.assistant!r}. Name one of {sorted(scope.assistants)} in the recipe."
        )
    release = open_active(collection_folder(settings.data_dir, assistant.collection))
    config = scope.collections[assistant.collection]
    languages = recipe.data.documents.languages
    cleared = cleared_documents(release, config, languages, datetime.now(UTC).date())
    found = (release.documents.document(one) for one in sorted(cleared.sources))
    return [document.text for document in found if document is not None]


def _say(text: str) -> None:
    """What happens, for who waits."""
    sys.stderr.write(f"{text}\n")


_COMMANDS: Mapping[str, Callable[[Namespace, Settings], str]] = {
    "adapters": _adapters,
    "base": _base,
    "choose": _choose,
    "cycle": _cycle,
    "merge": _merge,
    "prepare": _prepare,
    "prove": _prove,
    "publish": _publish,
    "rollback": _rollback,
    "search": _search,
    "tokens": _tokens,
    "train": _train,
}
_WITH_DATABASE = frozenset({"cycle", "prepare", "prove", "publish", "rollback", "search", "train"})
