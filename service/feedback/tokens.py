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
_EXPIRY_DIGITS = 12


class FeedbackSigner:
    """Tokens are `expiry.actor.signature`, or `expiry.signature` where nobody said who asked.

    The signature is an HMAC-SHA256 over the answer's id, the expiry and the actor, the pseudonym of who asked: whoever
    holds the token speaks as that one, and one token never becomes the voice of many. Its key serves nothing else.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"feedback" + secret).digest()

    def sign(self, answer_id: str, actor: str | None = None, *, now: float | None = None) -> str:
        """A token for an answer to somebody, valid for 30 days."""
        expiry = int((time.time() if now is None else now) + LIFETIME_S)
        parts = [str(expiry), *([actor] if actor else []), self._signature(answer_id, expiry, actor)]
        return ".".join(parts)

    def check(self, answer_id: str, token: str, *, now: float | None = None) -> str | None:
        """The actor for whom the token was made, if any. Raises `ForbiddenError` unless it is valid and of this answer."""
        expiry_text, _, rest = token.partition(".")
        actor, has_actor, signature = rest.rpartition(".")
        is_number = expiry_text.isascii() and expiry_text.isdigit() and len(expiry_text) <= _EXPIRY_DIGITS
        expiry = int(expiry_text) if is_number else 0
        is_number = is_number and expiry_text == str(expiry)
        # The wrong form is compared too, so that it takes as long as a wrong signature.
        right = self._signature(answer_id, expiry, actor if has_actor else None)
        is_right = hmac.compare_digest(_bytes(signature), right.encode())
        if not is_right or not is_number:
            raise ForbiddenError("The feedback token is not of this answer.", param="token")
        if expiry < (time.time() if now is None else now):
            raise ForbiddenError("The feedback token has expired.", param="token")
        return actor or None

    def _signature(self, answer_id: str, expiry: int, actor: str | None) -> str:
        # An id has 36 characters, so neither form can be read as the other.
        signed = f"{answer_id}.{expiry}" if actor is None else f"with.{answer_id}.{expiry}.{actor}"
        mac = hmac.digest(self._key, _bytes(signed), "sha256")
        return base64.urlsafe_b64encode(mac[:18]).decode()


def _bytes(text: str) -> bytes:
    """What a client sends may hold half a character."""
    return text.encode("utf-8", "surrogatepass")


class Pseudonyms:
    """Subjects are stored as keyed digests: the same person, without the name."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"subject" + secret).digest()
        self._stand_ins = hashlib.sha256(b"speaker" + secret).digest()

    def of(self, subject: str | None) -> str | None:
        """32 hexadecimal digits, or None for nobody."""
        if subject is None:
            return None
        return hmac.digest(self._key, subject.encode(), "sha256").hex()[:32]

    def stand_in(self, kind: str, name: str) -> str:
        """What stands for a key, a webhook, whoever reads an answer, a row without an id. No subject has the same."""
        return hmac.digest(self._stand_ins, f"{kind}\n{name}".encode(), "sha256").hex()[:32]


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
