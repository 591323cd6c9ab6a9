"""Every pattern of a module: those that it holds, within whatever it holds them, and those that are written in its functions."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import ModuleType

_CALLS = frozenset("compile search match fullmatch split findall finditer sub subn".split())


def patterns_in(name: str) -> list[re.Pattern[str]]:
    """The patterns over text of a module, each once."""
    module = importlib.import_module(name)
    found = [*_held(module), *_written(module)]
    return list(dict.fromkeys(pattern for pattern in found if isinstance(pattern.pattern, str)))


def _held(module: ModuleType) -> Iterator[re.Pattern[str]]:
    for value in vars(module).values():
        if getattr(value, "__module__", module.__name__) == module.__name__ or isinstance(value, re.Pattern):
            yield from _within(value)


def _within(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _within(one)
    elif isinstance(value, (tuple, list, set, frozenset)):
        for one in value:
            yield from _within(one)
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from _within(getattr(value, one.name))


def _written(module: ModuleType) -> Iterator[re.Pattern[str]]:
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        first = node.args[0]
        is_of_re = getattr(node.func.value, "id", "") == "re" and node.func.attr in _CALLS
        if is_of_re and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield re.compile(first.value)
