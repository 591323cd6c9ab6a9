"""Unicode and white space: what a reader saw becomes text that can be compared and cited."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from ingestion.characters import whole
from ingestion.corpus import Block

# Soft hyphen, zero-width and bidi characters, variation selectors, BOM, and the tag block,
# which can carry invisible text.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# Where they may carry something: in a row, or within a word of Latin letters, which no script needs and no typesetter does.
# One behind a sign or an underscore is where a line may break.
_CARRYING = re.compile(
    rf"{INVISIBLE.pattern}{{3,}}|(?<=[A-Za-z])[\u200b-\u200f\u2060-\u206f\ufeff](?=[A-Za-z])"
)
TAGS = re.compile("[\U000e0020-\U000e007e]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[^\S\n]+")
# Characters whose compatibility form says the same: ligatures, wide and narrow forms, presentation forms,
# mathematical letters, Roman numerals. Others (a raised 2, a fraction, a circled number) would say another thing.
_COMPATIBLE = re.compile(
    "[\u0132\u0133\u017f\u2160-\u217f\uf900-\ufaff\ufb00-\ufb4f\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    "\uff01-\uffdc\U0001d400-\U0001d7ff\U0002f800-\U0002fa1f]"
)
# The first and behind the last combining mark of Unicode, and how many may stand on one character: the bound of the
# Stream-Safe Text Format (UAX #15, section 13). Sorting a longer run takes time that grows with its square.
_MARKS = range(0x300, 0x1E94B)
_MOST_MARKS = 30


@dataclass(frozen=True, slots=True)
class CleanText:
    """Clean blocks, invisible text that was carried by tag characters, and how many characters went that may carry some."""

    blocks: tuple[Block, ...]
    hidden: tuple[str, ...]
    invisible: int


def clean_text(text: str) -> str:
    """NFC text of whole characters, without invisible or control characters and with plain spaces. Idempotent."""
    text = whole(text)
    text = _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = _composed(text)
    text = _CONTROL.sub(" ", INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return _composed("\n".join(line for line in lines if line))


def _composed(text: str) -> str:
    """NFC; of marks that are stacked on one character, more than anybody writes go."""
    return text if text.isascii() else unicodedata.normalize("NFC", _stacked().sub(r"\1", text))


@cache
def _stacked() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in _MARKS if unicodedata.combining(chr(code)))
    return re.compile(f"([{marks}]{{{_MOST_MARKS}}})[{marks}]+")


def clean_block(block: Block) -> Block:
    """The block with clean text; code keeps its indentation and only loses invisible characters."""
    if block.kind == "code":
        text = INVISIBLE.sub("", _composed(whole(block.text))).strip("\n")
        return replace(block, text=_CONTROL.sub(" ", text))
    text = clean_text(block.text)
    if block.kind in ("paragraph", "heading"):
        text = text.replace("\n", " ")
    return replace(block, text=text)


def clean_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Clean every block and drop those in which nothing is left."""
    return clean(blocks).blocks


def clean(blocks: Iterable[Block]) -> CleanText:
    """Clean every block and drop what is empty."""
    kept: list[Block] = []
    hidden: list[str] = []
    invisible = 0
    for block in blocks:
        # Most of a corpus is ASCII, where nothing is invisible.
        if not block.text.isascii():
            hidden += [tagged_text(found[0]) for found in TAGS.finditer(block.text)]
            invisible += sum(map(len, _CARRYING.findall(block.text)))
        block = clean_block(block)
        if block.text.strip():
            kept.append(block)
    return CleanText(tuple(kept), tuple(filter(str.strip, hidden)), invisible)


def tagged_text(text: str) -> str:
    """ASCII text written in characters of the tag block, which no font shows."""
    return "".join(chr(ord(c) - 0xE0000) for c in text if 0xE0020 <= ord(c) <= 0xE007E)
