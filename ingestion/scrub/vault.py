"""The values behind pseudonyms, encrypted under a key that is kept elsewhere. Off unless a key is given.

Fernet (AES-128-CBC with HMAC-SHA-256, github.com/fernet/spec) through `cryptography`.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from ingestion.atomic import writing
from ingestion.errors import VaultError


class Vault:
    """Pseudonyms of one collection and the values behind them."""

    def __init__(self, folder: Path, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as exc:
            raise VaultError(
                "The vault's key is no Fernet key. Make one: touchstone ingestion vault new-key."
            ) from exc
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "vault.sqlite"
        with writing(self._path), sqlite3.connect(self._path, timeout=30) as db:
            db.execute("create table if not exists vault (pseudonym text primary key, value blob not null)")
        self._path.chmod(0o600)

    def put(self, originals: Mapping[str, str]) -> None:
        """Store the value behind each pseudonym; one that is stored already is kept."""
        rows = [(name, self._fernet.encrypt(value.encode())) for name, value in originals.items()]
        with writing(self._path), sqlite3.connect(self._path, timeout=30) as db:
            db.executemany("insert or ignore into vault values (?, ?)", rows)

    def reveal(self, pseudonyms: Sequence[str]) -> dict[str, str]:
        """The values behind pseudonyms, as far as they are known. Raises `VaultError` for a wrong key."""
        marks = ",".join("?" * len(pseudonyms))
        with sqlite3.connect(self._path, timeout=30) as db:
            query = f"select pseudonym, value from vault where pseudonym in ({marks})"
            rows = db.execute(query, list(pseudonyms)).fetchall()
        try:
            return {name: self._fernet.decrypt(value).decode() for name, value in rows}
        except InvalidToken as exc:
            raise VaultError("The vault was written under another key. Use that one.") from exc


def forget_unused(folder: Path, used: Collection[str]) -> None:
    """Delete the values behind pseudonyms that no text holds any more; needs no key."""
    path = folder / "vault.sqlite"
    if not path.is_file():
        return
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        db.execute("pragma secure_delete=on")
        known = [name for (name,) in db.execute("select pseudonym from vault")]
        db.executemany(
            "delete from vault where pseudonym = ?", [(name,) for name in known if name not in used]
        )
        db.execute("vacuum")
    finally:
        db.close()


def new_key() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode()
