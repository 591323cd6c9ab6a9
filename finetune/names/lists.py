"""The lists that made-up values are drawn from, typed: one YAML file a theme, beside this module."""

from functools import lru_cache
from pathlib import Path

from finetune.yaml_file import Strict, read

FOLDER = Path(__file__).parent
Words = tuple[str, ...]


class PeopleLists(Strict):
    """Parts of people's names. `wordlike` names are words as well: only the sentence tells them apart."""

    given: Words
    family: Words
    wordlike: Words
    particles: Words
    titles: Words
    syllables: Words
    endings: Words
    mail_hosts: Words


class PlaceLists(Strict):
    """Places, peoples, and patterns of streets, flats and postal codes."""

    cities: Words
    town_endings: Words
    states: Words
    countries: Words
    peoples: Words
    streets: Words
    street_stems: Words
    house_suffixes: Words
    units: Words
    zips: Words


class OrganisationLists(Strict):
    """Organisations that exist, and parts of made-up organisations, products and brands."""

    real: Words
    tails: Words
    product_stems: Words
    product_tails: Words
    brand_tails: Words


class NumberLists(Strict):
    """Words of dates, and shapes of numbers."""

    months: Words
    days: Words
    phones: Words
    cards: Words
    ibans: Words
    orders: Words
    amounts: Words


@lru_cache(maxsize=1)
def people() -> PeopleLists:
    """The lists of `people.yaml`. Raises `TrainingDataError`, and `OSError` for a missing file."""
    return read(FOLDER / "people.yaml", PeopleLists)


@lru_cache(maxsize=1)
def places() -> PlaceLists:
    """The lists of `places.yaml`. Raises as `people` does."""
    return read(FOLDER / "places.yaml", PlaceLists)


@lru_cache(maxsize=1)
def organisations() -> OrganisationLists:
    """The lists of `organisations.yaml`. Raises as `people` does."""
    return read(FOLDER / "organisations.yaml", OrganisationLists)


@lru_cache(maxsize=1)
def numbers() -> NumberLists:
    """The lists of `numbers.yaml`. Raises as `people` does."""
    return read(FOLDER / "numbers.yaml", NumberLists)
