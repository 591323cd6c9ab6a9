"""Made-up people, places, companies and numbers for training, from Faker and from lists of our own."""

from collections.abc import Callable, Mapping
from functools import cached_property

from faker import Faker

from finetune.names import lists
from finetune.names.draw import Draw
from finetune.names.numbers import Numbers
from finetune.names.organisations import Organisations
from finetune.names.people import Names, People
from finetune.names.places import Places
from finetune.names.prose import Prose

LATIN = (
    "en_US en_GB en_AU en_CA en_IN en_IE en_NZ de_DE de_AT de_CH fr_FR fr_CA fr_BE es_ES es_MX es_CO es_AR it_IT nl_NL"
    " nl_BE pl_PL cs_CZ sk_SK sv_SE no_NO da_DK fi_FI hu_HU pt_BR pt_PT ro_RO tr_TR hr_HR sl_SI et_EE lt_LT lv_LV"
    " id_ID"
).split()
_NAMES_A_LOCALE = 600
# Names of our own are drawn as often as those of nine locales.
_WEIGHT_OF_OWN_NAMES = 9
Slot = tuple[str | None, Callable[[], str]]


class Values:
    """Draws a value for a slot of a template. The same seed draws the same values."""

    def __init__(self, seed: int) -> None:
        draw, fakers = Draw(seed), {locale: _faker(locale, seed) for locale in LATIN}
        own = lists.people()
        self.names = [_names(faker) for faker in fakers.values()]
        self.names += [Names(own.given, own.family)] * _WEIGHT_OF_OWN_NAMES
        every = list(fakers.values())
        self._people = People(draw, own, self.names)
        self._places = Places(draw, lists.places(), self._people, every)
        self._organisations = Organisations(draw, lists.organisations(), self._people, every)
        self._numbers = Numbers(draw, lists.numbers())
        self._prose = Prose(draw, self.names, fakers)

    @cached_property
    def slots(self) -> Mapping[str, Slot]:
        """Slot → the label of what it draws (None: not personal data) and the draw."""
        return {**self._personal(), **self._impersonal()}

    def _personal(self) -> dict[str, Slot]:
        people, places, numbers = self._people, self._places, self._numbers
        return {
            "person": ("PERSON", people.person),
            "given": ("PERSON", people.given),
            "family": ("PERSON", people.family),
            "title": ("TITLE", people.title),
            "street": ("STREET_ADDRESS", places.street),
            "unit": ("STREET_ADDRESS", places.unit),
            "house": ("STREET_ADDRESS", places.house),
            "city": ("GPE", places.city),
            "place": ("GPE", places.place),
            "state": ("GPE", places.state),
            "country": ("GPE", places.country),
            "people": ("NRP", places.people),
            "zip": ("ZIP_CODE", places.zip),
            "org": ("ORGANIZATION", self._organisations.org),
            "date": ("DATE_TIME", numbers.date),
            "age": ("AGE", numbers.age),
            "phone": ("PHONE_NUMBER", numbers.phone),
        }

    def _impersonal(self) -> dict[str, Slot]:
        """What the model must leave alone. Mail, cards and accounts are found by rule."""
        people, numbers, organisations = self._people, self._numbers, self._organisations
        draws = {
            "email": people.email,
            "user": people.user,
            "card": numbers.card,
            "iban": numbers.iban,
            "order": numbers.order,
            "amount": numbers.amount,
            "product": organisations.product,
            "brand": organisations.brand,
            "lorem": self._prose.lorem,
            "heading": self._prose.heading,
            "job": self._prose.job,
        }
        return {slot: (None, draw) for slot, draw in draws.items()}


def _faker(locale: str, seed: int) -> Faker:
    faker = Faker(locale)
    faker.seed_instance(seed)
    if locale == "it_IT":
        # Faker makes this one list from a set: unsorted, every process would draw other towns.
        address = faker.provider("faker.providers.address")
        address.cities = sorted(address.cities)
    return faker


def _names(faker: Faker) -> Names:
    given = {faker.first_name() for _ in range(_NAMES_A_LOCALE)}
    family = {faker.last_name() for _ in range(_NAMES_A_LOCALE)}
    return Names(tuple(sorted(given)), tuple(sorted(family)))
