"""Numbers of list items in letters and Roman numerals."""

_MOST_LETTERS = 9
_LARGEST_ROMAN = 3_999
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"),
    (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def letters(number: int) -> str:
    """`a` to `z`, then `aa`, `bb`, as office programs count; other numbers in digits."""
    if number < 1:
        return str(number)
    return chr(97 + (number - 1) % 26) * min((number - 1) // 26 + 1, _MOST_LETTERS)


def roman(number: int) -> str:
    """`i`, `ii`, `iii`, `iv`; what Romans could not write in digits."""
    if not 0 < number <= _LARGEST_ROMAN:
        return str(number)
    text = ""
    for value, digits in _ROMAN:
        count, number = divmod(number, value)
        text += digits * count
    return text
