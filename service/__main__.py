"""Commands of the gateway: serve, keys, db, purge."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import uvicorn
from sqlalchemy import Engine

from ingestion.errors import IngestionError
from ingestion.releases.release import Release, collection_folder, open_active
from service.answer.erasure import clear_quoting, compact, delete_older
from service.answer.spill import SPILL, Spill
from service.auth import SCOPES, create_key, list_keys, revoke_key
from service.database import AWAY, migrate, open_database
from service.errors import TouchstoneError
from service.middleware import is_loopback
from service.scope import load_scope
from service.settings import Settings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    commands = main_parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="start the gateway")
    serve.add_argument("--host")
    serve.add_argument("--port", type=int)
    serve.add_argument("--workers", type=int)
    keys = commands.add_parser("keys", help="API keys").add_subparsers(dest="action", required=True)
    create = keys.add_parser("create", help="make a key and show it once")
    create.add_argument("name")
    create.add_argument("--scopes", default="answer,search,feedback", help=f"of {', '.join(SCOPES)}")
    create.add_argument(
        "--groups", default="", help="groups whose documents it may see, e.g. staff,legal; '*' for all"
    )
    keys.add_parser("list", help="list keys")
    keys.add_parser("revoke", help="revoke a key").add_argument("public_id")
    db = commands.add_parser("db", help="the database").add_subparsers(dest="action", required=True)
    db.add_parser("upgrade", help="bring the schema to the newest version")
    purge = commands.add_parser("purge", help="delete answers that are older than the scope's `retention`")
    purge.add_argument(
        "--answers", action="store_true", help="and clear those that quote what the documents no longer say"
    )
    return main_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 for an error that a person can mend."""
    args = parser().parse_args(argv)
    given = {name: getattr(args, name, None) for name in ("host", "port", "workers")}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    try:
        if args.command == "serve":
            return _serve(settings)
        engine = open_database(settings.database())
        migrate(engine)
        if args.command == "keys":
            _keys(args, settings)
        if args.command == "purge":
            _purge(args, settings, engine)
        return 0
    except (IngestionError, TouchstoneError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except AWAY as exc:
        print(
            f"error: The database can't be used: {exc.args[0]}. Check its disk's space and rights.",
            file=sys.stderr,
        )
        return 1


def _serve(settings: Settings) -> int:
    load_scope(settings.scope_file)  # a wrong scope is reported here, not by every worker
    engine = open_database(settings.database())
    migrate(engine)
    if not is_loopback(settings.host) and not list_keys(engine):
        raise TouchstoneError(
            f"Refusing to listen on {settings.host!r} without API keys. Create one first: "
            "python -m service keys create NAME --scopes answer,search,feedback."
        )
    engine.dispose()
    if settings.workers > 1:
        _share_metrics()
    print(f"Touchstone serves on http://{settings.host}:{settings.port}", file=sys.stderr)
    uvicorn.run(
        "service.app:worker",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers if settings.workers > 1 else None,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    return 0


def _share_metrics() -> None:
    """Prometheus' client reads this variable when it is first imported, in each worker."""
    import os

    folder = tempfile.mkdtemp(prefix="touchstone-metrics-")
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)  # noqa: TID251


def _keys(args: argparse.Namespace, settings: Settings) -> None:
    engine = open_database(settings.database())
    if args.action == "create":
        groups = [group.strip() for group in args.groups.split(",") if group.strip()]
        print(create_key(engine, args.name, args.scopes.split(","), groups))
    elif args.action == "revoke":
        revoke_key(engine, args.public_id)
        print(f"{args.public_id} is revoked")
    else:
        for key in list_keys(engine):
            state = "revoked" if key.revoked_at else "valid"
            print(f"{key.public_id}  {state:8}  {','.join(key.scopes)}  [{','.join(key.groups)}]  {key.name}")


def _purge(args: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    scope = load_scope(settings.scope_file)
    days = scope.retention.answers_days
    deleted = delete_older(engine, datetime.now(UTC) - timedelta(days=days)) if days else 0
    cleared = 0
    if args.answers:
        open_releases = {
            name: open_active(collection_folder(settings.data_dir, name)) for name in scope.collections
        }
        cleared = clear_quoting(engine, Spill(settings.data_dir / SPILL), partial(_stands, open_releases))
    compact(engine)
    print(f"{deleted} answers are deleted, {cleared} are cleared of what they quoted")


def _stands(open_releases: Mapping[str, Release], collection: str, chunk_id: str) -> bool:
    release = open_releases.get(collection)
    return release is not None and release.documents.chunk(chunk_id) is not None


if __name__ == "__main__":
    sys.exit(main())
