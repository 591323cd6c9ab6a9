"""Whether a country gives a telephone number out (`phonenumbers`, Apache-2.0), which is loaded where there may be one."""

from collections.abc import Iterable

from phonenumbers import NumberParseException, is_valid_number, parse

ALL = (
    "US GB IE DE AT CH FR BE NL LU ES PT IT PL CZ SK HU RO BG GR DK SE NO FI EE LV LT SI HR TR RU UA"
    " BR MX AR CL CO IN JP KR CN AU NZ ZA SG IL"
).split()
# Where nobody dials a number without the 0 in front, whatever the plan would allow.
_WITH_ZERO = frozenset("GB IE DE AT CH FR BE NL SE FI RO BG SK HR SI TR UA JP KR AU NZ ZA IL".split())


def is_given_out(number: str, regions: Iterable[str] = ALL) -> bool:
    """Whether one of the regions (ISO 3166) could give the number out, as it is dialled there."""
    has_prefix = number.lstrip(" (")[:1] in ("0", "+")
    return any(_is_valid(number, region) for region in regions if has_prefix or region not in _WITH_ZERO)


def _is_valid(number: str, region: str) -> bool:
    try:
        return is_valid_number(parse(number, region))
    except NumberParseException:
        return False
