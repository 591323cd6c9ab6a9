"""Commands of evaluation: run suites, fit the abstention judge, run benchmarks, write the page of the scope file."""

import argparse
import importlib
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from evals.calibrate import calibrate
from evals.corpora import MissingDataError
from evals.metrics import Figure
from evals.pictures import take
from evals.scope_page import render
from evals.suites import (
    abstention,
    adapter,
    answers,
    conversations,
    gaps,
    generated,
    grounding,
    guards,
    marking,
    pii,
    poisoning,
    retrieval,
)
from evals.suites.context import Context
from ingestion.atomic import write_atomically
from ingestion.embed import load_embedder
from ingestion.errors import IngestionError
from ingestion.settings import load_settings
from service.answer.prompts import prompt_names
from service.errors import TouchstoneError
from service.scope import Scope, load_scope
from service.settings import Settings
from service.start import reason_of, say

SUITES = {
    "retrieval": retrieval,
    "answers": answers,
    "abstention": abstention,
    "pii": pii,
    "guards": guards,
    "grounding": grounding,
    "poisoning": poisoning,
    "marking": marking,
    "conversations": conversations,
    "generated": generated,
    "gaps": gaps,
    "adapter": adapter,
}
BENCHMARKS = (
    "embed",
    "experiments_scale",
    "feedback",
    "finetune",
    "gateway",
    "guards",
    "ingest",
    "journal",
    "liveness",
    "search",
    "statistics",
    "upsert",
)
# A file `statistics.py` would hide Python's own from the peers, which are run from that folder.
_FILES = {"statistics": "experiment_statistics"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="touchstone evals", description=__doc__)
    commands = main_parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure quality")
    run.add_argument("suites", nargs="+", choices=sorted(SUITES))
    run.add_argument("--sample", type=int, help="measure on so many texts of each set, evenly spread")
    run.add_argument(
        "--model",
        help="base URL of an OpenAI-compatible server, for `marking`; its key is TOUCHSTONE_GENERATOR_API_KEY",
    )
    run.add_argument(
        "--generator",
        help="a generator of the scope file, or its base URL: `answers` and `abstention` measure it beside the documents,"
        " `adapter` asks it directly",
    )
    run.add_argument(
        "--prompt", choices=prompt_names(), help="with --generator: another prompt than the variant's"
    )
    run.add_argument(
        "--adapter",
        metavar="NAME",
        help="for `adapter`: the model to ask for; without one, the server's first",
    )
    run.add_argument("--cases", type=Path, help="for `adapter`: other cases on the assistant's documents")
    run.add_argument(
        "--report", type=Path, metavar="FILE", help="for `adapter`: write what came of each case"
    )
    fit = commands.add_parser("calibrate", help="fit the abstention judge to the scope's embedder")
    fit.add_argument(
        "--out", type=Path, help="folder of the artefact, instead of the one that the service reads"
    )
    bench = commands.add_parser("bench", help="measure speed beside a peer")
    bench.add_argument("name", choices=BENCHMARKS)
    bench.add_argument("--quick", action="store_true", help="one short round, for a smoke test")
    page = commands.add_parser("scope", help="print the page of the scope file's keys")
    page.add_argument("--write", type=Path, metavar="FILE", help="write it into this file instead")
    shots = commands.add_parser("pictures", help="take the docs' pictures of the console")
    shots.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder to write into")
    for command in (run, fit):
        command.add_argument(
            "--embedder", help="another one than the first collection's, such as `multilingual`"
        )
    for command in (run, fit, bench):
        command.add_argument("--data", type=Path, help="folder with the public sets")
        command.add_argument("--json", action="store_true", help="end with one JSON object")
    return main_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 for an error that a person can mend."""
    args = parser().parse_args(argv)
    started = time.perf_counter()
    try:
        if args.command == "scope":
            return _scope(args.write)
        if args.command == "pictures":
            print("\n".join(str(path) for path in take(args.out)))
            return 0
        figures = {"run": _run, "calibrate": _calibrate, "bench": _bench}[args.command](args)
    except (IngestionError, TouchstoneError, OSError) as exc:
        say(str(reason_of(exc)))
        return 1
    except (MissingDataError, RuntimeError) as exc:
        say(str(exc))
        return 1
    for name, figure in figures.items():
        print(_line(name, figure))
    if args.json:
        print(json.dumps(_report(figures, time.perf_counter() - started)))
    return 0


def _scope(file: Path | None) -> int:
    if file is None:
        print(render(), end="")
    else:
        write_atomically(file, render())
    return 0


def _context(args: argparse.Namespace) -> Context:
    settings = load_settings(Settings)
    scope = _with_embedder(load_scope(settings.scope_file), args.embedder)
    first = next(iter(scope.collections.values()))
    return Context(
        scope=scope,
        base=settings.scope_file.parent,
        embedder=load_embedder(first.embedder, threads=settings.embed_threads),
        data_dir=settings.data_dir,
        data=args.data,
        sample=getattr(args, "sample", None),
        model=getattr(args, "model", None),
        generator=getattr(args, "generator", None),
        prompt=getattr(args, "prompt", None),
        adapter=getattr(args, "adapter", None),
        cases=getattr(args, "cases", None),
        report=getattr(args, "report", None),
        model_key=settings.generator_api_key.get_secret_value() if settings.generator_api_key else None,
    )


def _with_embedder(scope: Scope, embedder: str | None) -> Scope:
    """The scope with another embedder of its first collection."""
    if embedder is None:
        return scope
    name, first = next(iter(scope.collections.items()))
    collections = {**scope.collections, name: first.model_copy(update={"embedder": embedder})}
    return scope.model_copy(update={"collections": collections})


def _calibrate(args: argparse.Namespace) -> dict[str, Figure]:
    return calibrate(_context(args), args.out)


def _run(args: argparse.Namespace) -> dict[str, Figure]:
    if args.prompt and not args.generator:
        raise RuntimeError("--prompt is for a generator: name one with --generator NAME or URL")
    context = _context(args)
    figures: dict[str, Figure] = {}
    for name in args.suites:
        figures |= SUITES[name].measure(context)
    return figures


def _bench(args: argparse.Namespace) -> dict[str, Figure]:
    # Each benchmark needs packages that the others don't.
    module = importlib.import_module(f"evals.bench.{_FILES.get(args.name, args.name)}")
    figures: dict[str, Figure] = module.measure(data=args.data, is_quick=args.quick)
    return figures


def _line(name: str, figure: Figure) -> str:
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"  [{figure.low:.4f}, {figure.high:.4f}]"
    size = f"  n={figure.n}" if figure.n is not None else ""
    return f"{name:44} {figure.value:10.4f}{interval}{size}"


def _report(figures: dict[str, Figure], took_s: float) -> dict[str, object]:
    names = ("faiss-cpu", "tantivy", "openvino", "presidio-analyzer", "fastapi", "uvicorn")
    versions = {"python": platform.python_version(), **{name: version(name) for name in names}}
    metrics = {
        name: {key: value for key, value in asdict(figure).items() if value is not None}
        for name, figure in figures.items()
    }
    return {"metrics": metrics, "versions": versions, "took_s": round(took_s, 1)}


if __name__ == "__main__":
    sys.exit(main())
