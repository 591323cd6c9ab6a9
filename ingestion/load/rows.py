"""Tables as text: every row is a line that repeats the header, so it can be found and quoted alone."""

from collections.abc import Iterator, Sequence

from ingestion.corpus import Block


def row_text(header: Sequence[str], cells: Sequence[str]) -> str:
    """`Method: Standard; Time: 3 to 5 days`. Cells without a header stand alone; empty ones go."""
    parts = []
    for index, cell in enumerate(cells):
        cell = " ".join(cell.split())
        name = " ".join(header[index].split()) if index < len(header) else ""
        if cell:
            parts.append(f"{name}: {cell}" if name else cell)
    return "; ".join(parts)


def table_blocks(rows: Sequence[Sequence[str]], page: int | None = None) -> Iterator[Block]:
    """The rows below the first one, each with the first as its header."""
    if len(rows) == 1:
        yield Block("row", row_text((), rows[0]), page=page)
    for cells in rows[1:]:
        text = row_text(rows[0], cells)
        if text:
            yield Block("row", text, page=page)
