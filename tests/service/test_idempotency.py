"""Keyed requests in the database: done once, whoever asks again and in whichever process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from service.database import migrate, open_database
from service.errors import ConflictError, NotReadyError
from service.idempotency import KeyedRequest, StoredReply, claim, digest_of, settle
from service.tables import IdempotentRequest

REQUEST = KeyedRequest("crm", "k1", "a" * 64)
REPLY = StoredReply(201, '{"document_id": "x"}')
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def test_a_request_that_was_answered_gets_its_first_reply_after_a_restart_too(
    engine: Engine, tmp_path: Path
) -> None:
    assert claim(engine, REQUEST) is None
    settle(engine, REQUEST, REPLY)
    settle(engine, REQUEST, StoredReply(200, "{}"))
    assert claim(engine, REQUEST) == REPLY
    other = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    assert claim(other, REQUEST) == REPLY
    other.dispose()


def test_another_request_with_the_key_is_refused_and_keys_belong_to_their_callers(engine: Engine) -> None:
    other = KeyedRequest("crm", "k1", "b" * 64)
    assert claim(engine, REQUEST) is None
    for reply in (None, REPLY):
        if reply is not None:
            settle(engine, REQUEST, reply)
        with pytest.raises(ConflictError, match="'k1' was used for another request. Use a new one"):
            claim(engine, other)
    settle(engine, other, None)
    assert claim(engine, REQUEST) == REPLY, "only who claimed a request settles it"
    assert claim(engine, KeyedRequest("shop", "k1", "b" * 64)) is None


def test_of_requests_at_once_one_is_done_and_the_others_are_told_to_wait(engine: Engine) -> None:
    def ask(_: int) -> str:
        try:
            return "done" if claim(engine, REQUEST) is None else "replayed"
        except ConflictError as exc:
            return "refused" if "still under way" in exc.message else exc.message

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(ask, range(16)))
    assert sorted(outcomes) == ["done", *["refused"] * 15]


def test_a_request_without_a_reply_may_be_tried_again(engine: Engine) -> None:
    assert claim(engine, REQUEST) is None
    settle(engine, REQUEST, None)
    assert claim(engine, REQUEST) is None


def test_replies_are_kept_for_a_day_on_a_clock_that_jumps_by_another_and_claims_of_the_dead_for_half_an_hour(
    engine: Engine,
) -> None:
    assert claim(engine, REQUEST, now=NOW) is None
    with pytest.raises(ConflictError):
        claim(engine, REQUEST, now=NOW + timedelta(minutes=29))
    assert claim(engine, REQUEST, now=NOW + timedelta(minutes=31)) is None
    settle(engine, REQUEST, REPLY)
    assert claim(engine, REQUEST, now=NOW + timedelta(hours=48)) == REPLY
    assert claim(engine, REQUEST, now=NOW + timedelta(hours=49)) is None
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(IdempotentRequest)) == 1


def test_without_a_database_nothing_is_begun_and_a_reply_is_sent_all_the_same(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(NotReadyError, match="nothing was begun"):
        claim(engine, REQUEST)
    settle(engine, REQUEST, REPLY)
    engine.dispose()


@given(st.lists(st.binary(max_size=9)), st.lists(st.binary(max_size=9)))
def test_different_requests_have_different_digests(one: list[bytes], other: list[bytes]) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other)
