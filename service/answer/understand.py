"""From a request to a turn: the question and the conversation before it, guarded, masked, and ready to be searched for."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ingestion.releases.release import Release
from ingestion.text.language import guess_language
from service.answer.offers import guarded_tools
from service.answer.prompts import Message
from service.answer.request import AnswerRequest, Options, RawMessage
from service.answer.rewrite.languages import grammar_of
from service.answer.route import Route
from service.answer.small_talk import language_of_small_talk
from service.answer.steps import read_steps
from service.answer.structured import guarded_form
from service.answer.tools import Step, ToolResult
from service.errors import InvalidRequestError
from service.guard.chain import Verdict
from service.guard.input import Disposition, InputGuards, unblocked
from service.guard.texts import MaskedText, RawText, SearchableText
from service.ids import uuid7
from service.scope.file import MOST_TOKENS
from service.scope.replies import Reply, text_in

# Longer conversations are guarded in a thread, so that the loop stays free: a character costs up to 1 µs.
_INLINE_CHARS = 1_000
# The conversation before a question: so many of its latest messages, and so many times the longest question.
HISTORY_MESSAGES, _HISTORY_QUESTIONS = 50, 4
# A detector is wrong about fewer words in Latin letters as often as not. Other letters are none of a language that is
# written in Latin ones.
_LEAST_GUESSED_WORDS = 5
_READ_CHARS = 2_000
_OTHER_SCRIPTS = frozenset(
    """am ar be bg bn el fa gu he hi hy ja ka kk kn ko ky lo mk ml mn mr my ne or pa ps ru sa si sr ta te th ug uk ur
    zh""".split()
)
_BEYOND_LATIN = "\u0250"
Originals = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class SearchText:
    """What is searched for, names in clear, and `hints`: further words for the lexical index alone."""

    text: SearchableText
    hints: str = ""


_LEFT_OUT = Verdict("length", "input", "flag", "HISTORY_TOO_LONG", 1.0)
_CLAMPED = Verdict("length", "input", "flag", "MAX_TOKENS_CLAMPED", 1.0)
ScrubQuery = Callable[[RawText], SearchText]


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that was let in, with everything that answering it needs.

    `started` is on `time.perf_counter`'s clock. `originals` maps each mask to the asker's own values, which the
    reply may show him again. `disposition` says what the input guards decided.
    """

    id: str
    request: AnswerRequest
    route: Route
    release: Release
    started: float
    question: MaskedText
    search: SearchText
    history: tuple[Message, ...] = ()
    steps: tuple[Step, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    originals: Mapping[str, set[str]] | None = None
    disposition: Disposition = "pass"
    guard_input_s: float = 0.0

    def begun_now(self) -> "Turn":
        """The same, as if it came in at this moment."""
        return replace(self, started=time.perf_counter(), guard_input_s=0.0)

    def since(self) -> float:
        """Seconds since the question came in."""
        return time.perf_counter() - self.started

    def said(self, reply: Reply) -> str:
        """A reply of the assistant in the language of the question, as far as the collection is declared to have it."""
        return reply if isinstance(reply, str) else text_in(reply, self.language)

    @property
    def language(self) -> str:
        """The language of the question: of those of the collection, or English where it declares none."""
        declared = [one for one in self.release.manifest.languages if len(one) == 2]
        if not declared:
            return "en"
        asked = "\n".join([*self.earlier[-1:], self.question])
        greeted = language_of_small_talk(self.question, declared)
        if greeted is not None:
            return greeted
        for text in (self.question, asked):
            grammar = grammar_of(text)
            if grammar is not None and grammar.name in declared:
                return grammar.name
        if any(letter >= _BEYOND_LATIN for letter in asked[:_READ_CHARS] if letter.isalpha()):
            declared = [one for one in declared if one in _OTHER_SCRIPTS] or declared[:1]
        elif len(set(asked[:_READ_CHARS].split())) < _LEAST_GUESSED_WORDS:
            return declared[0]
        return guess_language(asked, declared)

    @property
    def earlier(self) -> list[MaskedText]:
        """The user's questions before this one, the oldest first."""
        return [message.content for message in self.history if message.role == "user"]

    @property
    def results(self) -> list[ToolResult]:
        """What tools gave since the question, in the order of their numbers."""
        return [result for step in self.steps for result in step.results]

    @property
    def has_tools(self) -> bool:
        """Whether tools may be called, or have been."""
        return self.request.options.tools is not None or bool(self.steps)

    @property
    def conversation(self) -> tuple[MaskedText, ...]:
        """Everything that was said: the question, then the turns before it."""
        return (self.question, *(message.content for message in self.history))


async def understand(
    request: AnswerRequest,
    route: Route,
    release: Release,
    *,
    guards: InputGuards | None,
    scrub_query: ScrubQuery | None,
    max_question_chars: int,
    started: float,
    turn_id: str | None = None,
    allowed_tools: Sequence[str] = (),
) -> Turn:
    """Screen and mask the question and its conversation by rules, then ask the models of the input zone.

    A conversation beyond the bound loses its oldest messages, as chat clients expect. `allowed_tools` are shell patterns
    of the functions whose results are read. Raises `InvalidRequestError` for
    a question that is missing, empty or too long.
    """
    asked = _asked(request.messages)
    question = question_of(asked, max_question_chars)
    spoken = [one for one in asked[:-1] if one.role in ("user", "assistant") and one.content.strip()]
    read = recent(spoken, _HISTORY_QUESTIONS * max_question_chars)
    screening = await screened(guards, scrub_query, question, read)
    told = [] if len(read) == len(spoken) else [_LEFT_OUT]
    if (request.max_tokens or 0) > MOST_TOKENS:
        told.append(_CLAMPED)
    options, found = await _guarded_options(request.options, guards, screening.originals)
    done = await read_steps(
        request.messages[len(asked) :],
        allowed_tools,
        guards,
        screening.originals,
        most_chars=_HISTORY_QUESTIONS * max_question_chars,
    )
    turn = Turn(
        id=turn_id or uuid7(),
        request=replace(request, options=options),
        route=route,
        release=release,
        started=started,
        question=screening.question,
        search=screening.search,
        history=screening.history,
        steps=done.steps,
        verdicts=(*told, *screening.verdicts, *found, *done.verdicts),
        originals=screening.originals,
    )
    turn = await _judged(turn, question, guards)
    return replace(turn, guard_input_s=turn.since())


async def _guarded_options(
    options: Options, guards: InputGuards | None, originals: Originals
) -> tuple[Options, tuple[Verdict, ...]]:
    """The options, whose form of JSON and tools hold words of the caller like the question does."""
    verdicts: tuple[Verdict, ...] = ()
    if options.form is not None:
        guarded = await guarded_form(options.form, guards, originals)
        options, verdicts = replace(options, form=guarded.value), guarded.verdicts
    if options.tools is not None:
        tools, found = await guarded_tools(options.tools, guards, originals)
        options, verdicts = replace(options, tools=tools), (*verdicts, *found)
    return options, verdicts


def _asked(messages: Sequence[RawMessage]) -> Sequence[RawMessage]:
    """The conversation up to the user's last message; what stands behind it are an agent's steps towards an answer."""
    last = max((place for place, one in enumerate(messages) if one.role == "user"), default=-1)
    return messages[: last + 1]


def question_of(messages: Sequence[RawMessage], most_chars: int) -> RawText:
    """The last message. Raises `InvalidRequestError` when there is none, or it is empty or longer than `most_chars`."""
    if not messages:
        raise InvalidRequestError(
            "No message has the role 'user': the last one of that role is the question.", param="messages"
        )
    question = RawText(messages[-1].content.replace("\0", "").strip())
    if not question:
        raise InvalidRequestError("The question is empty. Write one.", param="messages")
    if len(question) > most_chars:
        raise InvalidRequestError(
            f"The question has {len(question)} characters; at most {most_chars} are allowed. Shorten it.",
            param="messages",
        )
    return question


def recent(spoken: Sequence[RawMessage], most_chars: int) -> list[RawMessage]:
    """The latest messages of a conversation that fit, without a gap: what stands before one that doesn't is left out."""
    kept: list[RawMessage] = []
    left = most_chars
    for message in reversed(spoken[-HISTORY_MESSAGES:]):
        left -= len(message.content)
        if left < 0:
            break
        kept.append(message)
    return kept[::-1]


@dataclass(frozen=True, slots=True)
class Screening:
    """What the rules left of a question and its conversation, and what they found."""

    question: MaskedText
    search: SearchText
    history: tuple[Message, ...]
    verdicts: tuple[Verdict, ...]
    originals: Originals


async def screened(
    guards: InputGuards | None,
    scrub_query: ScrubQuery | None,
    question: RawText,
    spoken: Sequence[RawMessage],
) -> Screening:
    """A question and its conversation by rules; in a thread where they are long."""
    size = len(question) + sum(len(message.content) for message in spoken)
    if size > _INLINE_CHARS:
        return await asyncio.to_thread(_screen, guards, scrub_query, question, spoken)
    return _screen(guards, scrub_query, question, spoken)


def _screen(
    guards: InputGuards | None,
    scrub_query: ScrubQuery | None,
    question: RawText,
    spoken: Sequence[RawMessage],
) -> Screening:
    """An attack in an earlier turn blocks nothing now, but the turn itself is left out."""
    originals: Originals = {}
    if guards is None:
        unguarded = tuple(Message(one.role, MaskedText(one.content)) for one in spoken)
        search = _search_text(scrub_query, question, MaskedText(question))
        return Screening(MaskedText(question), search, unguarded, (), originals)
    result = guards.screen(question, originals)
    history, found = _screen_history(guards, spoken, originals)
    # Nothing is searched for where the question is refused.
    search = _search_text(None if result.is_blocked else scrub_query, question, result.text)
    return Screening(result.text, search, history, (*result.verdicts, *found), originals)


def _search_text(scrub_query: ScrubQuery | None, question: RawText, masked: MaskedText) -> SearchText:
    return scrub_query(question) if scrub_query else SearchText(SearchableText(masked))


def _screen_history(
    guards: InputGuards, spoken: Sequence[RawMessage], originals: Originals
) -> tuple[tuple[Message, ...], list[Verdict]]:
    verdicts: list[Verdict] = []
    history: list[Message] = []
    is_left_out = False
    for message in spoken:
        one = guards.screen(message.content, originals)
        # A reply goes with the question that was refused.
        is_left_out = one.is_blocked or (is_left_out and message.role == "assistant")
        if one.is_blocked:
            verdicts += unblocked(one.verdicts)
        elif not is_left_out:
            history.append(Message(message.role, one.text))
    return tuple(history), verdicts


async def _judged(turn: Turn, question: RawText, guards: InputGuards | None) -> Turn:
    """The turn with what models say of it; they are not asked where rules have refused the question."""
    if any(verdict.verdict == "block" for verdict in turn.verdicts):
        return replace(turn, disposition="block")
    if guards is None:
        return turn
    judgement = await guards.judge([question, *turn.earlier])
    verdicts = (*turn.verdicts, *judgement.verdicts)
    return replace(turn, verdicts=verdicts, disposition=judgement.disposition)
