"""A token is good for one answer and one actor; the secret that signs it is whole and its owner's alone, or nothing starts."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.errors import ForbiddenError, SecretError
from service.feedback.tokens import LIFETIME_S, FeedbackSigner, Pseudonyms, secret_of


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first = secret_of(None, tmp_path / "data")
    assert (len(first), secret_of(None, tmp_path / "data")) == (32, first)
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [0, 1, 31])
def test_a_secret_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * cut)
    path.chmod(0o600)
    with pytest.raises(SecretError, match=f"has {cut} bytes instead of 32.*Restore it, or remove it"):
        secret_of(None, tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    secret_of(None, tmp_path)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(SecretError, match="Run: chmod 600"):
        secret_of(None, tmp_path)


@pytest.mark.parametrize("given", ["", "short"])
def test_a_given_secret_must_be_long(tmp_path: Path, given: str) -> None:
    with pytest.raises(SecretError, match=f"has {len(given)} characters and needs 16"):
        secret_of(given, tmp_path)
    assert secret_of("0123456789abcdef", tmp_path) == b"0123456789abcdef"


def test_a_full_disk_leaves_no_secret_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(SecretError, match="No space left on device. Check space and rights"):
            secret_of(None, tmp_path)
    assert len(secret_of(None, tmp_path)) == 32


ANSWERS = st.uuids().map(str)
ACTORS = st.none() | st.text("0123456789abcdef", min_size=32, max_size=32)
NOW = 1_800_000_000.0
SIGNER = FeedbackSigner(b"s" * 32)


@given(ANSWERS, ACTORS)
def test_a_token_is_good_for_its_answer_and_tells_who_asked(answer_id: str, actor: str | None) -> None:
    token = SIGNER.sign(answer_id, actor, now=NOW)
    assert SIGNER.check(answer_id, token, now=NOW + LIFETIME_S - 1) == actor


@given(ANSWERS, ACTORS)
def test_an_expired_token_is_refused(answer_id: str, actor: str | None) -> None:
    token = SIGNER.sign(answer_id, actor, now=NOW)
    with pytest.raises(ForbiddenError, match="has expired"):
        SIGNER.check(answer_id, token, now=NOW + LIFETIME_S + 1)


@given(ANSWERS, ANSWERS, ACTORS)
def test_a_foreign_token_is_refused(answer_id: str, other: str, actor: str | None) -> None:
    assume(answer_id != other)
    token = SIGNER.sign(answer_id, actor, now=NOW)
    for signer, wanted in ((SIGNER, other), (FeedbackSigner(b"t" * 32), answer_id)):
        with pytest.raises(ForbiddenError, match="not of this answer"):
            signer.check(wanted, token, now=NOW)


@given(ANSWERS, ACTORS, st.data())
def test_a_forged_token_is_refused(answer_id: str, actor: str | None, data: st.DataObject) -> None:
    token = SIGNER.sign(answer_id, actor, now=NOW)
    place = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.characters() | st.just(""))
    forged = token[:place] + put + token[place + data.draw(st.integers(0, 1)) :]
    assume(forged != token)
    with pytest.raises(ForbiddenError):
        SIGNER.check(answer_id, forged, now=NOW)


@given(ANSWERS, st.text())
def test_any_other_text_is_refused(answer_id: str, text: str) -> None:
    with pytest.raises(ForbiddenError):
        SIGNER.check(answer_id, text, now=NOW)


def test_a_token_of_the_earlier_version_still_counts() -> None:
    """`expiry.signature`, made by version 0.1's first signer with this secret."""
    answer_id = "01990000-0000-7000-8000-000000000000"
    key = hashlib.sha256(b"feedback" + b"s" * 32).digest()
    mac = hmac.digest(key, f"{answer_id}.1900000000".encode(), "sha256")
    assert (
        SIGNER.check(answer_id, f"1900000000.{base64.urlsafe_b64encode(mac[:18]).decode()}", now=NOW) is None
    )


def test_nobody_has_the_pseudonym_of_a_key() -> None:
    pseudonyms = Pseudonyms(b"s" * 32)
    names = [
        pseudonyms.stand_in("key", "a"),
        pseudonyms.stand_in("webhook", "a"),
        pseudonyms.of("a"),
        pseudonyms.of("key\na"),
    ]
    assert len(set(names)) == 4
