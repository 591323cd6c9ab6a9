"""The secret of an installation is whole and its owner's alone, or nothing starts."""

import os
from pathlib import Path

import pytest

from service.errors import SecretError
from service.feedback.tokens import secret_of


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
