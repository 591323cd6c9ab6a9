"""Signed tokens that let the reader of an answer, and nobody else, give feedback on it."""

import base64
import hashlib
import hmac
import os
import time
from pathlib import Path

from ingestion.atomic import create_atomically, is_private
from service.errors import ForbiddenError, SecretError

LIFETIME_S = 30 * 24 * 3600
_BYTES, _GIVEN_CHARS = 32, 16


class FeedbackSigner:
    """Tokens are `expiry.signature`, with HMAC-SHA256 over the answer's id and the expiry."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"feedback" + secret).digest()

    def sign(self, answer_id: str, *, now: float | None = None) -> str:
        """A token for an answer, valid for 30 days."""
        expiry = int((time.time() if now is None else now) + LIFETIME_S)
        return f"{expiry}.{self._signature(answer_id, expiry)}"

    def check(self, answer_id: str, token: str, *, now: float | None = None) -> None:
        """Raise `ForbiddenError` unless the token is of this answer and has not expired."""
        expiry_text, _, signature = token.partition(".")
        expiry = int(expiry_text) if expiry_text.isascii() and expiry_text.isdigit() else 0
        if not hmac.compare_digest(signature.encode(), self._signature(answer_id, expiry).encode()):
            raise ForbiddenError("The feedback token is not of this answer.", param="token")
        if expiry < (time.time() if now is None else now):
            raise ForbiddenError("The feedback token has expired.", param="token")

    def _signature(self, answer_id: str, expiry: int) -> str:
        mac = hmac.digest(self._key, f"{answer_id}.{expiry}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac[:18]).decode()


class Pseudonyms:
    """Subjects are stored as keyed digests: the same person, without the name."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"subject" + secret).digest()

    def of(self, subject: str | None) -> str | None:
        """32 hexadecimal digits, or None for nobody."""
        if subject is None:
            return None
        return hmac.digest(self._key, subject.encode(), "sha256").hex()[:32]


def secret_of(given: str | None, data_dir: Path) -> bytes:
    """The secret of this installation: the given one, or that in the data folder. Raises `SecretError`."""
    if given is None:
        return secret_in(data_dir)
    if len(given) < _GIVEN_CHARS:
        raise SecretError(
            f"TOUCHSTONE_SECRET_KEY has {len(given)} characters and needs {_GIVEN_CHARS}. Make one: openssl rand -hex 32."
        )
    return given.encode()


def secret_in(data_dir: Path) -> bytes:
    """The secret of the data folder; made on first use, for its owner alone. Raises `SecretError`."""
    path = data_dir / "secret"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            create_atomically(path, os.urandom(_BYTES))
        secret = path.read_bytes()
    except OSError as exc:
        raise SecretError(
            f"The secret {str(path)!r} can't be written or read: {exc.strerror}. Check space and rights, or set"
            " TOUCHSTONE_SECRET_KEY."
        ) from exc
    if len(secret) < _BYTES:
        raise SecretError(
            f"The secret {str(path)!r} has {len(secret)} bytes instead of {_BYTES}: it was cut off. Restore it, or remove it,"
            " after which feedback tokens that were given out are void and subjects get other pseudonyms."
        )
    if not is_private(path):
        raise SecretError(
            f"Others than its owner can read the secret {str(path)!r}. Run: chmod 600 {path}. Or set TOUCHSTONE_SECRET_KEY."
        )
    return secret
