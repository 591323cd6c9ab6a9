"""All readers with all forms: which pairs grow faster than the text."""

import re
from collections.abc import Iterable, Iterator

from threadpoolctl import threadpool_limits

from tests.linear.clock import Growth, growth
from tests.linear.patterns import patterns_in
from tests.linear.reader import Reader
from tests.linear.texts import Form, forms_of, generic


def patterns_of(reader: Reader) -> list[re.Pattern[str]]:
    """The patterns that a reader runs."""
    return [*(pattern for name in reader.modules for pattern in patterns_in(name)), *reader.patterns()]


def forms_for(reader: Reader) -> list[Form]:
    """Every generic form, and those of the reader's own patterns."""
    own = (form for pattern in patterns_of(reader) for form in forms_of(pattern))
    return list(dict.fromkeys((*generic(), *own)))


def superlinear(reader: Reader, forms: Iterable[Form]) -> Iterator[Growth]:
    """The forms with which the reader's time grows faster than the text."""
    # Of several threads of a library, each spins while it waits for the others.
    with threadpool_limits(1):
        for form in forms:
            found = growth(reader.name, reader.read, form)
            if found is not None:
                yield found
