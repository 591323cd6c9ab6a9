"""Texts of a known number of tokens, and those whose vectors the repository keeps."""

from tests.conftest import ROOT

KEPT = ROOT / "tests" / "ingestion" / "embed" / "vectors.npz"
# All of these are single tokens of the model's vocabulary.
_WORDS = (
    "the gateway keeps answers short and customers read them before they write again because every page tells what a"
    " plan costs how long a parcel takes and which device needs another filter after twelve months of daily use"
).split()
FIXED = [
    "",
    "   \n\t ",
    "???",
    "a",
    "Yes.",
    "How long can I send something back?",
    "You can return any product within 45 days of delivery, for any reason.",
    "The Breeze cleans the air of rooms of up to 45 square metres.",
    "Wie lange kann ich etwas zurückschicken?",
    "Der Versand ist ab einem Bestellwert von 50 Euro kostenlos, sonst kostet er 4,90 Euro.",
    "¿Cuánto cuesta el envío a las Islas Canarias?",
    "El plazo de devolución es de cuarenta y cinco días desde la entrega, sin dar motivos.",
    "0123456789",
    "Order 4471-2026, 3 items, 129.90 EUR, 2026-11-25",
    "+44 20 7946 0018",
    "a" * 300,
    "word " * 30,
    "word " * 400,
    "SHOUTING IN CAPITALS HELPS NOBODY",
    "Parcels that weigh more than thirty kilograms are brought by a carrier who calls a day before.",
]


def text_of(tokens: int) -> str:
    """A text of so many tokens, the two special ones included."""
    words = _WORDS * (tokens // len(_WORDS) + 1)
    return " ".join(words[: tokens - 2])
