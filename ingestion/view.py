"""What of a collection a caller may see, and which part of that is asked for."""

from dataclasses import dataclass

from ingestion.columns import Value
from ingestion.filter import Filter

# Stands for a group's name and means every document.
EVERY_GROUP = "*"


@dataclass(frozen=True, slots=True)
class View:
    """`groups` are the caller's, None for one who may see everything.

    Documents outside the groups leave no trace: not in results, not in counts, not in how rare a word is. A filter
    narrows the results and does not change scores.
    """

    groups: frozenset[str] | None = None
    filter: Filter | None = None
    include_superseded: bool = False


EVERYTHING = View()


def view_groups(groups: frozenset[str]) -> frozenset[str] | None:
    """The groups of a view, from those of a caller."""
    return None if EVERY_GROUP in groups else groups


def may_see(groups: frozenset[str] | None, of_document: Value) -> bool:
    """Whether a caller may see a document; one that names no group is for everybody."""
    if groups is None or not of_document:
        return True
    named = of_document if isinstance(of_document, tuple) else (of_document,)
    return any(one in groups for one in named)
