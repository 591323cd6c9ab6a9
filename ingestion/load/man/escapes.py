"""Escapes of roff (groff(7)): fonts and motions go, named characters become what they show."""

import re
import unicodedata
from collections.abc import Mapping

_NAMED = {
    "aq": "'", "dq": '"', "bu": "•", "em": "—", "en": "–", "hy": "-", "mi": "-", "pl": "+", "eq": "=", "co": "©", "rg": "®",
    "tm": "™", "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "Bq": "„", "bq": "‚", "Fo": "«", "Fc": "»", "fo": "‹", "fc": "›",
    "ti": "~", "ha": "^", "ga": "`", "aa": "'", "rs": "\\", "sl": "/", "ba": "|", "br": "|", "ul": "_", "at": "@", "sh": "#",
    "Do": "$", "lB": "[", "rB": "]", "lC": "{", "rC": "}", "la": "⟨", "ra": "⟩", "->": "→", "<-": "←", "<>": "↔", "=>": "⇒",
    "ua": "↑", "da": "↓", "mu": "×", "di": "÷", "+-": "±", "<=": "≤", ">=": "≥", "!=": "≠", "==": "≡", "~~": "≈", "**": "*",
    "de": "°", "dg": "†", "dd": "‡", "sc": "§", "ps": "¶", "ct": "¢", "Eu": "€", "eu": "€", "Po": "£", "Ye": "¥", "ss": "ß",
    "12": "½", "14": "¼", "34": "¾", "S2": "²", "S3": "³", "S1": "¹", "fm": "′", "sd": "″", "if": "∞", "r!": "¡", "r?": "¿",
    "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "/o": "ø", "/O": "Ø", "Tp": "þ", "TP": "Þ", "Sd": "ð", "-D": "Ð", "/l": "ł",
    "/L": "Ł", "c*": "×", "lh": "☜", "rh": "☞", "OK": "✓", "ci": "○", "sq": "□", "t+-": "±", "hA": "⇔", "tno": "¬", "no": "¬",
    "*a": "α", "*b": "β", "*g": "γ", "*d": "δ", "*e": "ε", "*l": "λ", "*m": "μ", "mc": "µ", "*p": "π", "*s": "σ", "*w": "ω",
}  # fmt: skip
# The accents of characters such as `:a` (ä) and `'e` (é), as combining marks.
_ACCENTS = dict(zip(":'`^~,ov", "\u0308\u0301\u0300\u0302\u0303\u0327\u030a\u030c", strict=True))
_ONE = {
    "-": "-",
    "e": "\\",
    "\\": "\\",
    " ": " ",
    "~": " ",
    "0": " ",
    "t": " ",
    "'": "'",
    "`": "`",
    ".": ".",
    "E": "\\",
}
_ESCAPE = re.compile(
    r"""\\(?:
      ["\#].*                                            # a comment
    | (?P<font>[fFgkmMnVY]|s)[+-]?(?:\[[^\]\n]{0,100}\]|\(..|'[^'\n]{0,20}'|\d\d?|.)
    | \*(?:\[(?P<string>[^\]\n]{0,100})\]|\((?P<pair>..)|(?P<letter>.))
    | \[(?P<named>[^\]\n]{0,100})\]
    | \((?P<two>..)
    | (?P<motion>[ABbCDhHlLNoRSvwXxZ])'(?P<quoted>[^'\n]{0,200})'
    | (?P<single>.)
    | $
    )""",
    re.VERBOSE,
)


def plain(text: str, strings: Mapping[str, str] | None = None) -> str:
    """The text of a line without its escapes. `strings` are those that the page defined."""
    if "\\" not in text:
        return text
    known = strings or {}
    return _ESCAPE.sub(lambda found: _shown(found, known), text)


def _shown(found: re.Match[str], strings: Mapping[str, str]) -> str:
    name = found["string"] or found["pair"] or found["letter"]
    if name:
        return strings.get(name, "")
    character = found["named"] or found["two"] or (found["motion"] == "C" and found["quoted"])
    if character:
        return _character(character)
    return _ONE.get(found["single"] or "", "")


def _character(name: str) -> str:
    if name in _NAMED:
        return _NAMED[name]
    if len(name) == 2 and name[0] in _ACCENTS and name[1].isalpha():
        return unicodedata.normalize("NFC", name[1] + _ACCENTS[name[0]])
    if re.fullmatch(r"u[0-9A-F]{4,6}", name) and int(name[1:], 16) < 0x110000:
        return chr(int(name[1:], 16))
    return ""
