"""Engines and migrations, from arguments."""

import os
import sqlite3
from pathlib import Path

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

# The database is away or locked, not the statement wrong: worth another try.
AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
# How long a request waits for the database, in seconds.
WAIT_S = 5.0
_CONNECT_S, _POOL_S, _STATEMENT_MS, _LOCK_MS = 3, 3.0, 5_000, 3_000
# A server that vanished without a word is noticed by the kernel after some ten seconds.
_NETWORK = {
    "connect_timeout": _CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str) -> Engine:
    """An engine, none of whose steps waits for ever. SQLite runs in WAL mode and gets its folder made."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=4,
            pool_timeout=_POOL_S,
            json_serializer=_to_json,
            connect_args={**_NETWORK, **parsed.query} if parsed.drivername.endswith("psycopg") else {},
        )
        event.listen(engine, "connect", _tune_postgres)
        return engine
    engine = create_engine(parsed, pool_timeout=_POOL_S, json_serializer=_to_json)
    event.listen(engine, "connect", _tune_sqlite)
    if parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        _SameFile(path).watch(engine)
    return engine


class ReplacedError(OperationalError):
    """The file of the database is gone or another one: what is written into the open one would be lost."""


class _SameFile:
    """Refuses connections of an engine once the path no longer leads to the file that was opened first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", self._before)
        event.listen(engine, "connect", self._after)
        event.listen(engine, "checkout", self._checkout)

    def _before(self, *_: object) -> None:
        self.check()

    def _after(self, *_: object) -> None:
        self._opened = self._opened or self._found()

    def _checkout(self, *_: object) -> None:
        self.check()

    def check(self) -> None:
        """Raise `ReplacedError` unless the file is the same or none was opened yet."""
        if self._opened is not None and self._found() != self._opened:
            reason = sqlite3.OperationalError(
                f"The file {str(self._path)!r} was removed or replaced while it was open. Put it back, or restart."
            )
            raise ReplacedError(None, None, reason)

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _version(engine: Engine) -> str | None:
    """The version that the schema says it has."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        found = connection.execute(text("select version_num from alembic_version")).scalar()
    return str(found) if found is not None else None


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _tune_postgres(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"set statement_timeout = {_STATEMENT_MS}")
    cursor.execute(f"set lock_timeout = {_LOCK_MS}")
    cursor.close()
    connection.commit()


def without_limit(connection: Connection) -> None:
    """Let the statements of a connection take as long as they need, such as those of a migration."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("set statement_timeout = 0"))


def _tune_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # What was acknowledged survives a power cut: `normal` would flush at checkpoints alone.
    for pragma in (
        f"busy_timeout={_LOCK_MS}",
        "journal_mode=wal",
        "synchronous=full",
        "foreign_keys=on",
        "secure_delete=on",
    ):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version. A schema that is there already costs one query."""
    if _version(engine) == max(path.name[:4] for path in _MIGRATIONS.glob("versions/[0-9]*.py")):
        return
    # Alembic takes half a second to import, which most starts don't need.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        without_limit(connection)
        if connection.dialect.name == "sqlite":
            # Left to itself the driver keeps each new table at once, and a disk that is full at the third leaves two.
            connection.exec_driver_sql("begin immediate")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
