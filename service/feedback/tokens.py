"""Signed tokens that let the reader of an answer, and nobody else, give feedback on it."""

import base64
import hashlib
import hmac
import os
import time
from pathlib import Path

from service.errors import ForbiddenError

LIFETIME_S = 30 * 24 * 3600


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


def secret_in(data_dir: Path) -> bytes:
    """The secret of this installation; made on first use, readable by its owner only."""
    path = data_dir / "secret"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        secret = os.urandom(32)
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret
