"""reStructuredText to blocks: as plain text, with its directives, fields and tables, and without its inline marks."""

from dataclasses import replace

from ingestion.corpus import Reading
from ingestion.load.encodings import decode
from ingestion.load.rst.directives import directive_rule, field_rule, line_block_rule, substitutions_of
from ingestion.load.rst.inline import plain
from ingestion.load.text.lines import lines_of
from ingestion.load.text.outline import blocks_of, sheet_of

_RULES = (directive_rule, field_rule, line_block_rule)


def read_rst(data: bytes, name: str) -> Reading:
    """Sections, lists, terms, code and tables in reading order."""
    lines = lines_of(decode(data))
    sheet = replace(sheet_of(lines, _RULES), is_numbered=False, is_markup=True)
    known = substitutions_of(lines)
    blocks = tuple(
        block if block.kind == "code" else replace(block, text=plain(block.text, known))
        for block in blocks_of(lines, sheet)
    )
    blocks = tuple(block for block in blocks if block.text.strip(" :"))
    title = next((block.text for block in blocks if block.kind == "heading"), name)
    return Reading(title=title, blocks=blocks)
