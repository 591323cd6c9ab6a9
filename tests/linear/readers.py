"""Every function that reads what strangers write, by name, with the modules whose patterns it runs."""

from collections.abc import Iterator

from tests.linear.of_answers import of_answers, of_guards, of_requests
from tests.linear.of_documents import of_documents
from tests.linear.of_office import of_office
from tests.linear.of_personal_data import of_personal_data
from tests.linear.reader import Reader

# Modules whose patterns read no stranger's text, or so little of it that nothing can grow, each with the reason.
OUR_OWN = {
    "service.experiments.reports": "one character at a time of an experiment's name",
    "service.feedback.requests": "one character at a time",
    "service.scope.file": "the name of an adapter in the scope file",
    "ingestion.runs.erasure": "marks of pseudonyms, which end where another begins",
    "ingestion.load.number_format": "255 characters of a number's format",
    "ingestion.load.docx.numbering": "100 characters of a list's format",
    "ingestion.scrub.names.model": "a name that the model found in one of its windows",
    "ingestion.load": "the name of a file",
    "ingestion.characters": "one character at a time",
    "service.answer.generate.openai": "the first 4,000 bytes of a server's error",
    "ingestion.search.diversify": "words of passages, which the size of chunks bounds",
    "service.answer.rows": "one character at a time",
    "service.answer.steps": "64 characters of a name",
    "service.corpus.listing": "the name of a run",
    "service.corpus.documents": "an id of at most 64 characters",
    "service.handlers": "names of the API's own types",
    "service.answer.calibrations": "the name of the scope's embedder",
    "service.middleware": "the port of a host's name, and an id of at most 64 bytes",
    "service.routes.search": "600 characters around a passage",
}


def readers() -> Iterator[Reader]:
    """All of them."""
    yield from of_documents()
    yield from of_office()
    yield from of_answers()
    yield from of_guards()
    yield from of_personal_data()
    yield from of_requests()
