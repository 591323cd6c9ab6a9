"""Functions that read requests, what a generator writes, and what guards see of it."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import cast

from sqlalchemy import create_engine

from ingestion.corpus import Chunk, Hit
from ingestion.detect.cues import attack_features
from ingestion.detect.heads import load_head
from ingestion.releases.candidates import LocalIndex
from ingestion.search.abbreviations import asked_abbreviation, tells_expansion
from ingestion.search.asking import asked_part
from ingestion.search.spelling import Vocabulary, respelled
from ingestion.view import EVERYTHING
from service.answer import statements
from service.answer.abstain import Relevance, about_asked
from service.answer.cite import cite
from service.answer.generate.chunks import ChatStream
from service.answer.generate.cleaning import Cleaner
from service.answer.generate.extractive import pick
from service.answer.quantities import asks_for_quantity, has_quantity
from service.answer.rewrite import Said, is_follow_up, made_whole, standalone, without_masks
from service.answer.rewrite.items import listed
from service.answer.rewrite.languages import GRAMMARS
from service.answer.schema import read_schema
from service.answer.sentences import Sentence
from service.answer.small_talk import is_small_talk
from service.auth import KeyRing, create_key
from service.errors import TouchstoneError
from service.feedback.curated.phrasing import matter, normalised
from service.guard.checks.attribution import Attribution, Likely
from service.guard.checks.citations import CitationGuard, cited_in
from service.guard.checks.exact import ExactGuard, NumberGuard, dates_in, numbers_in
from service.guard.checks.sentences import RepetitionGuard
from service.guard.models.attribution import ATTRIBUTION_DIR, Attributor
from service.guard.models.cross_encoder import chosen_evidence
from service.guard.models.toxicity import mask_groups, may_attack, mend, texts_and_cues
from service.guard.output import OutputGuards
from service.guard.rouge import alike
from service.guard.stream.background import AdvisoryGuards
from service.guard.stream.sentences import SentenceStream, sentences_in
from service.guard.stream.words import StreamGuard
from service.routes.uploads import checked_id, facts_of, suffix_of
from service.scope.policy import policy_of
from service.tables import Base
from tests.linear.reader import FlatEmbedder, Reader

_PASSAGE = "The Hub has a yellow ring from 1 May 2024. It does not need 12 batteries, says Jane Doe."
_PIECE = 40


class _Known(Vocabulary):
    """Documents that have every word."""

    def counts(self, words: Sequence[str]) -> list[int | None]:
        return [1 for _ in words]


def _asked_by_name(text: str) -> object:
    """A question that names something, beside passages that may."""
    chunk = Chunk("c", "d", 0, text, 0, len(text), "T", "d", "en")
    return about_asked(
        Relevance(0.9, 0.8, 0.8, 1.5, 0.9, None), f"Zephyr 3 --most {text}", [Hit(chunk, 1.0, {})]
    )


def _statements(text: str) -> object:
    asks = (statements.asks_for_default, statements.asks_for_definition, statements.asks_for_price)
    tells = (statements.tells_default, statements.tells_price, statements.points_elsewhere)
    return [read(text) for read in (*asks, *tells)]


def _picked(text: str) -> object:
    sentences = [
        Sentence(0, a, b, 1.0, 1.0, 1.0, 1.0) for a, b in ((0, len(text)), (len(text) // 2, len(text)))
    ]
    return pick(sentences, [_hit(text)], text)


def _hit(text: str) -> Hit:
    return Hit(Chunk("c", "d", 0, text, 0, len(text), "Title", "source", "en"), 1.0, {"dense": 1.0})


def _streamed(stream: StreamGuard | SentenceStream, text: str) -> object:
    return [stream.feed(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE)], stream.close()


def _whole_questions(text: str) -> object:
    """A message as a question, as what it leans on, as the reply, and as parts of a reply that is read in full."""
    reply = [Said("user", "Which speakers are there?"), Said("assistant", text)]
    asked = [Said("user", text), Said("assistant", "The Murmur and the Chime.")]
    lists = [listed(text, grammar) for grammar in GRAMMARS.values()]
    whole = [
        made_whole(text, reply),
        made_whole("And of the second one?", reply),
        made_whole("And it?", asked),
    ]
    return lists, whole


def _whole_answer(text: str) -> object:
    policy = policy_of()
    words, sentences = [CitationGuard(0)], [RepetitionGuard(policy.output["repetition"])]
    output = OutputGuards(words, sentences, AdvisoryGuards([], None, 0), [], policy, in_thread=False)

    async def answer() -> object:
        return [
            await output.feed(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE)
        ], await output.close()

    return asyncio.run(answer()), output.verdicts


def _calls_of_a_generator(text: str) -> object:
    stream = ChatStream()
    for character in text:
        call = {"index": 0, "id": "c", "function": {"name": "x", "arguments": character}}
        event = {"choices": [{"delta": {"tool_calls": [call]}}]}
        stream.take([b"data: " + json.dumps(event).encode()])
    return stream.parts.calls


def _pattern_of_a_schema(text: str) -> object:
    """A pattern that no other engine ends with, and the text as one."""
    try:
        read_schema({"pattern": text}, param="x")
    except TouchstoneError:
        pass
    return read_schema({"pattern": "^(a+b?)+c$"}, param="x").misfit(text)


def _stream_of_a_generator(text: str) -> object:
    return ChatStream().take(
        [b": " + text.encode("utf-8", "replace"), *text.encode("utf-8", "replace").split(b"\n")]
    )


def of_requests() -> Iterator[Reader]:
    """What a request holds."""

    def refused(check: Callable[[str], object]) -> Callable[[str], object]:
        def work(text: str) -> object:
            try:
                return check(text)
            except TouchstoneError as exc:
                return str(exc)

        return work

    uploads = ("service.routes.uploads",)
    yield Reader("checked_id", refused(checked_id), uploads)
    yield Reader("suffix_of", refused(lambda t: suffix_of(t, "text/plain; a")), uploads)
    yield Reader("facts_of", refused(lambda t: facts_of(json.dumps({t: t}))), uploads)
    yield Reader("KeyRing.identify", refused(lambda t: _keys().identify(f"Bearer {t}")), ("service.auth",))


@cache
def _keys() -> KeyRing:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    create_key(engine, "sweep", ["answer"], [])
    keys = KeyRing(engine)
    keys.refresh()
    return keys


def of_answers() -> Iterator[Reader]:
    """What a generator writes."""
    hits, repetition = [_hit(_PASSAGE)], RepetitionGuard(policy_of().output["repetition"])
    yield Reader("ChatStream", _stream_of_a_generator, ("service.answer.generate.chunks",))
    yield Reader("ChatStream's calls", _calls_of_a_generator, ("service.answer.generate.chunks",))
    yield Reader("a schema's pattern", _pattern_of_a_schema, ("service.answer.schema.patterns",))
    known = _Known(cast(LocalIndex, None), ("en",), EVERYTHING)
    yield Reader("asked_part", asked_part, ("ingestion.search.asking",))
    yield Reader("respelled", lambda t: respelled(t, known), ("ingestion.search.spelling",))
    yield Reader("about_asked", _asked_by_name, ("service.answer.abstain",))
    yield Reader("pick", _picked, ("service.answer.generate.extractive",))
    yield Reader("is_small_talk", is_small_talk, ("service.answer.small_talk",))
    yield Reader(
        "cite an answer",
        lambda t: cite(t, hits, "en"),
        ("service.answer.cite", "service.guard.checks.citations"),
    )
    yield Reader(
        "cite a passage", lambda t: cite("It has a ring [1].", [_hit(t)], "en"), ("service.answer.cite",)
    )
    yield Reader(
        "quantities", lambda t: (asks_for_quantity(t), has_quantity(t)), ("service.answer.quantities",)
    )
    yield Reader(
        "statements",
        _statements,
        ("service.answer.statements",),
    )
    yield Reader(
        "abbreviations",
        lambda t: (
            asked_abbreviation(t),
            tells_expansion(t, "ABAB"),
            tells_expansion(f"AAAAAAAA {t}", "AAAAAAAA"),
        ),
        ("ingestion.search.abbreviations",),
    )
    yield Reader(
        "rewrite",
        lambda t: (is_follow_up(t), without_masks(t), standalone("it", [t, t])),
        ("service.answer.rewrite.masks", "service.answer.rewrite.by_generator"),
    )
    yield Reader(
        "a conversation",
        _whole_questions,
        (
            "service.answer.rewrite.grammar",
            "service.answer.rewrite.items",
            "service.answer.rewrite.languages",
            "service.answer.rewrite.phrases",
            "service.answer.rewrite.whole",
        ),
    )
    yield Reader(
        "curated questions",
        # Without its memory.
        lambda t: (normalised(t), matter.__wrapped__(t)),
        ("service.feedback.curated.phrasing", "service.feedback.curated.frames"),
    )
    yield Reader("stream of words", lambda t: _streamed(StreamGuard([]), t), ("service.guard.stream.words",))
    yield Reader(
        "stream of sentences",
        lambda t: _streamed(SentenceStream([repetition]), t),
        ("service.guard.stream.sentences",),
    )
    yield Reader("OutputGuards", _whole_answer, ("service.guard.output",))
    yield Reader("sentences_in", sentences_in, ("service.guard.stream.sentences",))


def of_guards() -> Iterator[Reader]:
    """What guards judge."""
    output = policy_of().output
    exact = policy_of().output["exact"]
    yield Reader("attack_features", lambda t: attack_features([t]), ("ingestion.detect.cues",))
    yield Reader("may_attack", may_attack, ("service.guard.models.toxicity",))
    yield Reader("mend", mend, ("service.guard.models.toxicity",))
    yield Reader("mask_groups", mask_groups, ("service.guard.models.toxicity",))
    yield Reader("texts_and_cues", texts_and_cues, ("service.guard.models.toxicity",))
    yield Reader("numbers_in", numbers_in, ("service.guard.checks.exact",))
    yield Reader("dates_in", dates_in, ("service.guard.checks.exact",))
    yield Reader(
        "NumberGuard answer",
        lambda t: NumberGuard([_PASSAGE]).apply(t, "output"),
        ("service.guard.checks.exact",),
    )
    yield Reader(
        "NumberGuard source",
        lambda t: NumberGuard([t]).apply("12 in May", "output"),
        ("service.guard.checks.exact",),
    )
    yield Reader(
        "ExactGuard answer",
        lambda t: ExactGuard([_PASSAGE], [], exact, "en").judge(t),
        ("service.guard.checks.exact",),
    )
    yield Reader(
        "ExactGuard source",
        lambda t: ExactGuard([t], [t], exact, "en").judge(_PASSAGE),
        ("service.guard.checks.exact",),
    )
    yield Reader(
        "CitationGuard",
        lambda t: (CitationGuard(3).apply(t, "output"), cited_in(t)),
        ("service.guard.checks.citations",),
    )
    yield Reader("alike", lambda t: alike([t, t, t], ["a", "b", "c"], 0.25), ("service.guard.rouge",))
    yield Reader(
        "Attribution",
        lambda t: _attribution().attribute(t),
        ("service.guard.models.attribution", "service.guard.checks.attribution"),
    )
    yield Reader("Cleaner", _cleaned, ("service.answer.generate.cleaning",))
    yield Reader(
        "RepetitionGuard",
        lambda t: RepetitionGuard(output["repetition"]).judge(t),
        ("service.guard.checks.sentences",),
    )
    yield Reader("chosen_evidence", lambda t: chosen_evidence(t, t), ("service.guard.models.cross_encoder",))


@cache
def _attributor() -> Attributor:
    embedder = FlatEmbedder()
    return Attributor(embedder, load_head(ATTRIBUTION_DIR, embedder.weights_digest))


def _cleaned(text: str) -> str:
    """As a stream of pieces, since what may become a mark waits for the next one."""
    cleaner = Cleaner("ab12cd34")
    return "".join(cleaner.feed(text[i : i + 7]) for i in range(0, len(text), 7)) + cleaner.close()


def _attribution() -> Attribution:
    likely = [Likely(1, _PASSAGE, 1.0)]
    return Attribution(_attributor().score, [_PASSAGE], "Which?", policy_of().output["grounding"], likely)
