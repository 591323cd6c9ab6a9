"""Numbers of passports and licence plates: of no form that is theirs alone, so that a word must stand before them."""

from collections.abc import Iterator

from ingestion.scrub.forms import Span
from ingestion.scrub.labels import after, spans_in, values_in

_PASSPORT = after(
    r"(?:(?:travel|biometric) )?pass?ports?(?:[ _-]?(?:no|nr|num(?:ber)?|id))?|passeport|reisepass(?:[ -]?n(?:umme)?r)?|pass-?n(?:umme)?r"
    r"|pasaporte|passaporto|passaporte|paspoort(?:nummer)?|passnummer|pasnummer|paszport(?:u)?|passin numero"
    r"|pasaport|διαβατηρ\w{1,5}|паспорт\w{0,3}|旅券番号|パスポート(?:番号)?",
    # Germany's have letters among the digits; the others are digits behind up to three letters, or with two amid them.
    r"(?:(?=(?:[CFGHJKLMNPRTVWXYZ]{0,8}\d){3})[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\d?"
    r"|[A-Z]{1,3}[ -]?\d{6,8}|\d{2}[A-Z]{2}\d{5}|\d{7,10}|\d{4} \d{6}|\d{3} ?\d{6})(?![\w]|[-./,]\d)",
)
_PASSPORT_STEMS = (
    "pass",
    "pasaport",
    "paspoort",
    "paszport",
    "pasn",
    "διαβατηρ",
    "паспорт",
    "旅券",
    "パスポート",
)

_PLATE = after(
    r"(?:licen[cs]e|number|registration|car|vehicle)[ _-]?plates?(?:[ _-]?(?:no|number))?|(?:vehicle|car) registration(?:[ _-]?(?:no|number))?"
    r"|(?:kfz-?|auto)?kennzeichen|nummernschild|(?:plaque|num[ée]ro) d'immatriculation|immatricul(?:[ée]e?|ation)|matr[íi]cula|targa"
    r"|kenteken|nummerplade|registreringsn(?:umme|)r|reg\.?(?:-|istrerings)?skylt|rekisteri(?:numero|tunnus)|numer rejestracyjny|rejestracja"
    r"|spz|registrační značka|plaka|rendszám|număr de înmatriculare|πινακίδα|госномер|placa",
    r"(?=[^\n]{0,9}\d)(?=[^\n]{0,9}[A-ZÄÖÜ])[A-ZÄÖÜ0-9]{1,8}(?:[ -][A-ZÄÖÜ0-9]{1,5}){0,3}(?:(?<=[A-Z]) \d{1,4})?(?![\w]|[-.]\w)",
)
_PLATE_STEMS = (
    "plate", "registration", "kennzeichen", "schild", "immatric", "matr", "targa", "kenteken", "plade", "registrering", "skylt", "rekisteri",
    "rejestrac", "spz", "značka", "plaka", "rendszám", "înmatric", "πινακίδα", "госномер", "placa",
)  # fmt: skip
_LEAST_CHARS, _MOST_CHARS = 4, 10


def passports_in(text: str) -> Iterator[Span]:
    """Numbers of passports behind a word for one."""
    return spans_in(text, _PASSPORT, _PASSPORT_STEMS)


def plates_in(text: str) -> Iterator[Span]:
    """Licence plates behind a word for one: capitals and digits in up to four groups."""
    for found in values_in(text, _PLATE, _PLATE_STEMS):
        characters = [c for c in found["value"] if c.isalnum()]
        digits = sum(map(str.isdigit, characters))
        if _LEAST_CHARS <= len(characters) <= _MOST_CHARS and 0 < digits < len(characters):
            yield found.span("value")
