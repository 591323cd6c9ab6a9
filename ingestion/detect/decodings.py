"""Readings of a text: as written, without invisible characters, with look-alike letters replaced, decoded.

Every detector reads every view and reports where in the text as written its finding stands. Knows nothing of what
detectors look for.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from ingestion.text.clean import INVISIBLE, TAGS, tagged_text

Kind = Literal["written", "plain", "hidden", "decoded", "turned", "joined"]
# Letters of other alphabets that look like Latin ones (after Unicode TR 39's confusables, the common part).
LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏοαεικνρτυχАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧɑɡıᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢꜱ",
    "aeopcyxijsdhloaeiknptuxABEKMHOPCTYXIJSABEZHIKMNOPTYXagiabcdeghijklmnoprtuvwyzs",
)
_LEET_SIGNS = "013457@$!|"
_LEET = str.maketrans(_LEET_SIGNS, "oieastasil")
# Runs of word characters and signs that hold a sign; their words are looked for within them, so that each is read once.
_LEET_RUN = re.compile(r"(?<![\w@$!|])[^\W013457]*+[013457@$!|][\w@$!|]*")
_LEET_WORD = re.compile(r"(?<!\w)[A-Za-z013457@$!|]{3,20}(?!\w)")
_SPACED = re.compile(r"(?<!\w)\w(?:[ .\-_*]\w){3,}(?!\w)")
# Common words tell text in a language from a cipher of it. English, since ciphers are aimed at models trained in it.
_COMMON = frozenset(
    "the of and to in is a you that it for on are as with be this have from or not your all can an will my what how who do me"
    " say tell now was were has which by at but if they their we our he she his her no so up out about then when where why did"
    " ignore previous instructions write user please give show answer name first time word only its into them than other".split()
)
# And common words of other languages, so that their sentences are not taken for ciphers.
_NATURAL = _COMMON | frozenset(
    "der die das und ist ein eine nicht sie ich zu den von mit auf für im sich dem des es bei el la los las de que en un una por para con no"
    " se su del al le les des du et est une dans pour sur au qui il che di per non della sono da o os as em um uma com na het een van niet op"
    " zijn voor met aan i w na z do jest się på och att som är det til og av".split()
)
_LEAST_WORDS = 4
_LEAST_COMMON = 0.25
_BASE64 = re.compile(r"(?<![\w+/=])(?:[A-Za-z0-9+/_-]{4}){5,}[A-Za-z0-9+/_-]{0,3}={0,2}(?![\w+/])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:]?){12,}(?![0-9A-Za-z])")
_BINARY = re.compile(r"(?<!\d)[01]{8}(?:\s?[01]{8}){5,}(?!\d)")
_MORSE = re.compile(r"(?<![\w.-])(?:[.-]{1,5}[ /]+){5,}[.-]{1,5}(?![\w])")
_SIGNS = re.compile(r"[.-][ /]+[.-]")
_LEAST_BYTES, _LEAST_BASE64 = 12, 20
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|&#x?[0-9a-fA-F]{2,5};|%[0-9A-Fa-f]{2}){6,}")
_LETTERS_OF_MORSE = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
_MORSE_CODE = dict(zip(_LETTERS_OF_MORSE.split(), "abcdefghijklmnopqrstuvwxyz", strict=True))
_PIG = re.compile(r"\b([a-z]+?)([bcdfghjklmnpqrstvwxz]{1,3})ay\b", re.IGNORECASE)
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_LATIN_WORDS = re.compile(r"[a-z]+")
_LATIN = re.compile(r"[A-Za-z]")
_MOST_DECODED = 20
_LINE_END = re.compile(r"(?<=[.!?\n])")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_SHIFTS = tuple(
    str.maketrans(_ALPHABET + _ALPHABET.upper(), turned + turned.upper())
    for turned in (_ALPHABET[shift:] + _ALPHABET[:shift] for shift in range(1, 26))
)


@dataclass(frozen=True, slots=True)
class Decoding:
    """A reading of a text. `origin[i]` is the offset of character `i` in the text as written; a decoded piece has no
    origins, and all of it stands at `start:end`."""

    kind: Kind
    text: str
    start: int
    end: int
    origin: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the text as written."""
        if self.kind == "written":
            return start, end
        if self.origin is None or start >= end:
            return self.start, self.end
        return self.origin[start], self.origin[end - 1] + 1


def decodings_of(text: str) -> list[Decoding]:
    """The text as written first, then every other reading that differs from it."""
    found = [Decoding("written", text, 0, len(text))]
    base = text
    if not text.isascii():
        plain = _plain(text)
        if plain.text != text:
            found.append(plain)
            base = plain.text
        for match in TAGS.finditer(text):
            found.append(Decoding("hidden", tagged_text(match[0]), match.start(), match.end()))
    origin = found[1] if base is not text else None
    for decoding in (*_decoded(base), *_turned(base), *_joined(base)):
        start, end = origin.span(decoding.start, decoding.end) if origin else (decoding.start, decoding.end)
        found.append(Decoding(decoding.kind, decoding.text, start, end))
    return found


def fold(text: str) -> str:
    """One spelling for one look: NFKC, no invisible characters, look-alike letters as Latin ones."""
    return text if text.isascii() else _plain(text).text


def _plain(text: str) -> Decoding:
    parts: list[str] = []
    origin: list[int] = []
    position = foreign = 0
    for match in _FOREIGN.finditer(text):
        parts.append(text[position : match.start()])
        origin.extend(range(position, match.start()))
        for place, character in enumerate(match[0], start=match.start()):
            if INVISIBLE.match(character):
                continue
            folded = unicodedata.normalize("NFKC", character)
            foreign += character.isalpha()
            parts.append(folded)
            origin.extend([place] * len(folded))
        position = match.end()
    parts.append(text[position:])
    origin.extend(range(position, len(text)))
    plain = "".join(parts)
    # A text in Cyrillic or Greek is one, and no disguise.
    if foreign < len(_LATIN.findall(plain)):
        plain = plain.translate(LOOKALIKES)
    return Decoding("plain", plain, 0, len(text), origin)


# Encodings.


def _decoded(text: str) -> Iterator[Decoding]:
    count = 0
    for pattern, decode, may_be in _DECODERS:
        for match in pattern.finditer(text) if may_be(text) else ():
            decoded = decode(match[0])
            if decoded is None or not _reads_like_text(decoded):
                continue
            yield Decoding("decoded", decoded, match.start(), match.end())
            count += 1
            if count == _MOST_DECODED:
                return


def _from_base64(piece: str) -> str | None:
    plain = piece.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _from_hex(piece: str) -> str | None:
    digits = re.sub(r"0x|\\x|[ ,:]", "", piece)
    try:
        return bytes.fromhex(digits).decode("utf-8")
    except ValueError:
        return None


def _from_binary(piece: str) -> str | None:
    digits = "".join(piece.split())
    try:
        return bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8)).decode("utf-8")
    except ValueError:
        return None


def _from_morse(piece: str) -> str | None:
    words = re.split(r"\s*/\s*|\s{2,}", piece.strip())
    return " ".join("".join(_MORSE_CODE.get(sign, "?") for sign in word.split()) for word in words)


def _from_escapes(piece: str) -> str | None:
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), piece)
    return unquote(html.unescape(text))


def _has_bytes(text: str) -> bool:
    """Whether there are enough digits for encoded text: an ASCII letter has one in hexadecimal and eight in binary."""
    return sum(map(text.count, "0123456789")) >= _LEAST_BYTES


def _has_long_word(text: str) -> bool:
    return max(map(len, text.split()), default=0) >= _LEAST_BASE64


# Each with a cheap necessary condition, since few texts hold any.
_DECODERS: tuple[tuple[re.Pattern[str], Callable[[str], str | None], Callable[[str], bool]], ...] = (
    (_BINARY, _from_binary, _has_bytes),
    (_HEX, _from_hex, _has_bytes),
    (_BASE64, _from_base64, _has_long_word),
    (_MORSE, _from_morse, lambda text: "." in text and "-" in text and bool(_SIGNS.search(text))),
    (_ESCAPES, _from_escapes, lambda text: "\\u" in text or "&#" in text or "%" in text),
)


def _reads_like_text(text: str) -> bool:
    """Whether it is printable and mostly letters; what a key or a hash decodes to is not."""
    letters = sum(c.isalpha() or c.isspace() for c in text)
    return len(text) >= 8 and text.replace("\n", " ").isprintable() and letters >= 0.7 * len(text)


# Ciphers that any reader can turn back.


def _turned(text: str) -> Iterator[Decoding]:
    """Reads Caesar's cipher of any shift, reversed words or letters, and Pig Latin, line by line."""
    offset = 0
    for line in _LINE_END.split(text):
        start, offset = offset, offset + len(line)
        words = _LATIN_WORDS.findall(line.lower())
        if len(words) < _LEAST_WORDS or sum(map(_NATURAL.__contains__, words)) * 10 >= len(words):
            continue
        best = max(_turns(line), key=_common)
        if _common(best) >= _LEAST_COMMON:
            yield Decoding("turned", best, start, offset)


def _common(text: str) -> float:
    words = _LATIN_WORDS.findall(text.lower())
    return sum(map(_COMMON.__contains__, words)) / max(len(words), 1)


def _turns(line: str) -> Iterator[str]:
    yield line[::-1]
    yield _PIG.sub(lambda found: found[2] + found[1], re.sub(r"\b(\w+)[wy]ay\b", r"\1", line))
    for shift in _SHIFTS:
        yield line.translate(shift)


# Letters parted or swapped for digits.


def _joined(text: str) -> Iterator[Decoding]:
    """The text with spaced-out letters joined and digits read as letters; the same text where it has neither."""
    joined = _SPACED.sub(lambda found: re.sub(r"[ .\-_*]", "", found[0]), text)
    joined = _LEET_RUN.sub(_unleet_run, joined)
    if joined != text:
        yield Decoding("joined", joined, 0, len(text))


def _unleet_run(found: re.Match[str]) -> str:
    """The run with its words read as letters; a word begins no later than the run's last letter and its last sign."""
    run = found[0]
    letter = max((i for i, c in enumerate(run) if c.isascii() and c.isalpha()), default=-1)
    last = min(letter, max(map(run.rfind, _LEET_SIGNS)))
    return _LEET_WORD.sub(lambda word: _unleet(word) if word.start() <= last else word[0], run)


def _unleet(found: re.Match[str]) -> str:
    word = found[0]
    # 4K, mp3, B2B and order numbers are no words in disguise.
    if sum(c.isalpha() for c in word) < 2 or (word.isupper() and len(word) > 5) or word[-1] in "!|":
        return word
    return word.translate(_LEET)
