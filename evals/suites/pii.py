"""PII: recall, false positives, and what scrubbing costs retrieval."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.corpora import Judgement, built_release, need, xquad
from evals.harness import rank
from evals.metrics import Figure, mean, ndcg, share
from evals.spans import Counts, Score, Span
from evals.suites.context import Context
from ingestion.config import ALL_PII, PiiPolicy
from ingestion.scrub import Scrubber
from ingestion.scrub.pseudonyms import Pseudonyms

# presidio-research's names for what is called otherwise here.
_ENTITY = {"LOCATION": "GPE", "DATE_OF_BIRTH": "DATE_TIME"}
_DEPTH = 50


def measure(context: Context) -> dict[str, Figure]:
    """Everything here needs the public sets."""
    if context.data is None:
        return {}
    figures = _synthetic(context.data)
    for name in ("banking77", "bitext"):
        figures[f"pii.{name}.touched"] = _touched(utterances(context.data, name))
    return figures | _search(context, context.data)


def _synthetic(data: Path) -> dict[str, Figure]:
    """Synthetic text: every known type, with people and streets as the default policy finds them."""
    raw = json.loads(need(data / "presidio-research" / "synth_dataset_v2.json").read_text("utf-8"))
    texts = [item["full_text"] for item in raw]
    annotated = [
        [(s["start_position"], s["end_position"], s["entity_type"]) for s in item["spans"]] for item in raw
    ]
    everything = _score(texts, annotated, PiiPolicy(entities=ALL_PII, action="mask", actions={}))
    default = _score(texts, annotated, PiiPolicy(action="mask", actions={}))
    figures = _figures("pii.synth_v2", everything.overall)
    figures["pii.synth_v2.f2"] = Figure(everything.overall.f(), n=everything.overall.annotated)
    for kind, counts in sorted(everything.types.items()):
        if counts.annotated:
            figures |= _figures(f"pii.synth_v2.{kind}", counts)
    people = default.types["PERSON"]
    figures["pii.synth_v2.person_recall"] = Figure(people.recall, n=people.annotated)
    figures["pii.synth_v2.person_precision"] = Figure(people.precision, n=people.predicted)
    return figures


def _score(texts: Sequence[str], annotated: Sequence[Sequence[Span]], policy: PiiPolicy) -> Score:
    score = Score()
    for text, spans, found in zip(texts, annotated, Scrubber(policy).find_all(texts), strict=True):
        predicted = [(f.start, f.end, _ENTITY.get(f.entity, f.entity)) for f in found]
        score.add(text, spans, predicted)
    return score


def _figures(name: str, counts: Counts) -> dict[str, Figure]:
    return {
        f"{name}.precision": Figure(counts.precision, n=counts.predicted),
        f"{name}.recall": Figure(counts.recall, n=counts.annotated),
    }


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a customer wrote, and the spans of person names in it."""

    text: str
    people: tuple[tuple[int, int], ...] = ()


def utterances(data: Path, name: str) -> list[Utterance]:
    """A public set of customers' questions. Only Bitext annotates names."""
    paths = sorted((data / name).glob("*.csv"))
    if not paths:
        need(data / name / "*.csv")
    found = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                is_named = row.get("entity_type") == "person_name"
                people = ((int(row["start_offset"]), int(row["end_offset"])),) if is_named else ()
                found.append(Utterance(row.get("text") or row.get("utterance") or "", people))
    return found


def _touched(said: Sequence[Utterance]) -> Figure:
    """The share of utterances with a false finding."""
    found = Scrubber(PiiPolicy(action="mask", actions={})).find_all([one.text for one in said])
    return share(
        [
            any(not any(f.start < end and start < f.end for start, end in one.people) for f in findings)
            for one, findings in zip(said, found, strict=True)
        ]
    )


def _search(context: Context, data: Path) -> dict[str, Figure]:
    """Retrieval on XQuAD English, unscrubbed and scrubbed; questions are scrubbed as the gateway does."""
    documents, judged = xquad(data)
    scrubber = Scrubber(PiiPolicy(), pseudonyms=Pseudonyms(b"evaluation"))
    bodies = scrubber.scrub_all([body for _, _, body in documents])
    scrubbed = [(i, title, one.text) for (i, title, _), one in zip(documents, bodies, strict=True)]
    plain = _ndcg(context, "xquad", documents, judged)
    after = _ndcg(context, "xquad-scrubbed", scrubbed, judged, scrubber.hints)
    losses = [before - now for before, now in zip(plain, after, strict=True)]
    return {
        "pii.xquad.ndcg_loss": mean(losses),
        "pii.xquad.masked": Figure(float(sum(sum(one.counts.values()) for one in bodies))),
    }


def _ndcg(
    context: Context,
    name: str,
    documents: list[tuple[str, str, str]],
    judged: Judgement,
    hints: Callable[[str], str] = lambda query: "",
) -> list[float]:
    release = built_release(name, documents, context.embedder, context.data_dir)
    variant = context.scope.variants[context.scope.assistants[context.assistant].variant]
    settings = variant.retrieval.model_copy(update={"top_k": _DEPTH})
    ranked = rank(release, context.embedder, list(judged.questions.values()), settings, hints)
    return [ndcg(names, judged.gains[key]) for key, names in zip(judged.questions, ranked, strict=True)]
