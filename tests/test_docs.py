"""What README and docs/ say holds: links, paths, commands, figures, and the generated page of the scope file."""

import argparse
import ast
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
import yaml

import evals.__main__
import ingestion.__main__
import service.__main__
from evals.scope_page import SECTIONS, Section, render
from service.scope import Scope
from service.scope.policy import policy_of
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PARSERS = {
    "ingestion": ingestion.__main__.parser,
    "service": service.__main__.parser,
    "evals": evals.__main__.parser,
}
PACKAGES = (*PARSERS, "finetune")
TOP = {path.name for path in ROOT.iterdir()}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_@]+)+")
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def code_spans(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


# The pages


def test_the_readme_is_short_but_for_its_tree() -> None:
    before, _, after = (ROOT / "README.md").read_text("utf-8").partition("<!-- tree -->\n```\n")
    assert len((before + after.partition("```\n")[2]).splitlines()) <= 130


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/[\w.-]+\.md)", prose(ROOT / "README.md")))
    assert linked == {f"docs/{page.name}" for page in PAGES if page.parent.name == "docs"}


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives to a page's headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        found.add(re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-"))
    return found


@by_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), target
        assert not fragment or fragment in anchors(there), target


def is_path(span: str) -> bool:
    """Whether a code span names a file or folder of the repository."""
    return re.fullmatch(r"[\w.*/-]+", span) is not None and span.split("/")[0] in TOP and span not in PACKAGES


@by_page
def test_every_named_path_exists(page: Path) -> None:
    missing = [span for span in code_spans(page) if is_path(span) and not any(ROOT.glob(span.rstrip("/")))]
    assert missing == []


@by_page
def test_every_named_module_exists(page: Path) -> None:
    for span in code_spans(page):
        if re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", span):
            path = ROOT / span.replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").is_file() or is_known(span), span


# Commands


def commands(page: Path) -> Iterator[list[str]]:
    """Every command of the project that a page shows: a line of a shell block, or a code span."""
    blocks = [body for language, body in FENCE.findall(page.read_text("utf-8")) if language == "sh"]
    lines = [line for body in blocks for line in body.splitlines()]
    for line in [*lines, *code_spans(page)]:
        if found := re.match(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?((?:touchstone|python -m|make) .+)", line):
            words = shlex.split(found[1], comments=True)
            yield _module_of(words) if words[0] == "touchstone" else words


def _module_of(words: list[str]) -> list[str]:
    """What `touchstone` runs: a package's module, of which the gateway's needs no name."""
    rest = words[1:]
    module = rest.pop(0) if rest and rest[0] in PACKAGES else "service"
    return ["python", "-m", module, *rest]


def options_of(module: str) -> set[str]:
    """Options and commands that a module's own parser knows, read from its code."""
    path = ROOT / module.replace(".", "/")
    source = (path / "__main__.py") if path.is_dir() else path.with_suffix(".py")
    calls = [node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [c for c in calls if getattr(c.func, "attr", "") in ("add_argument", "add_parser") and c.args]
    return {str(call.args[0].value) for call in named if isinstance(call.args[0], ast.Constant)}


def check(module: str, arguments: list[str]) -> None:
    """Parse a command without running it; packages without a command line of their own are checked by option."""
    if module in PARSERS:
        parser: argparse.ArgumentParser = PARSERS[module]()
        parser.parse_args(arguments)
        return
    known = options_of(module)
    first = [word for word in arguments[:1] if not word.startswith("-")]
    unknown = {word for word in [*first, *arguments] if word.startswith("-")} | set(first)
    assert unknown <= known, f"python -m {module}: {unknown - known}"


@by_page
def test_every_command_parses(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(page):
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, words
            continue
        try:
            if words[3:] or words[2] not in PARSERS:
                check(words[2], words[3:])
        except SystemExit:
            pytest.fail(f"{shlex.join(words)}: {capsys.readouterr().err}")


def test_commands_in_blocks_run_as_printed_in_a_fresh_shell() -> None:
    """Without an environment that somebody activated, and without the packages on Python's path."""
    programs = {"make", "curl", "printf", ".venv/bin/touchstone", ".venv/bin/python", ".venv/bin/pip"}
    for page in PAGES:
        if page.name == "figures.md":
            continue
        for language, body in FENCE.findall(page.read_text("utf-8")):
            for line in re.split(r"(?<!\\)\n", body) if language == "sh" else ():
                begins = re.match(r"(?:[A-Z_]+=\S+ )*([.\w/-]+)", line)
                is_inside = line.startswith((" ", '"', "}", "]"))
                assert not begins or is_inside or begins[1] in programs, f"{page.name}: {line}"


# Figures


Part = str | None  # of an f-string: what is written in it, or None for a value


@cache
def trees() -> list[ast.AST]:
    files = [*(ROOT / "evals/suites").glob("*.py"), *(ROOT / "evals/bench").glob("*.py")]
    files.append(ROOT / "evals/calibrate.py")
    return [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]


@cache
def constants() -> frozenset[str]:
    """Strings and whole numbers in the code of suites and benchmarks."""
    return frozenset(
        str(n.value) for n in trees() if isinstance(n, ast.Constant) and isinstance(n.value, str | int)
    )


@cache
def patterns() -> list[list[Part]]:
    """The f-strings in that code."""
    joined = [node for node in trees() if isinstance(node, ast.JoinedStr)]
    parts = [[str(p.value) if isinstance(p, ast.Constant) else None for p in node.values] for node in joined]
    return [one for one in parts if any(one)]


@cache
def is_known(text: str) -> bool:
    """Whether the code can print a text: a constant, or an f-string whose values it can print.

    An f-string without a word of its own takes constants alone, or it would take any words with dots.
    """
    if text in constants():
        return True
    return any(
        fits(
            parts,
            text,
            is_known if any(re.search("[a-z]{3}", p or "") for p in parts) else constants().__contains__,
        )
        for parts in patterns()
    )


def fits(parts: Sequence[Part], text: str, is_value: Callable[[str], bool]) -> bool:
    if not parts:
        return not text
    first, rest = parts[0], parts[1:]
    if first is not None:
        return text.startswith(first) and fits(rest, text[len(first) :], is_value)
    ends = (end for end in range(len(text) + 1) if fits(rest, text[end:], is_value))
    return any(end == 0 or is_value(text[:end]) for end in ends)


def rows(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Rows of tables of figures: the id, and the other cells."""
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if (
            line.startswith("|")
            and (named := re.fullmatch(r"`([^`]+)`", cells[0]))
            and ID.fullmatch(named[1])
        ):
            yield named[1], cells[1:]


@cache
def figures() -> dict[str, list[str]]:
    return dict(rows(ROOT / "docs/figures.md"))


def test_every_figure_is_one_that_a_suite_or_benchmark_prints() -> None:
    assert len(figures()) >= 70
    assert [figure for figure in figures() if not is_known(figure)] == []


@pytest.mark.parametrize(
    "figure", ["demo.retrieval.recall@5", "guards.bipia.blocked_twice", "search.vs_faiss", "ingest"]
)
def test_a_figure_that_nothing_prints_would_be_found(figure: str) -> None:
    assert not is_known(figure)


@by_page
def test_no_page_gives_a_figure_that_the_page_of_figures_does_not_give(page: Path) -> None:
    for figure, (value, *_) in rows(page):
        assert figure in figures(), figure
        assert value in figures()[figure], f"{figure}: {value} is none of {figures()[figure]}"
    shown = [span for span in code_spans(page) if ID.fullmatch(span) and "." in span and is_known(span)]
    assert [figure for figure in shown if figure not in figures()] == []


# The scope file


def test_the_page_of_the_scope_file_is_the_generated_one() -> None:
    renew = "renew it: touchstone evals scope --write docs/scope.md"
    assert (ROOT / "docs/scope.md").read_text("utf-8") == render(), renew


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_every_key_of_the_scope_file_is_described(section: Section) -> None:
    missing = [name for name, field in section.model.model_fields.items() if not field.description]
    assert missing == []


def merged(one: object, other: object) -> object:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: merged(one.get(key), value) for key, value in other.items()}
    return other


def test_the_examples_of_the_scope_file_are_a_scope() -> None:
    scope: object = {}
    for section in SECTIONS:
        scope = merged(scope, yaml.safe_load(section.example))
    assert Scope.model_validate(scope).policy_of("support").input["toxicity"].action == "off"


@by_page
def test_every_example_of_a_scope_file_is_right(page: Path) -> None:
    least = yaml.safe_load((ROOT / "touchstone.yaml").read_text("utf-8"))
    for language, body in FENCE.findall(page.read_text("utf-8")):
        if language == "yaml":
            Scope.model_validate(_complete(merged(least, yaml.safe_load(body))))


_EXPERIMENT = {
    "hypothesis": "It helps.",
    "assistant": "support",
    "arms": {"a": {"variant": "baseline", "weight": 50}, "b": {"variant": "brief", "weight": 50}},
    "primary": "resolved_rate",
    "plan": {"effect": 0.05, "ends": "2026-12-24"},
}


def _complete(scope: object) -> object:
    """With what an example leaves out of assistants and experiments that it shows in part."""
    assert isinstance(scope, dict)
    for experiment in scope.get("experiments", {}).values():
        scope["variants"].setdefault("brief", {"prompt": "brief"})
        for key, value in _EXPERIMENT.items():
            experiment.setdefault(key, value)
    for assistant in scope["assistants"].values():
        assistant.setdefault("collection", "help")
        assistant.setdefault("variant", "baseline")
    return scope


def test_the_page_of_guards_names_every_guard() -> None:
    text = prose(ROOT / "docs/guards.md")
    for zone in ("input", "retrieved", "output"):
        for guard in policy_of().of(zone):
            assert re.search(rf"^\| `{zone}` \| `{guard}` \|", text, re.MULTILINE), f"{zone}.{guard}"
