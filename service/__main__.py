"""Commands of the gateway: serve, keys, experiments, feedback, db, export, purge."""

import argparse
import json
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path

import uvicorn
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ingestion.atomic import keep_private
from ingestion.errors import IngestionError
from ingestion.releases.release import Release, collection_folder, open_active
from ingestion.settings import load_settings
from service.answer.erasure import clear_quoting, compact, delete_older
from service.answer.spill import SPILL, Spill
from service.auth import SCOPES, create_key, list_keys, revoke_key
from service.database import AWAY, migrate, open_database
from service.errors import TouchstoneError
from service.experiments import commands as experiment_commands
from service.experiments import export_command
from service.feedback import commands as feedback_commands
from service.feedback.gaps.decisions import cases_of
from service.feedback.tokens import secret_of
from service.listen import serve
from service.middleware import is_loopback
from service.opening.masks import open_mask
from service.patience import CLOSING_S, TimedProtocol
from service.scope import load_scope
from service.settings import Settings
from service.start import reason_of, say

_HIDDEN = "not shown"
_WORKER = "service.app:worker"
# A worker answers nobody while it imports, which takes seconds on a busy machine; it would be replaced for that.
_HEALTHCHECK_S = 30


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="touchstone", description=__doc__)
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
    experiment_commands.add_parser(commands)
    feedback_commands.add_parser(commands)
    db = commands.add_parser("db", help="the database").add_subparsers(dest="action", required=True)
    db.add_parser("upgrade", help="bring the schema to the newest version")
    export = commands.add_parser("export", help="tables as files, or what was learned as JSON lines")
    export.add_argument(
        "what", choices=(*export_command.KINDS, "cases"), help="`cases` are those of accepted gaps"
    )
    export_command.add_options(export)
    purge = commands.add_parser("purge", help="delete answers that are older than the scope's `retention`")
    purge.add_argument(
        "--answers", action="store_true", help="and clear those that quote what the documents no longer say"
    )
    return main_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 for an error that a person can mend."""
    args = parser().parse_args(argv)
    given = {name: getattr(args, name, None) for name in ("host", "port", "workers")}
    try:
        if getattr(args, "action", None) == "recompute":
            # From files alone, on any machine.
            print(experiment_commands.run_recompute(args))
            return 0
        settings = load_settings(Settings, **{k: v for k, v in given.items() if v is not None})
        if settings.is_elsewhere and args.command != "serve":
            print(settings.used, file=sys.stderr)
        _check_data_dir(settings)
        keep_private(settings.data_dir)
        if args.command == "serve":
            return _serve(settings)
        engine = _migrated(settings)
        if args.command == "keys":
            _keys(args, settings)
        if args.command == "purge":
            _purge(args, settings, engine)
        if args.command == "export":
            _export(args, settings, engine)
        if args.command == "experiments":
            print(experiment_commands.run(args, load_scope(settings.scope_file), engine))
        if args.command == "feedback" and not _feedback(args, settings, engine):
            return 1
        engine.dispose()
        return 0
    except (IngestionError, TouchstoneError, OSError, *AWAY) as exc:
        say(str(reason_of(exc)))
        return 1


def _serve(settings: Settings) -> int:
    # A wrong scope and a wrong secret are reported here, not by every worker.
    load_scope(settings.scope_file)
    _secret(settings)
    engine = _migrated(settings)
    if not is_loopback(settings.host) and not list_keys(engine):
        raise TouchstoneError(
            f"Refusing to listen on {settings.host!r} without API keys. Create one first: "
            "touchstone keys create NAME --scopes answer,search,feedback."
        )
    engine.dispose()
    _check_address(settings)
    if settings.workers > 1:
        _share_metrics()
    print(f"Touchstone starts: {settings.used}", file=sys.stderr, flush=True)
    return serve(_server_config(settings), partial(_tell, settings.host))


def _server_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        _WORKER,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="service.accept:SharingLoop" if settings.workers > 1 else "uvloop",
        http=partial(TimedProtocol, head_s=settings.body_timeout_s),  # type: ignore[arg-type]
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=ceil(settings.stop_grace_s) + CLOSING_S,
        timeout_worker_healthcheck=_HEALTHCHECK_S,
    )


def _tell(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"Touchstone serves on http://{shown}:{port}", file=sys.stderr, flush=True)


def _secret(settings: Settings) -> bytes:
    given = settings.secret_key
    return secret_of(given.get_secret_value() if given else None, settings.data_dir)


def _migrated(settings: Settings) -> Engine:
    """The database with the newest schema. Raises `TouchstoneError`, which never shows a password."""
    try:
        engine = open_database(settings.database())
        migrate(engine)
    except (SQLAlchemyError, ImportError, OSError, ValueError) as exc:
        shown = _shown_url(settings.database())
        reason = str(getattr(exc, "orig", None) or exc).splitlines()[0]
        secret = settings.database_url.get_secret_value() if settings.database_url else ""
        if shown == _HIDDEN or (secret and secret in reason):
            reason = "it is no SQLAlchemy URL such as postgresql://user:password@host/name"
        is_file = shown.startswith("sqlite")
        remedy = "Check its disk's space and rights" if is_file else "Name one that answers"
        raise TouchstoneError(
            f"TOUCHSTONE_DATABASE_URL is {shown}: the database can't be used: {reason}. {remedy}."
        ) from exc
    return engine


def _shown_url(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return _HIDDEN


def _check_data_dir(settings: Settings) -> None:
    """Raise `TouchstoneError` when nothing can be written there."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            pass
    except OSError as exc:
        raise TouchstoneError(
            f"TOUCHSTONE_DATA_DIR is {str(settings.data_dir)!r}, where nothing can be written: {exc.strerror}."
            " Name a folder that this user may write to."
        ) from exc


def _check_address(settings: Settings) -> None:
    """Raise `TouchstoneError` when nothing can listen there."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise TouchstoneError(
            f"Can't listen on TOUCHSTONE_HOST {settings.host!r}, TOUCHSTONE_PORT {settings.port}: {reason}. Choose others."
        ) from exc


def _share_metrics() -> None:
    """Prometheus' client reads this variable when it is first imported, in each worker.

    Where it was set from outside, this process has made gauges of its own by now. It serves nobody, so they go.
    """
    import os

    variable = "PROMETHEUS_MULTIPROC_DIR"
    if variable not in os.environ:  # noqa: TID251
        os.environ[variable] = tempfile.mkdtemp(prefix="touchstone-metrics-")  # noqa: TID251
    for path in Path(os.environ[variable]).glob(f"gauge_*_{os.getpid()}.db"):  # noqa: TID251
        path.unlink()


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


def _export(args: argparse.Namespace, settings: Settings, engine: Engine) -> None:
    if args.what == "cases":
        for case in cases_of(engine):
            print(json.dumps(case, ensure_ascii=False))
    else:
        print(export_command.run(args, load_scope(settings.scope_file), engine), file=sys.stderr)


def _feedback(args: argparse.Namespace, settings: Settings, engine: Engine) -> bool:
    """Whether all went well."""
    secret = _secret(settings)
    mask = partial(open_mask, load_scope(settings.scope_file), settings, secret)
    told, is_well = feedback_commands.run(args, engine, secret, mask)
    print(told)
    return is_well


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
