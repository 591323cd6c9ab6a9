"""What is found without Presidio, in linear time in a text of any length: the functions, their types, and their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ingestion.scrub.births import births_in
from ingestion.scrub.dialling import telephones_in
from ingestion.scrub.forms import Span, domains_in, emails_in, spelled_mails_in
from ingestion.scrub.marks import has_sign
from ingestion.scrub.papers import passports_in, plates_in
from ingestion.scrub.passwords import passwords_in
from ingestion.scrub.secrets import credentials_in, url_passwords_in
from ingestion.scrub.tax import (
    dutch_numbers_in,
    fiscal_codes_in,
    german_ids_in,
    nies_in,
    nifs_in,
    tax_ids_in,
)
from ingestion.scrub.user_names import user_names_in

Need = Literal["sign", "digit", "word"]


@dataclass(frozen=True, slots=True)
class Finder:
    """A function of a text, the type of what it finds, its score, and what a text must hold for it to find anything."""

    entity: str
    find: Callable[[str], Iterator[Span]]
    score: float
    need: Need = "digit"


# Before all else, and each in what those before it left.
FINDERS = (
    Finder("URL_CREDENTIALS", url_passwords_in, 0.95, "sign"),
    Finder("SECRET_KEY", credentials_in, 0.95, "sign"),
    Finder("PASSWORD", passwords_in, 0.8, "word"),
    Finder("EMAIL_ADDRESS", emails_in, 0.5, "sign"),
    Finder("EMAIL_ADDRESS", spelled_mails_in, 0.7, "word"),
    Finder("USERNAME", user_names_in, 0.7, "word"),
    Finder("DATE_OF_BIRTH", births_in, 0.8),
    Finder("DE_TAX_ID", german_ids_in, 0.9),
    Finder("ES_NIF", nifs_in, 0.9),
    Finder("ES_NIE", nies_in, 0.9),
    Finder("IT_FISCAL_CODE", fiscal_codes_in, 0.9),
    Finder("NL_BSN", dutch_numbers_in, 0.9),
    Finder("TAX_ID", tax_ids_in, 0.8),
    Finder("PASSPORT", passports_in, 0.8),
    Finder("LICENSE_PLATE", plates_in, 0.8),
    Finder("PHONE_NUMBER", telephones_in, 0.7),
)
# After all else.
DOMAINS = Finder("DOMAIN_NAME", domains_in, 0.5, "word")


def needs_met(text: str) -> frozenset[Need]:
    """What a text holds of what finders need; a word of a stream seldom holds more than the least."""
    met: set[Need] = {"word"}
    if has_sign(text):
        met.add("sign")
    if any(map(str.isdecimal, text)):
        met.add("digit")
    return frozenset(met)
