"""Made-up addresses, and places that exist."""

from collections.abc import Sequence

from faker import Faker

from finetune.names.draw import Draw
from finetune.names.lists import PlaceLists
from finetune.names.people import People

# Stems of streets are drawn from the first given names of a locale.
_STREET_NAMES = 50


class Places:
    """Draws streets, towns, regions, countries and their peoples."""

    def __init__(self, draw: Draw, lists: PlaceLists, people: People, fakers: Sequence[Faker]) -> None:
        self._draw, self._lists, self._people, self._fakers = draw, lists, people, fakers

    def street(self) -> str:
        """A street with a house number, in many countries' ways."""
        draw = self._draw
        pattern = draw.choice(self._lists.streets)
        name = pattern.format(n=self._street_stem())
        if pattern[0] == "{" and " " not in pattern:
            name = name.replace(" ", "")
        number = self._house_number()
        if draw.chance(0.06):
            return name
        is_english = pattern.startswith("{n} ") and pattern[4:5].isupper()
        if is_english or draw.chance(0.2):
            return f"{number} {name}"
        return f"{name}{draw.pick(' ', ' ', ', ')}{number}"

    def _street_stem(self) -> str:
        draw, people = self._draw, self._people
        if draw.chance(0.5):
            stem = people.family()
        else:
            stem = draw.choice(draw.choice(people.names).given[:_STREET_NAMES])
        return draw.choice(self._lists.street_stems) if draw.chance(0.3) else stem

    def _house_number(self) -> str:
        draw = self._draw
        number = str(draw.number(1, 9999 if draw.chance(0.25) else 250))
        return number + draw.choice(self._lists.house_suffixes) if draw.chance(0.12) else number

    def unit(self) -> str:
        """A flat, a suite, a post-office box."""
        draw = self._draw
        return draw.choice(self._lists.units).format(d=draw.number(1, 999), s=draw.number(1, 20))

    def house(self) -> str:
        """A bare house number."""
        return str(self._draw.number(1, 9999))

    def city(self) -> str:
        """A town, real or made up."""
        draw = self._draw
        roll = draw.share()
        if roll < 0.35:
            return draw.choice(self._lists.cities)
        if roll < 0.45:
            return self._people.invented(is_family=False) + draw.choice(self._lists.town_endings)
        city = str(draw.choice(self._fakers).city())
        return city.upper() if draw.chance(0.1) else city

    def place(self) -> str:
        """A town, a region or a country."""
        roll = self._draw.share()
        return self.city() if roll < 0.45 else self.country() if roll < 0.8 else self.state()

    def state(self) -> str:
        """A region."""
        return self._draw.choice(self._lists.states)

    def country(self) -> str:
        """A country; `the` is no part of the name."""
        return self._draw.choice(self._lists.countries).removeprefix("the ")

    def people(self) -> str:
        """A nationality, a religion or a group."""
        return self._draw.choice(self._lists.peoples)

    def zip(self) -> str:
        """A postal code."""
        return self._draw.shaped(self._draw.choice(self._lists.zips))
