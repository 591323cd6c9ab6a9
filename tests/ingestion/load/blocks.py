"""What a reader makes of a text, in short."""

from ingestion.load import read
from ingestion.text.clean import clean_blocks

Said = tuple[str, str, int]


def blocks_of(data: str | bytes, name: str) -> list[Said]:
    """Kind, text and depth of each block."""
    raw = data.encode() if isinstance(data, str) else data
    return [(block.kind, block.text, block.depth) for block in clean_blocks(read(raw, name).blocks)]


def plain(data: str | bytes, name: str) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    return [(kind, text) for kind, text, _ in blocks_of(data, name)]
