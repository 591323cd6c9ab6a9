"""A follow-up question made to stand alone, by rule. The generator may do it better one day."""

import re
from collections.abc import Sequence

_FOLLOW_UP = re.compile(
    r"^(and|or|but|what about|how about|und|oder|aber|was ist mit|y|pero|qué tal|¿y)\b"
    r"|\b(it|its|that|this|those|these|they|them|ones|there|then|davon|dafür|das|dies\w*|eso|esto)\b",
    re.IGNORECASE,
)
_SHORT_WORDS = 4
_MASK = re.compile(r"<[A-Z_]{3,}>")


def standalone(question: str, earlier: Sequence[str]) -> str:
    """`question`, with the question before it in front when it can't be understood alone.

    A question of up to four words, or one with a word that points back, is a follow-up. Masks of personal
    data are no words to look for and are left out.
    """
    question = " ".join(_MASK.sub(" ", question).split()) or question
    is_follow_up = len(question.split()) <= _SHORT_WORDS or _FOLLOW_UP.search(question)
    return f"{earlier[-1]} {question}" if earlier and is_follow_up else question
