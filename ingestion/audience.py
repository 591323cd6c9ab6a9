"""Ids that several audiences may use: who may not see a document doesn't learn from its id that it is there.

The first to use an id gets it as it is. Somebody who may not see what has it gets an id of their own groups, which reads as
the one that was asked for. The separator can't stand in an id that a caller chooses.
"""

SEPARATOR = "␟"
_AFTER = chr(ord(SEPARATOR) + 1)


def own_id(document_id: str, groups: frozenset[str]) -> str:
    """Under which id callers of these groups keep a document whose id is taken by what they may not see."""
    return f"{document_id}{SEPARATOR}{','.join(sorted(groups))}"


def plain_id(stored_id: str) -> str:
    """The id as callers chose it."""
    return stored_id.partition(SEPARATOR)[0]


def shown_id(stored_id: str, groups: frozenset[str] | None) -> str:
    """The id as it is shown in lists: whole to who sees everything (None), so that each document can be named."""
    return stored_id if groups is None else plain_id(stored_id)


def own_range(document_id: str) -> tuple[str, str]:
    """Between which texts the ids of all groups lie: from the first, up to the second."""
    return f"{document_id}{SEPARATOR}", f"{document_id}{_AFTER}"


def candidates(document_id: str, groups: frozenset[str] | None, others: list[str]) -> list[str]:
    """The stored ids that a caller may mean, the likeliest first: of its own groups, as it is, of other groups."""
    if groups is None:
        return [document_id]
    found = [own_id(document_id, groups), document_id, *sorted(others)]
    return list(dict.fromkeys(found))
