"""Pseudonyms that stand for the same value everywhere in a collection.

A pseudonym's number is a keyed hash of the value (HMAC-SHA-256, FIPS 198-1): it needs no table, is the same in every
process, and reveals nothing without the key.
"""

import hmac
import re
import secrets
from hashlib import sha256
from pathlib import Path

from ingestion.atomic import create_atomically
from ingestion.errors import StateError

_WORD = re.compile(r"\w+")
_NUMBERS = 10**6
_KEY_BYTES = 32


class Pseudonyms:
    """Numbers for values under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, entity: str, value: str) -> str:
        """`<PERSON_17_4>` for a value of two words. Case, white space and marks make no difference.

        Each word has its own number, so that a person named in full here and by the last name there is found in both
        places.
        """
        return f"<{entity}_{'_'.join(self._numbers(entity, value))}>"

    def numbers(self, entity: str, text: str) -> str:
        """The numbers that the words of a text would have, apart."""
        return " ".join(self._numbers(entity, text))

    def _numbers(self, entity: str, value: str) -> list[str]:
        return [self._number(entity, word) for word in _WORD.findall(value.casefold())] or ["0"]

    def _number(self, entity: str, word: str) -> str:
        digest = hmac.new(self._key, f"{entity}\x1f{word}".encode(), sha256).digest()
        return str(int.from_bytes(digest[:8], "big") % _NUMBERS)


def pseudonyms_of(folder: Path) -> Pseudonyms:
    """The pseudonyms of a collection; its key is made once and lies beside its releases."""
    path = folder / "pseudonyms.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        create_atomically(path, secrets.token_bytes(_KEY_BYTES))
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise StateError(
            f"The key of pseudonyms {str(path)!r} has {len(key)} bytes instead of {_KEY_BYTES}: it was cut off. Restore it, or"
            " remove it, after which the same name gets another pseudonym."
        )
    return Pseudonyms(key)
