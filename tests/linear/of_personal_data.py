"""Functions that seek what is personal or secret, in documents, questions and answers."""

import re
from collections.abc import Iterator
from functools import cache

from ingestion.config import PiiPolicy
from ingestion.errors import SourceError
from ingestion.prepare.beside import (
    date_of,
    is_web_address,
    language_of,
    runnable_refused,
    scrub_numbers,
)
from ingestion.scrub import Scrubber
from ingestion.scrub.finders import FINDERS
from ingestion.scrub.names.lexicon import Lexicon
from ingestion.scrub.names.model import NAMES_DIR
from ingestion.scrub.names.plausible import is_a_thing, may_be_person, small_words
from ingestion.scrub.pseudonyms import Pseudonyms
from ingestion.scrub.recognisers import _recognisers
from service.feedback.screen.texts import Remark, judge_texts
from service.guard.chain import Digests
from service.guard.checks.egress import EgressGuard, hosts_in
from service.guard.checks.leak import LeakGuard
from service.guard.checks.pii import PiiGuard
from service.guard.checks.secrets import SecretGuard
from service.scope.policy import policy_of
from tests.linear.reader import Reader

_SCRUB = ("scrubber", "secrets", "forms", "marks", "views", "lookalikes", "telephones")
# What Presidio has no part in, so that each of the many texts takes a moment.
_FOUND = ("labels", "births", "dialling", "papers", "passwords", "tax", "user_names")
_DIGESTS = Digests(b"sweep")
_PASSAGE = "The Hub has a yellow ring from 1 May 2024. It does not need 12 batteries, says Jane Doe."


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


def _people(text: str) -> None:
    known = small_words([text])
    for start, end in ((0, len(text) // 2), (len(text) // 2, len(text)), (0, len(text))):
        may_be_person(text, start, end, _lexicon())
        is_a_thing(text[start:end], known, _lexicon())


def _facts(text: str) -> object:
    facts = is_web_address(text), language_of(text), date_of(text)
    try:
        return facts, runnable_refused(text), scrub_numbers(_scrubber(), {text: 1})
    except SourceError as exc:
        return facts, str(exc)


def of_personal_data() -> Iterator[Reader]:
    """All of them."""
    scrub = tuple(f"ingestion.scrub.{name}" for name in _SCRUB)
    found = tuple(f"ingestion.scrub.{name}" for name in _FOUND)
    yield Reader("FINDERS", lambda t: [list(one.find(t)) for one in FINDERS], found)
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
    yield Reader("may_be_person", _people, ("ingestion.scrub.names.plausible",))
    yield Reader("Lexicon.parts", lambda t: list(_lexicon().parts(t)), ("ingestion.scrub.names.lexicon",))
