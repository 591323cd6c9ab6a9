"""Does a question ask for a quantity, and does a sentence have one? English, German and Spanish."""

import re

_ASKS = re.compile(
    r"\b(?:how (?:long|many|much|far|old|large|loud|high|often|fast|quickly|soon|bright|big|heavy|wide|late)"
    r"|what (?:is|are|was|were|does|do|did)\b.{0,400}\b(?:costs?|price|fee|charge|rate|amount|height|worth)"
    r"|(?:until )?when|what (?:time|year|date|percentage|number|amount|price)|which year|at what|by when"
    r"|wie (?:lange|viele?|hoch|oft|groß)|was kosten?|was kostet|bis wann|wann"
    r"|cu[aá]nt[oa]s?|cu[aá]ndo|qué (?:precio|plazo))\b",
    re.IGNORECASE,
)
_HAS = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|hundred|thousand"
    r"|million|billion|free|ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|kostenlos"
    r"|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|gratuit[oa]s?|gratis)\b",
    re.IGNORECASE,
)


def asks_for_quantity(question: str) -> bool:
    """Whether the answer is likely to hold a number, a date, a time or a price."""
    return bool(_ASKS.search(question))


def has_quantity(text: str) -> bool:
    """Whether a text holds a number, in digits or in words, or says that something is free."""
    return bool(_HAS.search(text))
