"""Bytes to text: by what the sender says, by marks and zeros, as UTF-8 with a few faults, else by the letters of languages."""

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from ingestion.errors import SourceError

_SAMPLE_BYTES = 65_536
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Names under which senders send a larger set of characters (WHATWG Encoding Standard, section 4.2).
_MEANT = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "euc_kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
# Who says one of these says nothing of bytes above 127.
_SAYS_NOTHING = ("ascii", "utf-8")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_MOST_CONTROLS = 0.02

# The letters beyond ASCII that languages write, by the encodings in which they are stored, the likeliest first.
_WESTERN = ("äöüß", "àâæçéèêëîïôœùûü", "áéíñóúü", "àèéìòù", "ãõâêôáíóúàçé", "ëïéóèü", "åäöæøé", "áðéíóúýþæö")
_CENTRAL = ("áčďéěíňóřšťúůýž", "ąćęłńóśźż", "áéíóöőúüű", "čćđšž", "ăâîşţ", "áäčďéíĺľňóôŕšťúýž")
_LATIN = (
    ("cp1252", _WESTERN),
    ("cp1250", _CENTRAL),
    ("cp1254", ("çğıöşüi\u0307âî",)),
    ("cp1257", ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")),
    ("cp850", _WESTERN),
    ("mac_roman", _WESTERN),
    ("cp852", _CENTRAL),
)
# Encodings of other scripts that are still met; a guess among a hundred takes short texts for what nobody writes.
_OTHERS = [
    "cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030",
    "big5", "cp949", "cp1252", "cp1250",
]  # fmt: skip


def decode(data: bytes, charset: str | None = None) -> str:
    """Text of `data`, which is in `charset` if the sender says so.

    A mark at the beginning counts most, then the sender's word. Without them it is UTF-8, also with a few wrong bytes,
    UTF-16 if every other byte is zero, else the likeliest encoding. Raises `SourceError` for binary data.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    said = codec_of(charset) if charset else None
    if said:
        return data.decode(said, errors="replace")
    text = _utf16(data) or _utf8(data)
    if text is None:
        text = data.decode(_guess(data[:_SAMPLE_BYTES]), errors="replace")
    return _checked(text)


def codec_of(charset: str) -> str | None:
    """The codec that reads what senders call `charset`; None for a name that says nothing, or that nobody knows."""
    try:
        name = codecs.lookup(charset.strip().strip("'\"")).name
        "".encode(name)  # codecs of other things than text raise
    except (LookupError, ValueError):
        return _MEANT.get(charset.strip().lower())
    return None if name in _SAYS_NOTHING else _MEANT.get(name, name)


def in_utf8(data: bytes, charset: str | None) -> bytes:
    """The bytes in UTF-8, where their sender says that they are in something else."""
    return decode(data, charset).encode() if charset and codec_of(charset) else data


def _utf16(data: bytes) -> str | None:
    """The text where one half of the bytes has zeros and the other none: UTF-16 without its mark."""
    sample = data[:_SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) / 50 or min(even, odd) > max(even, odd) / 50:
        return None
    text = data.decode("utf-16-le" if odd > even else "utf-16-be", errors="replace")
    head = text[:_SAMPLE_BYTES]
    odd_ones = sum(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\t\n\r\f" for c in head)
    return text if head and odd_ones <= len(head) * _MOST_CONTROLS else None


def _utf8(data: bytes) -> str | None:
    """The text if it is UTF-8, or if at most half of what isn't ASCII is wrong: such a byte is read by itself."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="surrogateescape")
    wrong = len(_NOT_UTF8.findall(text))
    if len(_NOT_ASCII.findall(text)) < 2 * wrong:
        return None
    return _NOT_UTF8.sub(lambda found: _alone(found[0]), text)


def _alone(escaped: str) -> str:
    byte = escaped.encode("utf-8", errors="surrogateescape")
    return byte.decode("cp1252", errors="replace")


def _guess(sample: bytes) -> str:
    """The likeliest encoding of text that is not UTF-8. Raises `SourceError` when there is none."""
    if _is_latin(sample):
        score, encoding = max(((_likeness(sample, encoding, languages), encoding) for encoding, languages in _LATIN),
                              key=lambda pair: pair[0])  # fmt: skip
        if score > 0:
            return encoding
    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    if best is None:
        raise SourceError("It is not text in any known encoding.")
    return best.encoding


def _is_latin(sample: bytes) -> bool:
    """Whether letters beyond ASCII stand within words of ASCII letters, or alone."""
    words = [word for word in _HIGH_WORD.findall(sample) if not word.isascii()]
    mixed = sum(len(word) == 1 or any(byte < 128 for byte in word) for word in words)
    return mixed >= 0.8 * len(words)


def _likeness(sample: bytes, encoding: str, languages: tuple[str, ...]) -> float:
    """How well the text looks like the best of some languages: 1 where all its letters are that language's.

    A sign between letters speaks against it, as does a control character.
    """
    text = sample.decode(encoding, errors="replace")
    found = [(match[0], text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1])
             for match in _NOT_ASCII.finditer(text)]  # fmt: skip
    letters = [sign.lower() for sign, _, _ in found if sign.isalpha()]
    strange = sum(_is_strange(*one) for one in found)
    known = max(sum(letter in language for letter in letters) for language in languages)
    return (2 * known - len(letters) - 2 * strange + 0.5 * (len(found) - len(letters))) / max(1, len(found))


def _is_strange(sign: str, before: str, after: str) -> bool:
    if sign.isalpha():
        return sign.isupper() and before.islower()
    if sign == "\ufffd" or unicodedata.category(sign).startswith("C") and sign != "\u00ad":
        return True
    return sign not in "’‘·\u00ad" and before.isalpha() and after.isalpha()


def _checked(text: str) -> str:
    """The text. Raises `SourceError` when it holds what no text holds."""
    if "\x00" in text:
        raise SourceError("It holds NUL bytes, so it is binary and not text.")
    return text
