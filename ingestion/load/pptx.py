"""Presentations to blocks: a page a slide, its title as heading, tables as rows, notes at the end."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from pptx import Presentation
from pptx.exc import PackageNotFoundError
from pptx.util import Emu

from ingestion.corpus import Block, Reading
from ingestion.errors import SourceError
from ingestion.load.rows import table_blocks


def read_pptx(data: bytes, name: str) -> Reading:
    """Slides in order. Raises `SourceError` when the file is no presentation."""
    try:
        deck = Presentation(io.BytesIO(data))
    except (PackageNotFoundError, zipfile.BadZipFile, KeyError, ValueError) as exc:
        raise SourceError("The file is damaged or no PowerPoint presentation (.pptx).") from exc
    blocks = [block for page, slide in enumerate(deck.slides, start=1) for block in _slide(slide, page)]
    title = deck.core_properties.title or next((b.text for b in blocks if b.kind == "heading"), name)
    return Reading(title=title, blocks=tuple(blocks))


def _slide(slide: Any, page: int) -> Iterator[Block]:
    title = slide.shapes.title
    if title is not None and title.has_text_frame and title.text_frame.text.strip():
        yield Block("heading", title.text_frame.text, level=2, page=page)
    shapes = [shape for shape in _flat(slide.shapes) if title is None or shape.shape_id != title.shape_id]
    for shape in sorted(shapes, key=lambda one: (one.top or Emu(0), one.left or Emu(0))):
        if getattr(shape, "has_table", False) and shape.has_table:
            yield from table_blocks([[cell.text for cell in row.cells] for row in shape.table.rows], page)
        elif shape.has_text_frame:
            for paragraph in shape.text_frame.paragraphs:
                text = "".join(run.text for run in paragraph.runs)
                if text.strip():
                    yield Block("item" if paragraph.level else "paragraph", text, page=page)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text
        if notes.strip():
            yield Block("paragraph", notes, page=page)


def _flat(shapes: Any) -> Iterator[Any]:
    """Shapes, and those within groups."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape
