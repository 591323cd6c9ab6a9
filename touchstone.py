"""The command `touchstone`: the commands of every package, from any folder.

The packages run from the checkout and are not installed: their names are too general for a shared Python.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent
_PACKAGES = ("ingestion", "service", "evals", "finetune")
_HELP = f"""usage: touchstone COMMAND ...

  touchstone serve                start the gateway; keys, experiments, feedback, db, export and purge stand beside it
  touchstone ingestion COMMAND    bring documents in: run, watch, releases, rollback, quarantine, remove and others
  touchstone evals COMMAND        measure quality and speed
  touchstone finetune COMMAND     adapters of your own

Each tells its options with --help. The scope file is touchstone.yaml of the current folder, else that of
{_CHECKOUT}; the data are in `var` beside it. TOUCHSTONE_SCOPE_FILE and TOUCHSTONE_DATA_DIR name others.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command of a package; one that names no package is the gateway's."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_HELP)
        return 0 if words else 2
    package = words.pop(0) if words[0] in _PACKAGES else "service"
    _show_packages()
    status: int = import_module(f"{package}.__main__").main(words)
    return status


def _show_packages() -> None:
    """Let this process and those that it starts import the packages."""
    folder = str(_CHECKOUT)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    others = os.environ.get("PYTHONPATH")  # noqa: TID251
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, others]))  # noqa: TID251


if __name__ == "__main__":
    sys.exit(main())
