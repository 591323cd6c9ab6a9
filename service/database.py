"""Engines and migrations, from arguments."""

from pathlib import Path

import orjson
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

# The database is away or locked, not the statement wrong: worth another try.
AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str) -> Engine:
    """An engine. SQLite runs in WAL mode, waits for locks, and gets its folder made."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed, pool_pre_ping=True, pool_size=4, max_overflow=4, json_serializer=_to_json
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, json_serializer=_to_json)
    event.listen(engine, "connect", _tune_sqlite)
    return engine


def _version(engine: Engine) -> str | None:
    """The version that the schema says it has."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        found = connection.execute(text("select version_num from alembic_version")).scalar()
    return str(found) if found is not None else None


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _tune_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # In WAL mode `normal` loses nothing when the process dies, and flushes at checkpoints.
    for pragma in (
        "journal_mode=wal",
        "synchronous=normal",
        "busy_timeout=10000",
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
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
