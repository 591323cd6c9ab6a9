"""What stands at the head and the foot of every page: said once, and only where the text doesn't say it."""

from collections.abc import Iterable, Iterator, Sequence

from ingestion.corpus import Block


def with_running(body: Sequence[Block], above: Iterable[str], below: Iterable[str]) -> Iterator[Block]:
    """Heads of pages come behind the first heading, feet at the end."""
    said = {_plain(block.text) for block in body}
    start = 1 if body and body[0].kind == "heading" else 0
    yield from body[:start]
    yield from _new(above, said)
    yield from body[start:]
    yield from _new(below, said)


def _new(texts: Iterable[str], said: set[str]) -> Iterator[Block]:
    for text in texts:
        key = _plain(text)
        if key and key not in said:
            said.add(key)
            yield Block("paragraph", text)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
