"""Made-up dates, ages, telephone numbers, accounts, business ids and amounts."""

from finetune.names.draw import Draw
from finetune.names.lists import NumberLists


class Numbers:
    """Draws what is written with digits."""

    def __init__(self, draw: Draw, lists: NumberLists) -> None:
        self._draw, self._lists = draw, lists

    def date(self) -> str:
        """A date or a time as people write it."""
        draw = self._draw
        day, month, year = draw.number(1, 28), draw.number(1, 12), draw.number(1930, 2029)
        name = draw.choice(self._lists.months)
        clock = f"{draw.number(0, 23):02d}:{draw.number(0, 59):02d}"
        return draw.pick(
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}/{month:02d}/{year}",
            f"{month}/{day}/{year % 100:02d}",
            f"{day}.{month}.{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{name} {day}",
            f"{name} {year}",
            f"{day}th of {name}",
            str(year),
            str(year),
            self._day(),
            self._day(),
            f"{self._day()}, {day} {name}",
            f"{year}-{month:02d}-{day:02d} {clock}:{day:02d}",
            clock,
            f"{draw.number(1, 12)}{draw.pick('am', 'pm', ' p.m.', ' AM')}",
            f"{year - year % 10}s",
            "yesterday",
            "tomorrow",
            "last week",
            "next Monday",
            f"{draw.number(2, 30)} days ago",
        )

    def _day(self) -> str:
        return self._draw.choice(self._lists.days)

    def age(self) -> str:
        """An age in years."""
        return str(self._draw.number(1, 99))

    def phone(self) -> str:
        """A telephone number."""
        return self._shaped(self._lists.phones)

    def card(self) -> str:
        """A payment card's number."""
        number = self._shaped(self._lists.cards)
        if not self._draw.chance(0.4):
            return number
        return " ".join(number[i : i + 4] for i in range(0, len(number), 4))

    def iban(self) -> str:
        """An account's number."""
        return self._shaped(self._lists.ibans)

    def order(self) -> str:
        """A business id: an order, a ticket, an article; nobody's personal data."""
        return self._shaped(self._lists.orders)

    def amount(self) -> str:
        """Money, a share or a count."""
        return self._shaped(self._lists.amounts)

    def _shaped(self, shapes: tuple[str, ...]) -> str:
        return self._draw.shaped(self._draw.choice(shapes))
