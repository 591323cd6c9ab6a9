"""Rows from what people wrote: curated answers, corrections and judgements of answers, each beside the passages that
serving finds for its question."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from finetune.lora.passages import Passages, is_development
from finetune.lora.recipe import Method
from finetune.lora.rows import Row, Source
from ingestion.corpus import Hit
from ingestion.text.sentences import sentence_spans
from service.answer.prompts import Marking, Prompt, render
from service.feedback.curated.answer import Curated
from service.feedback.dataset import DatasetRow
from service.feedback.screen.opinion import GOOD
from service.guard.texts import MaskedText

_MARKERS = re.compile(r"\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
# How much a judgement weighs by what it rests on.
_WEIGHTS = {"trusted": 1.0, "confirmed": 1.0, "history": 0.7}


@dataclass
class PeopleRowMaker:
    """`documents` are those that may be shown. `refused` counts by reason what gave no row."""

    passages: Passages
    prompt: Prompt
    documents: Mapping[str, Source]
    development: float
    shown: int
    seed: int
    refused: Counter[str] = field(default_factory=Counter)

    def of_curated(self, answers: Sequence[Curated], now: datetime) -> Iterator[Row]:
        """Every way to ask a curated answer that is for everybody, with the passage that it rests on among others."""
        for one in answers:
            if one.text.groups or not one.text.is_valid(now):
                self.refused["curated answer for some groups or at another time"] += 1
                continue
            source = Source("curated", one.id, str(one.version))
            wanted = {named.document_id for named in one.text.sources if named.document_id}
            group = f"curated/{one.id}"
            for question, hits in zip(one.text.phrasings, self._found(one.text.phrasings), strict=True):
                row = self._row(question, hits, wanted, one.text.answer, group, (source,))
                if row is not None:
                    yield row

    def of_feedback(self, judged: Sequence[DatasetRow], kind: Method) -> Iterator[Row]:
        """Corrections as `sft` or `dpo` rows, judgements as `kto` rows, each with the passages that its answer cited."""
        found = self._found([one.question for one in judged])
        for one, hits in zip(judged, found, strict=True):
            cited = {
                str(citation["document_id"]) for citation in one.citations if citation.get("document_id")
            }
            source = Source("event", one.event_id, one.answer_id)
            group = f"conversation/{one.conversation_id}"
            if kind == "kto":
                row = self._row(one.question, hits, cited, one.answer, group, (source,))
                if row is not None:
                    yield replace(row, kind="kto", is_good=one.verdict == GOOD, weight=_WEIGHTS[one.ground])
            elif one.correction:
                row = self._row(one.question, hits, cited, one.correction, group, (source,))
                if row is None or row.gold is None:
                    continue
                worse = _marked(one.answer, row.gold)
                yield row if kind == "sft" else replace(row, kind="dpo", rejected=worse)

    def _found(self, questions: Sequence[str]) -> list[list[Hit]]:
        return self.passages.near(questions, self.documents) if questions else []

    def _row(
        self,
        question: str,
        hits: Sequence[Hit],
        wanted: set[str],
        answer: str,
        group: str,
        sources: tuple[Source, ...],
    ) -> Row | None:
        """The row of an answer, its markers set to the passage that it rests on; None where serving wouldn't find it."""
        rng = random.Random(f"{self.seed}/{group}/{question}")
        kept = list(hits[: self.shown])
        rng.shuffle(kept)
        gold = next((n for n, hit in enumerate(kept, start=1) if hit.chunk.document_id in wanted), None)
        if gold is None:
            self.refused["its source is not among the passages found"] += 1
            return None
        marking = Marking(f"{rng.getrandbits(32):08x}", f"ref-{rng.getrandbits(40):010x}")
        used = tuple(dict.fromkeys(self.documents[hit.chunk.document_id] for hit in kept))
        return Row(
            kind="sft",
            group=group,
            messages=tuple(render(self.prompt, MaskedText(question), [], kept, marking)),
            completion=_marked(answer, gold),
            sources=(*sources, *used),
            split="development" if is_development(group, self.development, self.seed) else "train",
            question=question,
            gold=gold,
        )


def _marked(answer: str, gold: int) -> str:
    """An answer whose every sentence names a passage."""
    plain = _MARKERS.sub("", answer).strip()
    return " ".join(f"{plain[start:end].strip()} [{gold}]" for start, end in sentence_spans(plain))
