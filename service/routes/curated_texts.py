"""From what an author sends to a curated text: guarded like a question, its sources looked up. And what changed since."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ingestion.corpus import Document
from ingestion.detect.decodings import decodings_of
from ingestion.detect.injection import by_rules
from ingestion.text.language import guess_language
from ingestion.view import may_see
from service.answer.rewrite import has_masks
from service.deps import Call, State
from service.errors import ForbiddenError, InvalidRequestError
from service.feedback.curated.answer import Curated, CuratedSource, CuratedText
from service.feedback.curated.requests import CitedSource, CuratedBody
from service.guard.build import AssistantGuards
from service.guard.chain import apply_all
from service.guard.checks.citations import without_markers
from service.guard.texts import RawText


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A text as it may be stored, what was masked in it, and the first cited passage."""

    text: CuratedText
    masked: tuple[str, ...]
    passage: str | None = None


def assistant_of(state: State, name: str | None) -> str:
    """The assistant that is named, or the only one. Raises `InvalidRequestError`."""
    known = sorted(state.scope.assistants)
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        raise InvalidRequestError(
            f"There is no assistant {name!r:.100}. Choose one of {known}.", param="assistant"
        )
    return str(name)


async def reviewed(call: Call, assistant: str, question: str, body: CuratedBody) -> Reviewed:
    """The text behind its guards.

    Raises `InvalidRequestError` for what can't be stored, and `ForbiddenError` for groups that are not the caller's.
    """
    state, guards = call.state, call.state.guards[assistant]
    _check_groups(call, body.groups)
    collection = state.scope.assistants[assistant].collection
    await state.live.serving(collection)  # opened here, so that no thread does it
    work = partial(_review, call, assistant, collection, question, body)
    found = await asyncio.to_thread(work)
    if guards.input is not None:
        judgement = await guards.input.judge([question, *body.alternatives])
        if judgement.disposition == "block":
            raise _attack("question")
    return found


def _check_groups(call: Call, groups: Sequence[str]) -> None:
    own = call.view().groups
    others = sorted(set(groups) - own) if own is not None else []
    if others:
        raise ForbiddenError(f"This key is not in the groups {others}. Name groups of its own.")


def _review(call: Call, assistant: str, collection: str, question: str, body: CuratedBody) -> Reviewed:
    guards = call.state.guards[assistant]
    for one in (question, *body.alternatives):
        _check_question(guards, one)
    answer, masked = _answer(guards, body.answer)
    sources, passage = _sources(call, guards, collection, body)
    languages = call.state.scope.collections[collection].languages
    text = CuratedText(
        assistant=assistant,
        question=question.strip(),
        answer=answer,
        language=body.language or guess_language(question, languages),
        alternatives=tuple(dict.fromkeys(one.strip() for one in body.alternatives)),
        sources=sources,
        groups=tuple(sorted(set(body.groups))),
        valid_from=body.valid_from,
        valid_until=body.valid_until,
    )
    return Reviewed(text, masked, passage)


def _check_question(guards: AssistantGuards, text: str) -> None:
    """A question with personal data in it could never be met: in questions it is masked."""
    if guards.input is None:
        return
    screened = guards.input.screen(RawText(text))
    if screened.is_blocked:
        raise _attack("question")
    if has_masks(screened.text) or any(one.verdict == "redact" for one in screened.verdicts):
        rules = sorted({one.rule for one in screened.verdicts if one.verdict == "redact"})
        raise InvalidRequestError(
            f"The question {text!r:.200} holds what is masked in questions ({', '.join(rules) or 'a mask'}), so that nobody's"
            " question could match it. Send one without it.",
            param="question",
        )


def _answer(guards: AssistantGuards, text: str) -> tuple[str, tuple[str, ...]]:
    """The answer as it may be stored, without marks of citations, and the rules that masked something in it."""
    text = without_markers(text).strip()
    if not text:
        raise InvalidRequestError("The answer is empty. Write one.", param="answer")
    if by_rules(text, decodings_of(text), is_document=True):
        raise _attack("answer")
    safe, verdicts = apply_all(guards.input_redactors(), text, "input")
    return safe, tuple(sorted({one.rule for one in verdicts if one.verdict == "redact"}))


def _attack(param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The {param} reads like an attempt to direct the model. Write it as a customer would read it.",
        param=param,
    )


def _sources(
    call: Call, guards: AssistantGuards, collection: str, body: CuratedBody
) -> tuple[tuple[CuratedSource, ...], str | None]:
    """What is cited, with the digests of its documents, and the text of the first passage."""
    sources: list[CuratedSource] = []
    passage = None
    for cited in body.citations:
        document, text = _cited(call, collection, cited)
        passage = passage or text
        if document is not None:
            _check_audience(document, body.groups)
        title = cited.title or (document.title if document is not None else "")
        safe, _ = apply_all(guards.input_redactors(), title, "input")
        sources.append(
            CuratedSource(
                safe,
                document.id if document is not None else None,
                cited.chunk_id,
                cited.url,
                document.digest if document is not None else None,
            )
        )
    return tuple(sources), passage


def _cited(call: Call, collection: str, cited: CitedSource) -> tuple[Document | None, str | None]:
    """The document and the passage that are cited. Raises `InvalidRequestError` for those that the caller can't see."""
    if cited.url is not None:
        return None, None
    view = call.view()
    if cited.document_id is not None:
        found = call.state.library.document(collection, cited.document_id, view)
        if found is not None:
            return found[0], None
        raise _unknown("document", cited.document_id)
    texts = call.state.live.current(collection).documents
    chunk = texts.chunk(str(cited.chunk_id))
    document = texts.document(chunk.document_id) if chunk else None
    if chunk is None or document is None or not may_see(view.groups, document.groups):
        raise _unknown("passage", str(cited.chunk_id))
    return document, chunk.text


def _unknown(kind: str, name: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"There is no {kind} {name!r} in the index that is served now.", param="citations"
    )


def _check_audience(document: Document, groups: Sequence[str]) -> None:
    """Whoever gets the answer learns of its sources."""
    if document.groups and not (groups and set(groups) <= set(document.groups)):
        raise InvalidRequestError(
            f"The document {document.title!r:.100} is for the groups {sorted(document.groups)} alone. Give the answer `groups`"
            " among them, or leave the document out.",
            param="groups",
        )


def stale_documents(state: State, answers: Sequence[Curated]) -> frozenset[str]:
    """Stored ids of cited documents that have changed, were superseded, or are gone. Reads files."""
    stale: set[str] = set()
    for one in answers:
        if one.text.assistant not in state.scope.assistants:
            continue
        texts = state.live.current(state.scope.assistants[one.text.assistant].collection).documents
        for source in one.text.sources:
            if source.document_id is None or source.document_id in stale:
                continue
            document = texts.document(source.document_id)
            if document is None or document.superseded_by or document.digest != source.digest:
                stale.add(source.document_id)
    return frozenset(stale)
