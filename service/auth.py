"""API keys: `ts-<public id>-<secret>`. Only the digest of the secret is stored; scopes limit its use."""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from ingestion.view import EVERY_GROUP
from service.errors import ForbiddenError, InvalidRequestError, UnauthenticatedError
from service.logs import get_logger
from service.tables import ApiKey

log = get_logger()

KeyScope = Literal["answer", "search", "feedback", "ingest", "analyst", "admin"]
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
_FORMAT = re.compile(r"ts-([a-z0-9]{8})-([A-Za-z0-9_-]{43})")
_REFRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what for they may."""

    id: str
    scopes: frozenset[str]
    groups: frozenset[str] = frozenset()

    def need(self, scope: KeyScope) -> None:
        """Raise `ForbiddenError` unless the caller has the scope; `admin` has all."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise ForbiddenError(f"This key has the scopes {sorted(self.scopes)}, but {scope!r} is needed.")


# Without any key the service listens to its own machine alone, which may do everything.
LOCAL = Caller("local", frozenset(SCOPES), frozenset({EVERY_GROUP}))


class KeyRing:
    """All keys in memory, so that no request waits for the database to be let in.

    `watch` keeps it fresh: a new key works, and a revoked one stops working, within two seconds.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._keys: dict[str, ApiKey] = {}

    @property
    def has_keys(self) -> bool:
        """Whether any key was ever made: the last one's revocation must not open the service."""
        return bool(self._keys)

    def refresh(self) -> None:
        """Read all keys."""
        self._keys = {key.public_id: key for key in list_keys(self.engine)}

    async def watch(self, executor: Executor, interval_s: float = _REFRESH_S) -> None:
        """Refresh for ever; while the database is away the last known keys stay valid."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval_s)
            try:
                await loop.run_in_executor(executor, self.refresh)
            except Exception as exc:  # noqa: BLE001 - a watch that dies would let revoked keys live on
                log.warning("keys_not_refreshed", error=type(exc).__name__)

    def identify(self, authorization: str | None) -> Caller:
        """The caller behind a header. Raises `UnauthenticatedError`."""
        if not self.has_keys:
            return LOCAL
        scheme, _, token = (authorization or "").partition(" ")
        match = _FORMAT.fullmatch(token.strip())
        if scheme.lower() != "bearer" or not match:
            raise UnauthenticatedError("This service needs an API key: send `Authorization: Bearer ts-…`.")
        key = self._keys.get(match[1])
        digest = hashlib.sha256(match[2].encode()).hexdigest()
        if key is None or not hmac.compare_digest(key.secret_sha256, digest):
            raise UnauthenticatedError(f"The API key 'ts-{match[1]}-…' is not valid.")
        if key.revoked_at is not None:
            raise UnauthenticatedError(f"The API key 'ts-{match[1]}-…' was revoked.")
        return Caller(key.public_id, frozenset(key.scopes), frozenset(key.groups))


def create_key(engine: Engine, name: str, scopes: Sequence[str], groups: Sequence[str] = ()) -> str:
    """Make a key and return it; it can't be shown again. Raises `InvalidRequestError`.

    Without `groups` it sees what everybody may see; with `*` it sees everything.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidRequestError(f"Unknown scopes {unknown}. Choose from {list(SCOPES)}.")
    public_id = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(8))
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        public_id=public_id,
        name=name,
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=sorted(set(scopes)),
        groups=sorted(set(groups)),
        created_at=datetime.now(UTC),
        revoked_at=None,
    )
    with Session(engine) as session, session.begin():
        session.add(key)
    return f"ts-{public_id}-{secret}"


def list_keys(engine: Engine) -> list[ApiKey]:
    """All keys, the oldest first."""
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at)))


def revoke_key(engine: Engine, public_id: str) -> None:
    """Revoke a key for good. Raises `InvalidRequestError` for an unknown one."""
    with Session(engine) as session, session.begin():
        key = session.get(ApiKey, public_id)
        if key is None:
            raise InvalidRequestError(f"No key {public_id!r}. `keys list` shows them.")
        key.revoked_at = key.revoked_at or datetime.now(UTC)
