"""Writes the lexicon of the name model: names, words that are names as well, ordinary words."""

from collections.abc import Iterator
from pathlib import Path

from ingestion.scrub.names.lexicon import FILE, WORD


def write_lexicon(folder: Path, names: Iterator[str], common: Iterator[str]) -> None:
    """Write the three lists, in small letters and sorted."""
    known = {part for name in names for part in WORD.findall(name.casefold()) if len(part) > 1}
    ordinary = {word for text in common for word in WORD.findall(text) if word.islower()}
    lists = (known - ordinary, known & ordinary, ordinary - known)
    (folder / FILE).write_text("\n\n".join("\n".join(sorted(one)) for one in lists), "utf-8")
