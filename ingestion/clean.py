"""Unicode and white space: what a reader saw becomes text that can be compared and cited."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from ingestion.corpus import Block

# Soft hyphen, zero-width and bidi characters, variation selectors, BOM, and the tag block,
# which can carry invisible text. Zero-width joiners stay out of scope of the demo's languages.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[^\S\n]+")


def clean_text(text: str) -> str:
    """NFC text without invisible or control characters and with plain spaces. Idempotent."""
    text = unicodedata.normalize("NFC", text)
    text = _CONTROL.sub(" ", _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


def clean_block(block: Block) -> Block:
    """The block with clean text; code keeps its indentation and only loses invisible characters."""
    if block.kind == "code":
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", block.text)).strip("\n")
        return replace(block, text=text)
    text = clean_text(block.text)
    if block.kind in ("paragraph", "heading"):
        text = text.replace("\n", " ")
    return replace(block, text=text)


def clean_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Clean every block and drop those in which nothing is left."""
    return tuple(b for b in map(clean_block, blocks) if b.text.strip())
