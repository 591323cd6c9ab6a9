"""What a long message asks: people tell what happened before they ask, and paste what they see behind it.

An embedder reads the beginning of a text, and a vector of many thoughts is near to none of them. So the vector is made of
the sentences that ask, and all other words of the message only help the search by words.
"""

import re

from ingestion.text.sentences import sentence_spans

# Shorter messages are one thought, and are searched for as they are.
_LONG_CHARS = 400
# What the sentences that ask may have together; about half of what the built-in embedder reads.
_ASKED_CHARS = 400
_QUESTION = re.compile(r"[?？؟](?!\w)")
_REQUEST = re.compile(
    r"\b(?:please|could you|can you|would you|tell me|show me|explain|describe|i (?:want|need|would like|'d like) to know"
    r"|my question|the question|i wonder|i'm wondering|help me|how (?:do|can|to|long|many|much)|what|which|where|when|why|who"
    r"|bitte|sagen sie|sag mir|erkl[äa]r\w*|meine frage|ich (?:möchte|will|muss) wissen|wie|warum|wieso|welche\w*|wo|wann"
    r"|por favor|d[ií](?:me|game)|expl[ií]ca\w*|mi pregunta|quisiera saber|necesito saber|c[óo]mo|cu[áa]l\w*|cu[áa]nt\w*"
    r"|s'il (?:te|vous) pla[îi]t|dites?-moi|expliquez|ma question|je (?:voudrais|veux) savoir|comment|pourquoi|quel\w*|combien"
    r"|per favore|dimmi|spiega\w*|la mia domanda|vorrei sapere|come|perch[ée]|quale|quanto|graag|alsjeblieft|mijn vraag|hoe"
    r"|waarom|welke?|minha pergunta|gostaria de saber|qual|quanto)\b",
    re.IGNORECASE,
)
# A sentence with one of these leans on those around it.
_LEANS = re.compile(
    r"\b(?:it|its|this|that|these|those|they|them|their|he|she|his|her|one|ones|davon|dafür|damit|daran|dazu|dies\w*"
    r"|eso|esto|esta|ello|cela|ça|celui|questo|quello|dit|dat|deze|isso|isto)\b",
    re.IGNORECASE,
)


def asked_part(text: str) -> str:
    """The sentences of a message that ask, in their order; a message that isn't long is given back as it is.

    Those with a question mark come first, the last of them before others; without any, those that ask for something; and
    without these the first and the last sentence. A sentence that points to another brings its neighbours.
    """
    if len(text) <= _LONG_CHARS:
        return text
    # What goes on without an end is cut, for a question stands there.
    sentences = [text[max(start, end - _ASKED_CHARS) : end] for start, end in sentence_spans(text)]
    chosen: set[int] = set()
    left = _ASKED_CHARS
    for place in _places(sentences):
        for needed in (_around(place, sentences), {place}):
            size = sum(len(sentences[one]) for one in needed - chosen)
            if size <= left or (not chosen and len(needed) == 1):
                chosen |= needed
                left -= size
                break
    return " ".join(sentences[place] for place in sorted(chosen)) or text[-_ASKED_CHARS:]


def _around(place: int, sentences: list[str]) -> set[int]:
    """A sentence, with its neighbours where it points to one."""
    if not _LEANS.search(sentences[place]):
        return {place}
    return {one for one in (place - 1, place, place + 1) if 0 <= one < len(sentences)}


def _places(sentences: list[str]) -> list[int]:
    """The sentences that ask, the surest first."""
    places = range(len(sentences) - 1, -1, -1)
    asking = [place for place in places if _QUESTION.search(sentences[place])]
    if asking:
        return asking
    wanting = [place for place in places if _REQUEST.search(sentences[place])]
    return wanting or [place for place in (len(sentences) - 1, 0) if sentences]
