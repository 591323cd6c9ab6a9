"""Made-up people: their names in many shapes, and what is made from a name."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune.names.draw import Draw
from finetune.names.lists import PeopleLists

_INITIALS = "ABCDEFGHJKLMNPRSTW"


@dataclass(frozen=True, slots=True)
class Names:
    """Given and family names of one locale."""

    given: tuple[str, ...]
    family: tuple[str, ...]


class People:
    """Draws names of people, and their logins and addresses for mail."""

    def __init__(self, draw: Draw, lists: PeopleLists, names: Sequence[Names]) -> None:
        self._draw, self._lists, self.names = draw, lists, names

    def invented(self, *, is_family: bool) -> str:
        """A name that nobody has: syllables, and the ending of a family name for some."""
        draw = self._draw
        core = "".join(draw.choice(self._lists.syllables) for _ in range(draw.number(1, 3)))
        ending = draw.choice(self._lists.endings) if is_family or draw.chance(0.4) else ""
        return (core + ending).capitalize()

    def given(self) -> str:
        """A first name."""
        draw = self._draw
        if draw.chance(0.06):
            return draw.choice(self._lists.wordlike)
        if draw.chance(0.06):
            return self.invented(is_family=False)
        name = draw.choice(draw.choice(self.names).given)
        return f"{name}-{self.given()}" if draw.chance(0.02) else name

    def family(self) -> str:
        """A last name."""
        draw = self._draw
        roll = draw.share()
        if roll < 0.05:
            return draw.choice(self._lists.wordlike)
        if roll < 0.12:
            return self.invented(is_family=True)
        name = draw.choice(draw.choice(self.names).family)
        if roll > 0.97:
            return f"{name}-{self.family()}"
        return self._with_particle(name) if roll > 0.94 else name

    def _with_particle(self, name: str) -> str:
        """The name after a particle, which hyphen, `Mc` and `O'` are written to."""
        joined = f"{self._draw.choice(self._lists.particles)} {name}".replace("- ", "-")
        return joined.replace("Mc ", "Mc").replace("O’ ", "O'")

    def person(self) -> str:
        """A full name in one of many shapes. Three in five have both parts of one locale."""
        draw = self._draw
        local = draw.choice(self.names)
        given, family = self.given(), self.family()
        if draw.chance(0.6):
            given, family = draw.choice(local.given), draw.choice(local.family)
        return draw.choice(
            [f"{given} {family}"] * 12 + [given] * 6 + [family] * 2 + self._rare_shapes(given, family)
        )

    def _rare_shapes(self, given: str, family: str) -> list[str]:
        draw = self._draw
        return [
            f"{given} {draw.choice(_INITIALS)}. {family}",
            f"{given} {draw.choice(_INITIALS)} {family}",
            f"{given[0]}. {family}",
            f"{given[0]}.{draw.choice(_INITIALS)}. {family}",
            f"{given} {self.given()} {family}",
            f"{family}, {given}",
            f"{given} {family} {draw.pick('Jr.', 'Sr.', 'III', 'II')}",
            f"{given} {family[0]}.",
            f"{given.upper()} {family.upper()}",
            f"{family.upper()} {given}",
            f"{given} {family} {self.family()}",
        ]

    def title(self) -> str:
        """An honorific."""
        return self._draw.choice(self._lists.titles)

    def email(self) -> str:
        """An address for mail."""
        draw = self._draw
        given, family = self.given().lower().replace(" ", ""), self.family().lower().replace(" ", "")
        host = draw.choice(self._lists.mail_hosts)
        box = draw.pick(f"{given}.{family}", f"{given[0]}{family}", given, f"{family}{draw.number(1, 99)}")
        return f"{box}@{host}"

    def user(self) -> str:
        """A login name."""
        return self.given().lower().replace(" ", "") + str(self._draw.number(1, 999))
