"""Made-up organisations, products and brands, and some organisations that exist."""

from collections.abc import Sequence

from faker import Faker

from finetune.names.draw import Draw
from finetune.names.lists import OrganisationLists
from finetune.names.people import People


class Organisations:
    """Draws names of organisations, products and brands."""

    def __init__(self, draw: Draw, lists: OrganisationLists, people: People, fakers: Sequence[Faker]) -> None:
        self._draw, self._lists, self._people, self._fakers = draw, lists, people, fakers

    def org(self) -> str:
        """A company, an office, a club."""
        draw = self._draw
        roll = draw.share()
        if roll < 0.1:
            return draw.choice(self._lists.real).removeprefix("the ")
        if roll < 0.4:
            return str(draw.choice(self._fakers).company())
        return self._made_up(roll)

    def _made_up(self, roll: float) -> str:
        draw, people = self._draw, self._people
        stem = people.family() if draw.chance(0.3) else people.invented(is_family=draw.chance(0.3))
        if roll < 0.6:
            return stem
        if roll < 0.7:
            return stem + people.invented(is_family=False)
        if roll < 0.73:
            return f"{stem}, {people.family()} and {people.family()}"
        return f"{stem} {draw.choice(self._lists.tails)}"

    def product(self) -> str:
        """A product, a feature or a program: capitalised, and nobody's name."""
        stem = self._draw.choice(self._lists.product_stems)
        return stem + self._draw.choice(self._lists.product_tails)

    def brand(self) -> str:
        """A maker's or a product's name: made up, and nobody's."""
        if self._draw.chance(0.3):
            return self.product()
        tail = self._draw.choice(self._lists.brand_tails)
        return self._people.invented(is_family=False) + tail
