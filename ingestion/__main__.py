"""Commands of ingestion: run, releases, activate, rollback, verify, report."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ingestion.collection import CollectionConfig, read_collections
from ingestion.embed import load_embedder
from ingestion.errors import IngestionError, ScopeError, SourceError
from ingestion.pipeline import RunReport, run
from ingestion.release import activate, active_id, collection_folder, releases, roll_back, verify
from ingestion.settings import CorpusSettings


class Bars:
    """Progress bars with rate and time left, on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None  # tqdm is generic in what it iterates over; this one counts

    def begin(self, stage: str, total: int, unit: str) -> None:
        """Close the last bar and open one."""
        self.close()
        self._bar = tqdm(total=total, desc=f"{stage:>6}", unit=f" {unit}", disable=total == 0)

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(count)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="python -m ingestion", description=__doc__)
    main_parser.add_argument("--scope", type=Path, help="the scope file (default touchstone.yaml)")
    main_parser.add_argument("--collection", help="needed when the scope declares several")
    commands = main_parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="bring the index in step with the sources")
    run_parser.add_argument("places", nargs="*", type=Path, help="default: the scope's sources")
    commands.add_parser("releases", help="list releases")
    commands.add_parser("activate", help="make a release the active one").add_argument("release")
    commands.add_parser("rollback", help="activate the release before the active one")
    commands.add_parser("verify", help="check every file of every release")
    commands.add_parser("report", help="show what a run did").add_argument("run")
    for command in commands.choices.values():
        command.add_argument("--scope", type=Path, default=argparse.SUPPRESS)
        command.add_argument("--collection", default=argparse.SUPPRESS)
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return main_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 for an error that a person can mend."""
    args = parser().parse_args(argv)
    settings = CorpusSettings()
    try:
        return _dispatch(args, settings)
    except IngestionError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1


def _dispatch(args: argparse.Namespace, settings: CorpusSettings) -> int:
    scope = args.scope or settings.scope_file
    name, config = _pick(read_collections(scope), args.collection)
    folder = collection_folder(settings.data_dir, name)
    if args.command == "run":
        return _run(args, settings, name, config, scope)
    if args.command == "releases":
        current = active_id(folder)
        rows = [{**asdict(m), "active": m.id == current} for m in releases(folder)]
        return _show(args, rows, [_line(row) for row in rows])
    if args.command == "verify":
        found = {m.id: verify(folder / "releases" / m.id) for m in releases(folder)}
        lines = [f"{key}  {'damaged: ' + ', '.join(bad) if bad else 'ok'}" for key, bad in found.items()]
        _show(args, found, lines)
        return 1 if any(found.values()) else 0
    if args.command == "report":
        return _report(args, folder)
    manifest = activate(folder, args.release) if args.command == "activate" else roll_back(folder)
    return _show(args, asdict(manifest), [f"{manifest.id} is active"])


def _pick(collections: dict[str, CollectionConfig], name: str | None) -> tuple[str, CollectionConfig]:
    if name is None and len(collections) == 1:
        return next(iter(collections.items()))
    if name not in collections:
        raise ScopeError(f"No collection {name!r}. Name one with --collection: {list(collections)}.")
    return str(name), collections[str(name)]


def _run(
    args: argparse.Namespace,
    settings: CorpusSettings,
    name: str,
    config: CollectionConfig,
    scope: Path,
) -> int:
    places = args.places or [scope.parent / source for source in config.sources]
    if not places:
        raise SourceError(f"Nothing to ingest: give a path, or `sources` of {name!r} in the scope.")
    embedder = load_embedder(config.embedder, threads=settings.embed_threads)
    bars = Bars()
    try:
        report = run(
            places,
            collection=name,
            config=config,
            embedder=embedder,
            data_dir=settings.data_dir,
            progress=bars,
        )
    finally:
        bars.close()
    return _show(args, asdict(report), _summary(report))


def _summary(report: RunReport) -> list[str]:
    state = "is active" if report.changed else "is up to date"
    lines = [
        f"{report.collection}: release {report.release_id} {state}: {report.documents} documents, "
        f"{report.chunks} chunks, {report.embedded_chunks} embedded, {report.took_s:.1f} s"
    ]
    if report.pii:
        lines.append("masked: " + ", ".join(f"{k} {n}" for k, n in report.pii.items()))
    lines += [f"failed: {name}: {reason}" for name, reason in report.failures.items()]
    return lines


def _report(args: argparse.Namespace, folder: Path) -> int:
    path = folder / "runs" / f"{Path(args.run).name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in (folder / "runs").glob("*.json"))[-5:]
        raise SourceError(f"No run {args.run!r}. The latest are {known}.")
    report = RunReport(**json.loads(path.read_text("utf-8")))
    return _show(args, asdict(report), _summary(report))


def _line(row: dict[str, object]) -> str:
    mark = "*" if row["active"] else " "
    return f"{mark} {row['id']}  {row['documents']} documents  {row['chunks']} chunks"


def _show(args: argparse.Namespace, value: object, lines: Sequence[str]) -> int:
    print(json.dumps(value) if args.json else "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
