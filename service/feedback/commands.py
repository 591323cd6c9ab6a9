"""Commands on feedback: bring in a file, and set aside what looks made up. They work beside a running gateway."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from service.errors import InvalidRequestError
from service.feedback.batch import PART_ROWS, Importer, Tally, form_of, lines_of
from service.feedback.event import Event
from service.feedback.intake import Identities, Mask
from service.feedback.record import write
from service.feedback.screen.stored import clear, screen
from service.feedback.tokens import FeedbackSigner, Pseudonyms

_CALLER = "cli"
_MOST_ROWS = 1_000_000
_MOST_DAYS = 36_500


def add_parser(commands: Any) -> None:
    """Describe the commands to the command line."""
    feedback = commands.add_parser("feedback", help="bring feedback in, and set aside what looks made up")
    actions = feedback.add_subparsers(dest="action", required=True)
    bring = actions.add_parser("import", help="store the rows of a file, JSON lines or CSV, each once")
    bring.add_argument("file", type=Path)
    bring.add_argument("--dry-run", action="store_true", help="only say which rows can't be stored")
    look = actions.add_parser(
        "screen", help="mark feedback that looks made up, and clear what no longer does"
    )
    look.add_argument("--days", type=float, default=90, help="how far back to look (90)")
    look.add_argument("--clear", action="store_true", help="take every mark back instead")


def run(
    args: argparse.Namespace, engine: Engine, secret: bytes, open_mask: Callable[[], Mask]
) -> tuple[str, bool]:
    """What to print, and whether all went well. Raises `InvalidRequestError`, `OSError`."""
    if args.action == "screen":
        return _screened(args, engine), True
    identities = Identities(FeedbackSigner(secret), Pseudonyms(secret))
    importer = Importer(engine, identities, open_mask(), _CALLER, is_admin=True)
    tally = Tally()
    _import(args, importer, tally)
    verb = "could be stored" if args.dry_run else "are stored"
    lines = [f"line {one.line}: {one.reason}" for one in tally.refusals]
    lines.append(f"{tally.accepted} rows {verb}, {tally.known} known, {tally.refused} refused")
    return "\n".join(lines), tally.refused == 0


def _import(args: argparse.Namespace, importer: Importer, tally: Tally) -> None:
    form = form_of(args.file.name)
    if form is None:
        raise InvalidRequestError(f"The name of {str(args.file)!r} doesn't end with .csv or .jsonl.")
    lines = lines_of(args.file.read_bytes(), form, most=_MOST_ROWS)
    for start in range(0, len(lines), PART_ROWS):
        part = lines[start : start + PART_ROWS]
        found = [importer.event_of(entry) for entry in importer.look_up(part)]
        events = [one for one in found if isinstance(one, Event)]
        tally.count(part, found, write(importer.engine, events, is_trial=args.dry_run))


def _screened(args: argparse.Namespace, engine: Engine) -> str:
    if args.clear:
        return f"{clear(engine)} marks are taken back"
    if not 0 < args.days <= _MOST_DAYS:
        raise InvalidRequestError(f"--days is {args.days:g} and must be above 0 and at most {_MOST_DAYS}.")
    found = screen(engine, days=args.days)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found.suspect.items())) or "none"
    return f"{found.events} events: suspect are {reasons}; {found.cleared} no longer are"
