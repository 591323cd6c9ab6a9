"""What no row may hold: personal data, injected instructions, evaluation cases, copies, what is no longer allowed.

Knows where none of the rows came from. Counts what it refuses by reason, and never shows a value.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from finetune.lora.duplicates import duplicates_of
from finetune.lora.leaks import KeptOut, leaks_of, question_of
from finetune.lora.rows import Row, Source
from ingestion.detect.decodings import decodings_of
from ingestion.detect.injection import PROMPT, InjectionModel, by_rules, load_heads
from ingestion.embed.builtin import BUILTIN_DIR, load_builtin
from ingestion.embed.cached import CachedEmbedder, SentenceEmbedder
from ingestion.scrub import Scrubber

# A sentence at which a document waits for a person; a row has nobody to wait for.
_DOCUMENT_SCORE = 0.98


@dataclass(frozen=True, slots=True)
class Screened:
    """The rows that are left, in their order; how many were refused, by reason; and personal data that was met, by type."""

    rows: tuple[Row, ...]
    refused: Mapping[str, int]
    personal_data: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Screens:
    """What rows are judged by: the scrubber of their collection, a model of injections, evaluation cases, an embedder.

    `prompt_score` is the score of a question from which on it counts as an attack.
    """

    scrubber: Scrubber
    injection: InjectionModel
    prompt_score: float
    embedder: SentenceEmbedder
    cases: tuple[KeptOut, ...] = ()

    def screen(self, rows: Sequence[Row]) -> Screened:
        """Refuse rows with personal data, injections, parts of evaluation cases, and copies, in this order.

        What is refused counts once, by the first reason; of copies the first is kept.
        """
        refused: Counter[str] = Counter()
        kept = list(rows)
        personal = _personal_data(kept, self.scrubber)
        kept = _without(kept, ["personal_data" if found else None for found in personal], refused)
        kept = _without(kept, self._injections(kept), refused)
        kept = _without(kept, leaks_of(kept, self.cases, self.embedder), refused)
        kept = _without(kept, duplicates_of(kept), refused)
        types = Counter(entity for found in personal for entity in found)
        return Screened(tuple(kept), dict(sorted(refused.items())), dict(sorted(types.items())))

    def _injections(self, rows: Sequence[Row]) -> list[str | None]:
        asked = [_asked_by_people(row) for row in rows]
        said = [_said_by_people(row) for row in rows]
        questions = {text: self._is_attack(text) for texts in asked for text in texts}
        answers = self._planted(list(dict.fromkeys(text for texts in said for text in texts)))
        return [
            "injection"
            if any(questions[text] for text in one) or any(text in answers for text in other)
            else None
            for one, other in zip(asked, said, strict=True)
        ]

    def _is_attack(self, question: str) -> bool:
        decodings = decodings_of(question)
        if by_rules(question, decodings, is_document=False):
            return True
        found = self.injection.judge_prompt(question, decodings)
        return found is not None and found.score >= self.prompt_score

    def _planted(self, answers: Sequence[str]) -> set[str]:
        """Answers that speak to a model, as a planted sentence of a document would."""
        found = {
            text
            for text in answers
            for is_document in (False, True)
            if by_rules(text, decodings_of(text), is_document=is_document)
        }
        rest = [text for text in answers if text not in found]
        judged = self.injection.judge_documents(rest)
        worst = [max((one.score for one in findings), default=0.0) for findings in judged]
        return found | {text for text, score in zip(rest, worst, strict=True) if score >= _DOCUMENT_SCORE}


def open_screens(scrubber: Scrubber, cases: Sequence[KeptOut], *, threads: int = 0) -> Screens:
    """Screens with the built-in models; `scrubber` has the policy of the rows' collection. Raises `EmbedderError`."""
    builtin = load_builtin(BUILTIN_DIR, threads=threads, with_late=False)
    heads = load_heads(builtin.weights_digest)
    embedder = CachedEmbedder(builtin)
    return Screens(
        scrubber, InjectionModel(embedder, heads), heads[PROMPT].thresholds["degrade"], embedder, tuple(cases)
    )


def still_allowed(
    rows: Sequence[Row], *, today: date, refusal: Callable[[Source], str | None] | None = None
) -> Screened:
    """Rows all of whose sources may still be learned from.

    A clearance is good until the end of its last day (`expired`). `refusal` says of a source why it is no longer there,
    such as `erased` for a subject who asked for that; None where it is.
    """
    refused: Counter[str] = Counter()
    reasons = [_no_longer(row, today, refusal) for row in rows]
    kept = _without(rows, reasons, refused)
    return Screened(tuple(kept), dict(sorted(refused.items())))


def _no_longer(row: Row, today: date, refusal: Callable[[Source], str | None] | None) -> str | None:
    for source in row.sources:
        reason = refusal(source) if refusal else None
        if reason:
            return reason
        if source.expires is not None and date.fromisoformat(source.expires) < today:
            return "expired"
    return None


def _without(rows: Sequence[Row], reasons: Sequence[str | None], refused: Counter[str]) -> list[Row]:
    refused.update(reason for reason in reasons if reason)
    return [row for row, reason in zip(rows, reasons, strict=True) if reason is None]


def _personal_data(rows: Sequence[Row], scrubber: Scrubber) -> list[tuple[str, ...]]:
    """For each row the types of personal data in what people wrote: what the policy would replace."""
    written = [_written_by_people(row) for row in rows]
    unique = list(dict.fromkeys(text for texts in written for text in texts))
    scrubbed = dict(zip(unique, scrubber.scrub_all(unique), strict=True))
    found: list[tuple[str, ...]] = []
    for texts in written:
        changed = [scrubbed[text] for text in texts if scrubbed[text].text != text]
        types = {entity for one in changed for entity in one.counts if scrubber.stand_in(entity, "x")}
        found.append(tuple(sorted(types)))
    return found


def _is_from_people(row: Row) -> bool:
    """Whether people wrote it. Documents were scrubbed and screened when they were ingested."""
    return any(source.kind != "document" for source in row.sources)


def _is_from_a_file(row: Row) -> bool:
    return any(source.kind == "file" for source in row.sources)


def _earlier(row: Row) -> list[str]:
    """The conversation before the question, without the rules at its head."""
    return [message["content"] for message in row.messages[:-1] if message["role"] != "system"]


def _asked_by_people(row: Row) -> tuple[str, ...]:
    if not _is_from_people(row):
        return ()
    return tuple(text for text in (question_of(row), *_earlier(row)) if text.strip())


def _said_by_people(row: Row) -> tuple[str, ...]:
    """Completions. Of a judged answer the model's own text is among them, which does no harm."""
    if not _is_from_people(row):
        return ()
    return tuple(text for text in (row.completion, row.rejected) if text and text.strip())


def _written_by_people(row: Row) -> tuple[str, ...]:
    """The same, and of a file every text: nobody scrubbed its passages."""
    every = tuple(message["content"] for message in row.messages) if _is_from_a_file(row) else ()
    return (*_asked_by_people(row), *_said_by_people(row), *every)
