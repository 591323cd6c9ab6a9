"""What stands at the head and the foot of a Word document's pages, without page numbers."""

from collections.abc import Iterator

from ingestion.load.docx.body import Body
from ingestion.load.docx.story import Story
from ingestion.load.package import Element, local


def headers(story: Story, root: Element) -> Iterator[str]:
    """Texts of the heads of pages, section by section."""
    return _texts(story, root, "headerReference")


def footers(story: Story, root: Element) -> Iterator[str]:
    """Texts of the feet of pages, section by section."""
    return _texts(story, root, "footerReference")


def _texts(story: Story, root: Element, kind: str) -> Iterator[str]:
    for reference in root.iter():
        if local(reference) == kind:
            found = story.file.follow(story.file.main, reference)
            if found and found.target in story.file.package and story.file.is_first(found.target):
                blocks = Body(story, found.target, is_frame=True).blocks(story.file.package.xml(found.target))
                yield from (block.text for block in blocks)
