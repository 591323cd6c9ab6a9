"""A table of a page as its cells' text, and where it stands."""

from dataclasses import dataclass

# Points by which the columns of a table may stand elsewhere on the next page.
_SHIFT = 6.0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, where they stand on the page, and how many of them look like a header (None: the format doesn't say)."""

    page: int
    top: float
    left: float
    right: float
    edges: tuple[float, ...]
    rows: tuple[tuple[str, ...], ...]
    header_rows: int | None = None

    def continues(self, other: "Table") -> bool:
        """Whether it has the columns of a table on the page before."""
        return (
            self.page == other.page + 1
            and len(self.edges) == len(other.edges)
            and all(abs(a - b) <= _SHIFT for a, b in zip(self.edges, other.edges, strict=True))
        )
