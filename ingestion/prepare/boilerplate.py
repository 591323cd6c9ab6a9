"""What a source repeats around its documents: menus above the text, notices and links below it.

It is left out of chunks and stays in the document. Templates of pages are found by what many pages share (Bar-Yossef and
Rajagopalan 2002, "Template detection via data mining"); here only what states nothing is taken for one, since a warranty that
ends each page of a shop is repeated too, and asked for.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from ingestion.corpus import Block

EDGE_BLOCKS = 15
# So many documents of a source show what is repeated; of more than the larger number a sample does.
LEAST_DOCUMENTS, MOST_DOCUMENTS = 20, 40
_LEAST_SHARE = 0.3
_LEAST_REPEATS = 8
_MENU_WORDS = 12
_LABEL_WORDS = 6
_KINDS = ("paragraph", "item")
_DIGIT = re.compile(r"\d")
_SENTENCE_END = re.compile(r"[.!?。！？।؟:;,]$")
_SEPARATORS = re.compile(r"(?:^|\s)[|·•»›/](?=\s|$)")
_NOTICE = re.compile(
    r"©|\(c\)|copyright\b|all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados",
    re.IGNORECASE,
)


def outline(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Keys of the texts at a document's two edges, each once."""
    edges = [*blocks[:EDGE_BLOCKS], *blocks[EDGE_BLOCKS:][-EDGE_BLOCKS:]]
    return tuple(dict.fromkeys(_key(block.text) for block in edges))


def repeated(outlines: Sequence[Sequence[str]]) -> frozenset[str]:
    """Keys that many documents of a source have at their edges; none where there are too few to tell."""
    if len(outlines) < LEAST_DOCUMENTS:
        return frozenset()
    least = max(_LEAST_REPEATS, _LEAST_SHARE * len(outlines))
    counts = Counter(key for one in outlines for key in set(one))
    return frozenset(key for key, count in counts.items() if count >= least)


def marked(blocks: tuple[Block, ...], keys: frozenset[str]) -> tuple[Block, ...]:
    """The blocks, with the kind `boilerplate` for what is repeated before the first and after the last block of one's own.

    A document that would have nothing else below its headings stays as it is.
    """
    if not keys:
        return blocks
    is_repeated = [_key(block.text) in keys for block in blocks]
    above = _run(is_repeated[:EDGE_BLOCKS])
    below = _run(is_repeated[above:][-EDGE_BLOCKS:][::-1])
    if above + below >= len(blocks):
        return blocks
    found = list(blocks)
    for i in range(above):
        if _is_menu(blocks[i]):
            found[i] = replace(blocks[i], kind="boilerplate")
    for i in range(len(blocks) - below, len(blocks)):
        if _is_ending(blocks[i]):
            found[i] = replace(blocks[i], kind="boilerplate")
    has_text = any(block.kind not in ("heading", "boilerplate") for block in found)
    return tuple(found) if has_text else blocks


def _run(is_repeated: Sequence[bool]) -> int:
    """How many at the beginning are repeated."""
    return next((i for i, one in enumerate(is_repeated) if not one), len(is_repeated))


def _is_menu(block: Block) -> bool:
    """Words without a sentence or a figure, as of links above a page's title."""
    if block.kind not in _KINDS:
        return False
    text = block.text.strip()
    is_short = len(text.split()) <= _MENU_WORDS and not _SENTENCE_END.search(text)
    return not _DIGIT.search(text) and (is_short or bool(_SEPARATORS.search(text)))


def _is_ending(block: Block) -> bool:
    """A notice or a row of links. Items of a list may be what the document says last, so that they stay."""
    if block.kind not in _KINDS:
        return False
    text = block.text.strip()
    if _NOTICE.match(text) or (_SEPARATORS.search(text) and not _DIGIT.search(text)):
        return True
    is_label = len(text.split()) <= _LABEL_WORDS and not text.endswith((".", "!", ":"))
    return block.kind == "paragraph" and is_label and not _DIGIT.search(text)


def _key(text: str) -> str:
    return blake2b(" ".join(text.casefold().split()).encode(), digest_size=8).hexdigest()
