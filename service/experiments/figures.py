"""Numbers as people read them: with their unit, and no more digits than help."""

import math
from datetime import UTC, datetime, timedelta

NONE = "–"
_MINUS = "−"
_PERCENT = 100
_MOST_DECIMALS = 6
_SMALLEST_P = 0.0001
# Of differences.
ENDINGS = {"share": " points", "s": " s"}


def decimals(low: float | None, high: float | None, unit: str) -> int:
    """Decimals at which an interval's half width shows two digits; shares have one at least."""
    least = 1 if unit == "share" else 0
    if low is None or high is None or low == high:
        return least or 3
    half = abs(high - low) / 2 * (_PERCENT if unit == "share" else 1)
    return min(max(1 - math.floor(math.log10(half)), least), _MOST_DECIMALS)


def size(value: float, unit: str) -> str:
    """How large a difference is, whichever way it goes: `5 points`, `0.1 s`."""
    scaled = abs(value) * (_PERCENT if unit == "share" else 1)
    return f"{scaled:.4g}{ENDINGS.get(unit, '')}"


def level(value: float | None, unit: str, digits: int) -> str:
    """What a metric is in an arm: `49.9 %`, `0.311 s`."""
    if value is None:
        return NONE
    if unit == "share":
        return f"{_plain(value * _PERCENT, digits)} %"
    return f"{_plain(value, digits)} s" if unit == "s" else _plain(value, digits)


def change(value: float | None, unit: str, digits: int, *, has_unit: bool = True) -> str:
    """A difference with its sign; of shares in percentage points: `+11.2 points`."""
    if value is None:
        return NONE
    scaled = value * _PERCENT if unit == "share" else value
    ending = ENDINGS.get(unit, "") if has_unit else ""
    return f"{_signed(scaled, digits)}{ending}"


def span(low: float | None, high: float | None, unit: str, digits: int) -> str:
    """An interval of a difference: `+7.5 to +15.0 points`."""
    if low is None or high is None:
        return NONE
    return f"{change(low, unit, digits, has_unit=False)} to {change(high, unit, digits)}"


def relative(low: float | None, high: float | None) -> str:
    """An interval as parts of the control's metric: `+15 % to +31 %`."""
    if low is None or high is None:
        return NONE
    digits = decimals(low, high, "share")
    return f"{_signed(low * _PERCENT, digits)} % to {_signed(high * _PERCENT, digits)} %"


def percent(part: float, digits: int = 0) -> str:
    """A part of one."""
    return f"{part * _PERCENT:.{digits}f} %"


def count(number: float) -> str:
    """A whole number with commas."""
    return f"{number:,.0f}"


def chance(p: float | None) -> str:
    """A p-value with three digits at most."""
    if p is None:
        return NONE
    return f"below {_SMALLEST_P}" if p < _SMALLEST_P else f"{p:.2g}" if p < 1 else "1"


def moment(text: str) -> str:
    """`1 Nov 2026, 14:05 UTC`, from ISO 8601."""
    at = read(text)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def day(text: str) -> str:
    """`1 Nov 2026`."""
    at = read(text)
    return f"{at.day} {at:%b %Y}"


def days_between(first: str, last: str) -> str:
    """`12 days`, or hours where it is less than two days."""
    took = max(read(last) - read(first), timedelta())
    hours = took / timedelta(hours=1)
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"


def read(text: str) -> datetime:
    """A moment in UTC, which stands for itself where no zone is given."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _plain(value: float, digits: int) -> str:
    shown = f"{value:,.{digits}f}"
    return shown.replace("-", _MINUS)


def _signed(value: float, digits: int) -> str:
    shown = f"{value:+,.{digits}f}"
    is_zero = not any(digit in "123456789" for digit in shown)
    return (shown[1:] if is_zero else shown).replace("-", _MINUS)
