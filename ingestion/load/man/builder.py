"""What a man page's macros build: paragraphs, terms, items and code, each under as many terms as explain it."""

import re
from dataclasses import dataclass, field

from ingestion.corpus import Block, BlockKind

_SPACES = re.compile(r"\s+")
_BULLETS = ("•", "*", "-", "o", "+", "·", "–", "—", "◦", "○", "□")
_NUMBER = re.compile(r"\(?(?:\d{1,3}|[a-z])[.)]")


@dataclass(slots=True)
class Builder:
    """Blocks so far, and what is being gathered. `depth` counts the terms around, `kind` is what the next text becomes."""

    blocks: list[Block] = field(default_factory=list)
    depth: int = 0
    kind: BlockKind = "paragraph"
    is_code: bool = False
    level: int = 2
    _parts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Words of the running text, or a line of code."""
        if self.is_code or text.strip():
            self._parts.append(text if self.is_code else text.strip())

    def end(self) -> None:
        """End the paragraph, the term, the item or the code that is being gathered."""
        text = "\n".join(self._parts) if self.is_code else _SPACES.sub(" ", " ".join(self._parts)).strip()
        self._parts = []
        if text.strip():
            kind: BlockKind = "code" if self.is_code else self.kind
            level = self.level if kind == "heading" else 0
            self.blocks.append(Block(kind, text, level=level, depth=0 if level else self.depth))
            self.kind = "paragraph"

    def begin(self, kind: BlockKind) -> None:
        """End what there is; what comes next is of this kind."""
        self.end()
        self.kind = kind

    def heading(self, text: str, level: int) -> None:
        """A heading; what is below it stands under no term. Without a text the next line is its text."""
        self.end()
        self.is_code, self.depth, self.level = False, 0, level
        self.kind = "heading"
        if text.strip():
            self.add(text)
            self.end()

    def code(self, is_on: bool) -> None:
        """Lines are kept as they are from here on, or no more."""
        self.end()
        self.is_code = is_on

    def term(self, text: str) -> None:
        """A term at today's depth; several in a row are one. A mark or a number makes what follows an item instead."""
        self.end()
        self.is_code = False
        name = _SPACES.sub(" ", text).strip()
        last = self.blocks[-1] if self.blocks else None
        if name in _BULLETS or _NUMBER.fullmatch(name):
            self.kind = "item"
        elif name and last and last.kind == "term" and last.depth == self.depth:
            self.blocks[-1] = Block("term", f"{last.text.rstrip(',')}, {name}", depth=self.depth)
        elif name:
            self.blocks.append(Block("term", name, depth=self.depth))

    @property
    def is_below_term(self) -> bool:
        """Whether the last block is a term at today's depth, which waits for its explanation."""
        return bool(self.blocks) and self.blocks[-1].kind == "term" and self.blocks[-1].depth == self.depth
