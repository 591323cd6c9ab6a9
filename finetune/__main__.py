"""Commands of fine-tuning: from documents and feedback to an adapter that earned its place."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from finetune.lora.commands import CommandStoppedError, run
from finetune.yaml_file import TrainingDataError
from ingestion.atomic import keep_private
from ingestion.errors import IngestionError
from ingestion.settings import load_settings
from service.database import AWAY
from service.errors import TouchstoneError
from service.settings import Settings
from service.start import reason_of, say

_STOPPED = 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(prog="touchstone finetune", description=__doc__)
    commands = main_parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="make the rows of a recipe")
    commands.add_parser("train", help="train its adapter")
    merge = commands.add_parser("merge", help="base and adapter as one model, for servers without LoRA")
    prove = commands.add_parser("prove", help="measure it beside the base model, and judge")
    publish = commands.add_parser(
        "publish", help="let the server load it, as the variant of a canary experiment"
    )
    back = commands.add_parser("rollback", help="let the variant before it answer again")
    cycle = commands.add_parser(
        "cycle", help="all of these, one after the other; a cycle that was killed goes on"
    )
    commands.add_parser("adapters", help="list adapters, or those that learned from something")
    commands.add_parser("base", help="digest and licence of the base model")
    tokens = commands.add_parser("tokens", help="how the base model's tokenizer fits the documents")
    search = commands.add_parser("search", help="look for a better recipe")
    for command in commands.choices.values():
        command.add_argument(
            "recipe", type=Path, help="file of the recipe, e.g. finetune/lora/recipes/demo.yaml"
        )
    commands.choices["adapters"].add_argument(
        "--source", metavar="ID", help="a document, a curated answer, or a feedback event"
    )
    merge.add_argument("--out", type=Path, help="folder, instead of the one beside the adapters")
    for command in (publish, cycle):
        command.add_argument(
            "--apply", action="store_true", help="write variant and experiment into the scope file"
        )
    for command in (publish, back, cycle):
        command.add_argument("--by", metavar="NAME", help="who answers for it")
        command.add_argument("--reason", metavar="WHY", help="with --by")
    back.add_argument("--adapter", metavar="NAME", required=True, help="such as demo@0123456789ab")
    cycle.add_argument("--quick", action="store_true", help="a rehearsal on a few rows, which proves nothing")
    _add_tokens(tokens)
    _add_search(search)
    _add_choose(
        commands.add_parser("choose", help="measure candidate models, weigh them, and write that down")
    )
    for command in (prove, tokens):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return main_parser


def _add_tokens(tokens: argparse.ArgumentParser) -> None:
    tokens.add_argument(
        "--terms", type=_positive, default=20, help="so many of the most frequent split words"
    )
    tokens.add_argument(
        "--add", nargs="+", metavar="TERM", default=[], help="terms of a new base (default: those)"
    )
    tokens.add_argument("--out", type=Path, help="write a base that has the terms as tokens into this folder")
    tokens.add_argument(
        "--steps", type=int, default=0, help="train the new embeddings alone for so many steps"
    )


def _add_search(search: argparse.ArgumentParser) -> None:
    search.add_argument("--metric", choices=("loss", "exact"), default="exact", help="what decides")
    search.add_argument("--trials", type=_positive, default=20, help="so many at most (default 20)")
    cost = search.add_mutually_exclusive_group(required=True)
    cost.add_argument("--seconds", type=float, help="what all trials may take")
    cost.add_argument("--tokens", type=float, help="how many tokens all trials may read")
    search.add_argument("--a-trial", type=float, help="the same for each trial alone")
    search.add_argument("--space", type=Path, help="file of what is tried, instead of the usual")
    search.add_argument("--out", type=Path, help="file for the best recipe")


def _add_choose(choose: argparse.ArgumentParser) -> None:
    choose.add_argument("file", type=Path, help="candidates, weights and limits")
    choose.add_argument("--data", type=Path, help="folder with the public sets, to be measured on too")
    choose.add_argument("--sample", type=_positive, help="measure on so many cases of each set")
    choose.add_argument("--out", type=Path, help="folder for the decision")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 for an error that a person can mend, 130 when it was told to stop."""
    args = parser().parse_args(argv)
    try:
        settings = load_settings(Settings)
        keep_private(settings.data_dir)
        print(run(args, settings))
        return 0
    except CommandStoppedError as exc:
        say(str(exc))
        return _STOPPED
    except TrainingDataError as exc:
        say(" ".join(str(exc).split()))
        return 1
    except (IngestionError, TouchstoneError, OSError, *AWAY) as exc:
        say(str(reason_of(exc)))
        return 1


if __name__ == "__main__":
    sys.exit(main())
