"""Identifiers: part numbers, options, settings, versions, codes and names of languages, as words of their own.

An analysis by words takes `TX-2000` for `tx` and `2000`, `C#` for `c` and the `IT` desk for a pronoun. Here each of these
is one word more, the same for every way in which people write it: `TX-2000`, `TX 2000` and `tx2000` share one at least.
Knows nothing of languages.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b

# Words with signs within, which may begin with an option's hyphen or with a dot, and end like C++ and C#.
_SIGNS = r"[-_.\u2010\u2011]|::"
_TOKEN = re.compile(rf"(?<![\w.])(?:--?(?=[A-Za-z])|\.(?=[A-Za-z]))?\w++(?:(?:{_SIGNS})\w++)*+(?:\+\+|\#)?")
_SIGN = re.compile(_SIGNS)
_DIVIDER = re.compile(r"[-.\u2010\u2011]|::")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_LETTERS_OR_DIGITS = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)*")
_CAPITALS = re.compile(r"(?<![\w'’&-])[A-Z]{2,4}(?![\w'’&]|-\w)")
_SHOUTING_WORDS = 3
# Letters and digits in one word, but for ordinals and amounts (2nd, 5kg).
_MIXED = re.compile(r"[^\W\d_]{1,40}[-.]?\d")
_NUMBERED = re.compile(
    r"\b(?:codes?|errors?|status|errno|sqlstate|signal|port|rfc|fehler(?:code)?|c[oó]digo|erreur|estado)\W{1,3}(?:code\W{1,3})?(\d{1,9})\b",
    re.IGNORECASE,
)
_READ_CHARS = 2_000
# An address is no name of a thing.
_WITHIN = ("/", "@", "://")
# More changes between letters and digits make a check sum or a key, whose parts say nothing.
_MOST_PARTS = 4
_LONGEST = 60


def identifiers(text: str) -> Iterator[str]:
    """The identifiers of a text in small letters, each as a whole, and parted between letters and digits."""
    for found in _TOKEN.finditer(text):
        token = found[0]
        if not token.isalpha() and not token.isdecimal():
            yield from _of_token(token)
        elif len(token) >= _LONGEST:
            yield _short(token.lower())


def exact(question: str) -> frozenset[str]:
    """What a question asks for by its very name, as words of the index: options, settings, part numbers, versions, and the
    number behind a word such as code."""
    read = question[:_READ_CHARS]
    found = {match[1] for match in _NUMBERED.finditer(read)}
    for match in _TOKEN.finditer(read):
        token, before = match[0], read[max(0, match.start() - 3) : match.start()]
        if before.endswith(_WITHIN) or read.startswith(_WITHIN, match.end()):
            continue
        if token.startswith("-") or "_" in token.strip("_") or _MIXED.search(token):
            found.add(token.lower() if token.isalnum() else next(_of_token(token)))
    return frozenset(found)


def _of_token(token: str) -> Iterator[str]:
    """The token as a whole, its pieces that are identifiers themselves, and letters and digits of each apart."""
    option = token.startswith("-")
    body = token.lstrip("-")
    whole = _joined(body)
    if option:
        yield _short(f"-{whole}")
    # What is letters and digits alone is a word of the analysis already, unless it is too long for it.
    if whole != body.lower() or len(whole) >= _LONGEST or not whole.isalnum():
        yield _short(whole)
    pieces = _pieces(body)
    for piece in pieces:
        if len(pieces) > 1 and "_" in piece.strip("_"):
            yield _short(_joined(piece))
        for run in piece.split("_"):
            parts = _LETTERS_OR_DIGITS.findall(run)
            if 2 <= len(parts) <= _MOST_PARTS:
                yield from (part.lower() for part in parts)
            elif parts and "." in parts[0] and len(pieces) > 1:
                yield parts[0]


def _pieces(body: str) -> list[str]:
    """What stands between signs; a number with points is one piece, and so is a name with underscores."""
    kept = _POINT.sub("\0", body.strip("-.+#"))
    return [piece.replace("\0", ".") for piece in _DIVIDER.split(kept)]


def _joined(body: str) -> str:
    """A token in small letters without signs within, but for points of numbers and what makes it another word."""
    begin = "." if body.startswith(".") else ""
    end = next((sign for sign in ("++", "#") if body.endswith(sign)), "")
    kept = _POINT.sub("\0", body.removesuffix(end))
    return f"{begin}{_SIGN.sub('', kept)}{end}".replace("\0", ".").lower()


def _short(word: str) -> str:
    """The word, or where it is very long a digest of it."""
    return (
        word if len(word) < _LONGEST else blake2b(word.encode("utf-8", "replace"), digest_size=16).hexdigest()
    )


def abbreviations(text: str) -> Iterator[str]:
    """Words of two to four capitals, in small letters: `IT`, `US`. None of a line that has capitals alone."""
    for line in text.split("\n"):
        found = _CAPITALS.findall(line)
        if found and (any(c.islower() for c in line) or len(line.split()) <= _SHOUTING_WORDS):
            yield from (word.lower() for word in found)
