"""Every function that reads what strangers write, by name, with the modules whose patterns it runs."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from sqlalchemy import create_engine

from ingestion.artifact import open_artifact
from ingestion.config import PiiPolicy
from ingestion.corpus import Block, Chunk, Document, Hit, Span
from ingestion.detect.decodings import Decoding, decodings_of, fold
from ingestion.detect.heads import load_head
from ingestion.detect.injection import InjectionModel, by_rules, load_heads, units_of, windows_of
from ingestion.detect.rules import RULES, matches_in
from ingestion.detect.sentences import cue_features, is_request, pieces_of
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.embed.fake import HashEmbedder
from ingestion.embed.values import Vectors
from ingestion.errors import FilterError, SourceError
from ingestion.filter import parse_filter
from ingestion.index.lexical import terms
from ingestion.load import read
from ingestion.prepare.beside import (
    date_of,
    is_web_address,
    language_of,
    runnable_refused,
    scrub_numbers,
)
from ingestion.prepare.chunk import chunk_document
from ingestion.prepare.near_duplicates import bands_of, is_copy
from ingestion.prepare.screen import beginning, screen_text
from ingestion.runs.report import TokenTally
from ingestion.scrub import Scrubber
from ingestion.scrub.names.lexicon import Lexicon
from ingestion.scrub.names.model import NAMES_DIR
from ingestion.scrub.pseudonyms import Pseudonyms
from ingestion.scrub.recognisers import _recognisers
from ingestion.text.clean import clean
from ingestion.text.sentences import sentence_spans
from service.answer.cite import cite
from service.answer.generate.chunks import ChatStream
from service.answer.generate.cleaning import Cleaner
from service.answer.quantities import asks_for_quantity, has_quantity
from service.answer.rewrite import is_follow_up, standalone, without_masks
from service.answer.schema import read_schema
from service.answer.small_talk import is_small_talk
from service.auth import KeyRing, create_key
from service.errors import TouchstoneError
from service.feedback.curated.phrasing import matter, normalised
from service.feedback.screen.texts import Remark, judge_texts
from service.guard.chain import Digests
from service.guard.checks.attribution import Attribution, Likely
from service.guard.checks.citations import CitationGuard, cited_in
from service.guard.checks.egress import EgressGuard, hosts_in
from service.guard.checks.exact import ExactGuard, NumberGuard, dates_in, numbers_in
from service.guard.checks.leak import LeakGuard
from service.guard.checks.pii import PiiGuard
from service.guard.checks.secrets import SecretGuard
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

_DIGESTS = Digests(b"sweep")
_PASSAGE = "The Hub has a yellow ring from 1 May 2024. It does not need 12 batteries, says Jane Doe."
_PIECE = 40


# Modules whose patterns read no stranger's text, or so little of it that nothing can grow, each with the reason.
OUR_OWN = {
    "service.experiments.reports": "one character at a time of an experiment's name",
    "service.feedback.requests": "one character at a time",
    "service.scope.file": "the name of an adapter in the scope file",
    "ingestion.runs.erasure": "marks of pseudonyms, which end where another begins",
    "ingestion.load.pdf": "digits of a line at the edge of a page, a run of them at a time",
    "ingestion.scrub.names.model": "a name that the model found in one of its windows",
    "ingestion.characters": "one character at a time",
    "service.answer.generate.openai": "the first 4,000 bytes of a server's error",
    "ingestion.search.diversify": "words of passages, which the size of chunks bounds",
    "service.answer.rows": "one character at a time",
    "service.answer.steps": "64 characters of a name",
    "service.corpus.documents": "an id of at most 64 characters",
    "service.handlers": "names of the API's own types",
    "service.answer.calibrations": "the name of the scope's embedder",
    "service.middleware": "the port of a host's name, and an id of at most 64 bytes",
    "service.routes.search": "600 characters around a passage",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """A function of a text, the modules whose patterns it runs, and further patterns."""

    name: str
    read: Callable[[str], object]
    modules: tuple[str, ...] = ()
    patterns: Callable[[], list[re.Pattern[str]]] = list


class FlatEmbedder(HashEmbedder):
    """Says the same of every text, at no cost: what is measured is what reads the text before and after."""

    def __init__(self) -> None:
        super().__init__(384)
        self.weights_digest = open_artifact(BUILTIN_DIR, rebuild="").digest
        self.texts: list[str] = []

    def embed(self, texts: list[str]) -> Vectors:
        """The same unit vector for each; `texts` keeps what was asked."""
        self.texts += texts
        out = np.zeros((len(texts), self.dimension), np.float32)
        out[:, 0] = 1
        return out


@cache
def injection_model() -> InjectionModel:
    """The model tier over the flat embedder."""
    embedder = FlatEmbedder()
    return InjectionModel(embedder, load_heads(embedder.weights_digest))


@cache
def _scrubber() -> Scrubber:
    scrubber = Scrubber(PiiPolicy(), with_names=False)
    scrubber.warm()
    return scrubber


def _of_presidio() -> list[re.Pattern[str]]:
    known = _recognisers(PiiPolicy().regions).values()
    return [re.compile(one.regex) for recogniser in known for one in getattr(recogniser, "patterns", ())]


@cache
def _lexicon() -> Lexicon:
    return Lexicon(NAMES_DIR)


# With one of its words a rule's pattern is tried.
_WORDS = "\n" + " ".join(sorted({word for rule in RULES for word in rule.words}))


def _rules(text: str) -> list[object]:
    text += _WORDS
    zones = frozenset({"input", "pasted", "retrieved"})
    return list(matches_in([Decoding("written", text, 0, len(text))], zones))


def _document(text: str) -> Document:
    return Document(
        id="d",
        title="d",
        source="d",
        digest="d",
        language="en",
        text=text,
        spans=(Span("paragraph", 0, len(text)),),
    )


def _chunks(text: str) -> object:
    return chunk_document(
        _document(text), max_tokens=200, count=lambda texts: [len(t) // 4 + 1 for t in texts]
    )


def _hit(text: str) -> Hit:
    return Hit(Chunk("c", "d", 0, text, 0, len(text), "Title", "source", "en"), 1.0, {"dense": 1.0})


def _streamed(stream: StreamGuard | SentenceStream, text: str) -> object:
    return [stream.feed(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE)], stream.close()


def _whole_answer(text: str) -> object:
    policy = policy_of()
    words, sentences = [CitationGuard(0)], [RepetitionGuard(policy.output["repetition"])]
    output = OutputGuards(words, sentences, AdvisoryGuards([], None, 0), [], policy, in_thread=False)

    async def answer() -> object:
        return [
            await output.feed(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE)
        ], await output.close()

    return asyncio.run(answer()), output.verdicts


def _reading(suffix: str, template: str = "{}") -> Callable[[str], object]:
    def work(text: str) -> object:
        try:
            return clean(read(template.replace("{}", text).encode("utf-8", "replace"), f"a{suffix}").blocks)
        except SourceError:
            return None

    return work


def _filter(text: str) -> object:
    found: list[object] = []
    for raw in ({text: text}, {"a": {text: text}}, {"a": [text]}, {"and": text}, text):
        try:
            found.append(parse_filter(raw))
        except FilterError as exc:
            found.append(str(exc))
    return found


def _tokens(text: str) -> object:
    tally = TokenTally(HashEmbedder())
    tally.add(text)
    return tally.result()


def _facts(text: str) -> object:
    facts = is_web_address(text), language_of(text), date_of(text)
    try:
        return facts, runnable_refused(text), scrub_numbers(_scrubber(), {text: 1})
    except SourceError as exc:
        return facts, str(exc)


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


def readers() -> Iterator[Reader]:
    """All of them."""
    output = policy_of().output
    yield Reader("matches_in", _rules, ("ingestion.detect.rules",))
    yield Reader("decodings_of", decodings_of, ("ingestion.detect.decodings", "ingestion.text.clean"))
    yield Reader("fold", fold, ("ingestion.detect.decodings", "ingestion.text.clean"))
    yield Reader(
        "by_rules", lambda t: by_rules(t, decodings_of(t), is_document=False), ("ingestion.detect.injection",)
    )
    yield Reader("judge_prompt", lambda t: injection_model().judge_prompt(t), ("ingestion.detect.injection",))
    yield Reader(
        "judge_documents", lambda t: injection_model().judge_documents([t]), ("ingestion.detect.injection",)
    )
    yield Reader("pieces_of", pieces_of, ("ingestion.detect.sentences",))
    yield Reader("units_of", units_of)
    yield Reader("windows_of", lambda t: windows_of(pieces_of(t)), ("ingestion.detect.sentences",))
    yield Reader("is_request", is_request, ("ingestion.detect.sentences",))
    yield Reader("cue_features", lambda t: cue_features([t]), ("ingestion.detect.sentences",))
    yield Reader("sentence_spans", lambda t: list(sentence_spans(t)))
    yield Reader("screen_text", lambda t: list(screen_text(t, [t], 0)), ("ingestion.prepare.screen",))
    yield Reader("beginning", beginning, ("ingestion.prepare.screen",))
    yield Reader(
        "clean",
        lambda t: clean([Block("paragraph", t, page=n % 5) for n in range(6)]),
        ("ingestion.text.clean",),
    )
    yield Reader(
        "near copies", lambda t: (bands_of(t), is_copy(t, t)), ("ingestion.prepare.near_duplicates",)
    )
    yield Reader("chunk_document", _chunks)
    yield Reader("terms", lambda t: terms(t, "en"))
    yield Reader("tokens of a report", _tokens, ("ingestion.runs.report", "ingestion.embed.fake"))
    yield Reader("parse_filter", _filter, ("ingestion.filter",))
    for suffix in (".txt", ".md", ".html", ".csv", ".json", ".eml"):
        module = {".txt": "text", ".md": "markdown", ".html": "html"}.get(suffix)
        yield Reader(f"read {suffix}", _reading(suffix), (f"ingestion.load.{module}",) if module else ())
    for name in ("style", "class"):
        html = _reading(".html", f'<p>Text</p><p {name}="{{}}">Text</p>')
        yield Reader(f"read .html's {name}", html, ("ingestion.load.html",))
    yield Reader("read .eml's body", _reading(".eml", "Subject: a\n\n{}"))
    yield Reader("read .eml's subject", _reading(".eml", "Subject: {}\n\na"))
    yield Reader("read .json's text", _reading(".json", '{"text": "{}"}'))
    yield from _of_answers()
    yield from _of_guards()
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
    yield from _of_personal_data()
    yield from _of_requests()


def _of_requests() -> Iterator[Reader]:
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


def _of_answers() -> Iterator[Reader]:
    hits, repetition = [_hit(_PASSAGE)], RepetitionGuard(policy_of().output["repetition"])
    yield Reader("ChatStream", _stream_of_a_generator, ("service.answer.generate.chunks",))
    yield Reader("ChatStream's calls", _calls_of_a_generator, ("service.answer.generate.chunks",))
    yield Reader("a schema's pattern", _pattern_of_a_schema, ("service.answer.schema.patterns",))
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
        "rewrite",
        lambda t: (is_follow_up(t), without_masks(t), standalone("it", [t, t])),
        ("service.answer.rewrite",),
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


def _of_guards() -> Iterator[Reader]:
    exact = policy_of().output["exact"]
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


def _of_personal_data() -> Iterator[Reader]:
    scrub = tuple(f"ingestion.scrub.{name}" for name in ("scrubber", "secrets", "forms", "marks", "views"))
    leak = policy_of().output["leak"]
    yield Reader("Scrubber.scrub", lambda t: _scrubber().scrub(t), scrub, _of_presidio)
    yield Reader(
        "PiiGuard",
        lambda t: PiiGuard(_scrubber(), _DIGESTS).apply(t, "input"),
        ("service.guard.checks.coded",),
    )
    yield Reader(
        "SecretGuard",
        lambda t: SecretGuard(_DIGESTS).apply(t, "input"),
        ("service.guard.checks.secrets", "ingestion.scrub.secrets"),
    )
    yield Reader(
        "SecretGuard in a key",
        lambda t: SecretGuard(_DIGESTS).apply(f"-----BEGIN PRIVATE KEY-----{t}", "input"),
        ("service.guard.checks.secrets",),
    )
    yield Reader(
        "EgressGuard",
        lambda t: EgressGuard([_PASSAGE], [], _DIGESTS).apply(t, "output"),
        ("service.guard.checks.egress",),
    )
    yield Reader("hosts_in", lambda t: hosts_in([t]), ("service.guard.checks.egress",))
    yield Reader(
        "LeakGuard",
        lambda t: LeakGuard(_PASSAGE, "ref-abc", leak, "").judge(t),
        ("service.guard.checks.leak",),
    )
    yield Reader(
        "Pseudonyms.numbers", lambda t: Pseudonyms(b"").numbers("PERSON", t), ("ingestion.scrub.pseudonyms",)
    )
    yield Reader(
        "judge_texts",
        lambda t: judge_texts([Remark("e", "a", t)], ()),
        ("service.feedback.screen.texts",),
    )
    yield Reader("facts of a document", _facts, ("ingestion.prepare.beside",))
    yield Reader("Lexicon.parts", lambda t: list(_lexicon().parts(t)), ("ingestion.scrub.names.lexicon",))


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
