"""Word documents to blocks: as Word shows them with all changes accepted and without comments."""

from ingestion.corpus import Reading
from ingestion.load.docx.body import Body
from ingestion.load.docx.frames import footers, headers
from ingestion.load.docx.story import Story
from ingestion.load.opc import OfficeFile
from ingestion.load.package import child
from ingestion.load.running import with_running


def read_docx(data: bytes, name: str) -> Reading:
    """Body in reading order, notes behind their paragraphs, heads and feet of pages once.

    Raises `SourceError` when the file is no Word document.
    """
    file = OfficeFile.open(data, "Word document (.docx)")
    story = Story.of(file)
    root = file.root(file.main)
    body = list(Body(story, file.main).blocks(child(root, "body")))
    blocks = tuple(with_running(body, headers(story, root), footers(story, root)))
    first = next((block.text for block in body if block.kind == "heading"), name)
    return Reading(title=file.title or first, blocks=blocks, hidden=tuple(story.hidden))
