"""The command `export`: tables into files, or one of them to the standard output."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine

from service.errors import InvalidRequestError
from service.experiments.columns import FILE_FORMATS
from service.experiments.export import (
    DECLARATIONS,
    TABLES,
    Extent,
    export,
    export_declarations,
    extent_of,
    new_file,
)
from service.scope import Scope

_DECLARATIONS, _ALL = "experiments", "all"
KINDS = (*TABLES, _DECLARATIONS, _ALL)
_Write = Callable[[IO[bytes]], int]


def add_options(command: argparse.ArgumentParser) -> None:
    """Describe the options to the command line."""
    command.add_argument(
        "--experiment", metavar="NAME", help="only what the report on this experiment counts"
    )
    command.add_argument(
        "--format", choices=FILE_FORMATS, default="csv", help="experiments are always JSON lines"
    )
    command.add_argument("--out", type=Path, help="file to write; of `all`, the folder")
    command.add_argument(
        "--with-text", action="store_true", help="also what people asked, were answered, and wrote about it"
    )


def run(args: argparse.Namespace, scope: Scope, engine: Engine) -> str:
    """Do it; what is to be said of it. Raises `InvalidRequestError`, `NotFoundError`."""
    extent = extent_of(engine, args.experiment, args.format, has_text=args.with_text)
    if args.what == _ALL:
        return _export_all(args.out, scope, engine, extent)
    write = _writer(args.what, scope, engine, extent)
    if args.out is None:
        return f"{write(sys.stdout.buffer):,} rows of {args.what}"
    with new_file(args.out) as file:
        return f"{write(file):,} rows of {args.what} in {args.out}"


def _export_all(folder: Path | None, scope: Scope, engine: Engine, extent: Extent) -> str:
    if folder is None:
        raise InvalidRequestError("`export all` writes four files. Name a folder: --out FOLDER.", param="out")
    said = []
    for what in (*TABLES, _DECLARATIONS):
        path = folder / (DECLARATIONS if what == _DECLARATIONS else f"{what}.{extent.form}")
        with new_file(path) as file:
            said.append(f"{_writer(what, scope, engine, extent)(file):,} rows in {path}")
    return "\n".join(said)


def _writer(what: Any, scope: Scope, engine: Engine, extent: Extent) -> _Write:
    if what == _DECLARATIONS:
        return partial(export_declarations, engine, scope.all_metrics, extent)
    return partial(export, engine, what, extent)
