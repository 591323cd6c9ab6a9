"""Inline marks of reStructuredText: what they enclose stays, links and roles leave their text."""

import re
from collections.abc import Mapping

_MARK = re.compile(
    r"""(?<![\w`])(?:
      ``(?P<literal>[^`\n]{1,500}(?:`[^`\n]{1,500}){0,5})``
    | (?::[a-zA-Z][\w:+.-]{0,60}:)?`(?P<role>[^`]{1,500})`(?::[a-zA-Z][\w:+.-]{0,60}:)?_{0,2}
    | \*\*(?P<strong>[^*\n]{1,500})\*\*
    | \*(?P<em>[^*\s][^*\n]{0,500})\*
    | \|(?P<name>[^|\s][^|\n]{0,100})\|_{0,2}
    )(?!\w)
    | (?<=[^\W_])__?(?!\w) | (?<=\])_(?!\w)
    | \\(?P<escaped>.)""",
    re.VERBOSE,
)
_TARGET = re.compile(r"\s*<([^<>]{1,500})>$")


def plain(text: str, substitutions: Mapping[str, str]) -> str:
    """The words of a text without its marks. What ends in `::` ends in one colon."""
    shown = _MARK.sub(lambda found: _shown(found, substitutions), text)
    return shown[:-1] if shown.endswith("::") else shown


def _shown(found: re.Match[str], substitutions: Mapping[str, str]) -> str:
    if found["role"] is not None:
        return _text_of(found["role"], has_role=found[0].startswith(":") or found[0].endswith(":"))
    if found["name"] is not None:
        return substitutions.get(found["name"], found["name"])
    return found["literal"] or found["strong"] or found["em"] or (found["escaped"] or "").strip()


def _text_of(said: str, *, has_role: bool) -> str:
    """`text <target>` is its text; of a name that begins with `~` the last part is shown."""
    target = _TARGET.search(said)
    if target and target.start():
        return said[: target.start()]
    if has_role and said.startswith("~"):
        return said[1:].rpartition(".")[2]
    return said.removeprefix("!") if has_role else said
