"""RTF documents to blocks (Rich Text Format Specification 1.9.1). One pass; what isn't known is passed over."""

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rtf.reader import RtfReader
from ingestion.load.running import with_running


def read_rtf(data: bytes, name: str) -> Reading:
    """Paragraphs, tables and notes in reading order, heads and feet of pages once.

    Raises `SourceError` when the file is no RTF or nested too deeply.
    """
    if not data.lstrip().startswith(b"{\\rtf"):
        raise SourceError("It does not begin like RTF. Check its name.")
    reader = RtfReader()
    reader.read(data)
    body = reader.flow.blocks
    above, below = (
        [block.text for block in flow.blocks] for flow in (reader.running["header"], reader.running["footer"])
    )
    blocks: tuple[Block, ...] = tuple(with_running(body, above, below))
    first = next((block.text for block in body if block.kind == "heading"), name)
    return Reading(title=reader.title.strip() or first, blocks=blocks, hidden=tuple(reader.hidden))
