"""What takes feedback in, finds gaps, and answers with curated answers."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from service.answer.rewrite import standalone
from service.feedback.curated.book import CuratedBook
from service.feedback.desk import FeedbackDesk
from service.feedback.gaps.finder import GapFinder, Threads
from service.feedback.intake import Identities
from service.feedback.limits import Limits
from service.feedback.record import write
from service.feedback.tokens import FeedbackSigner, Pseudonyms
from service.feedback.vectors import QuestionVectors
from service.feedback.webhooks import open_webhooks
from service.feedback.writer import FeedbackWriter
from service.guard.remarks import RemarkMasks
from service.opening.corpus import Corpus
from service.opening.guards import Guarding
from service.opening.storage import Storage, threads_in
from service.scope import Scope


def open_feedback(scope: Scope, storage: Storage, guarding: Guarding, stack: AsyncExitStack) -> FeedbackDesk:
    """What takes feedback in. Raises `ScopeError` for a webhook's secret that isn't set."""
    writer = FeedbackWriter(partial(write, storage.engine), threads_in(1, "feedback", stack))
    writer.start()
    stack.push_async_callback(writer.close)
    return FeedbackDesk(
        identities=Identities(FeedbackSigner(storage.secret), Pseudonyms(storage.secret)),
        limits=Limits(scope.feedback),
        mask=RemarkMasks({name: guarding.assistants[name].input_redactors for name in scope.assistants}).mask,
        writer=writer,
        webhooks=open_webhooks(scope.webhooks),
    )


@dataclass(frozen=True, slots=True)
class Curation:
    """The curated answers, and what finds the questions that lack one."""

    book: CuratedBook
    gaps: GapFinder


async def open_curation(scope: Scope, storage: Storage, corpus: Corpus) -> Curation:
    vectors = QuestionVectors(corpus.embedders, corpus.threads)
    collections = {name: assistant.collection for name, assistant in scope.assistants.items()}
    book = CuratedBook(storage.engine, collections, vectors)
    await book.read(storage.threads)
    threads = Threads(storage.threads, storage.reading)
    return Curation(book, GapFinder(storage.engine, collections, vectors, threads, standalone))
