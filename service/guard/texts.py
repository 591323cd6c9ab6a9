"""Three kinds of text that must not be taken for each other; the type checker keeps them apart.

What a caller writes is raw until the input guards have masked it. Only masked text is generated from, recorded or
logged. What is searched for may hold names in clear, since the index knows them; it goes to retrieval and nowhere else.
"""

from typing import NewType

RawText = NewType("RawText", str)
MaskedText = NewType("MaskedText", str)
SearchableText = NewType("SearchableText", str)
