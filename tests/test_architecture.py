"""How the files stand to each other: no cycle between any two, and the README's tree names every one."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = ("ingestion", "service", "finetune", "evals")


def modules() -> dict[str, Path]:
    """Every module of the four packages by its dotted name; a package's `__init__` by the package's."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """What a file imports, wherever in it: at the top, within functions, or by `importlib` with a written name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            (name,) = node.args
            first = name.values[0] if isinstance(name, ast.JoinedStr) else name
            if isinstance(first, ast.Constant):
                yield str(first.value) + ("*" if isinstance(name, ast.JoinedStr) else "")


def graph() -> dict[str, set[str]]:
    known = modules()
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        wanted = set(imported(ast.parse(path.read_text("utf-8"))))
        prefixes = tuple(one[:-1] for one in wanted if one.endswith("*"))
        families = {one for one in known if prefixes and one.startswith(prefixes)}
        found[name] = (wanted & known.keys() | families) - {name}
    return found


def test_no_file_imports_itself_by_a_detour() -> None:
    try:
        tuple(TopologicalSorter(graph()).static_order())
    except CycleError as exc:
        raise AssertionError(f"a cycle: {' → '.join(exc.args[1])}") from None


def test_a_cycle_would_be_found_within_functions_and_through_importlib() -> None:
    hidden = "def f():\n    import a.b\n    importlib.import_module('c.d')\n    importlib.import_module(f'e.{f}')\n"
    assert set(imported(ast.parse(hidden))) == {"a.b", "c.d", "e.*"}


def tree() -> dict[str, set[str]]:
    """The README's tree: the modules that it names by folder."""
    block = (ROOT / "README.md").read_text("utf-8").split("<!-- tree -->\n```\n")[1].split("```")[0]
    found: dict[str, set[str]] = {}
    stack: list[str] = []
    for line in block.splitlines():
        head = re.match(r"( *)([\w.-]+/)?(.*)", line)
        assert head is not None
        depth = len(head[1]) // 2
        if head[2]:
            stack = [*stack[:depth], head[2].rstrip("/")]
        named = re.split(r"(?:^| )· ", head[3])[0]
        names = found.setdefault("/".join(stack[:depth] if not head[2] else stack), set())
        names.update(re.findall(r"[\w]+", named))
    return found


def test_the_tree_names_every_module_and_no_other() -> None:
    real: dict[str, set[str]] = {}
    for path in modules().values():
        folder = path.parent.relative_to(ROOT).as_posix()
        real.setdefault(folder, set())
        if path.name != "__init__.py":
            real[folder].add(path.stem)
    drawn = {folder: names for folder, names in tree().items() if folder.split("/")[0] in PACKAGES}
    assert drawn == real
