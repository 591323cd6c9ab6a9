"""Keys, tokens and passwords: their forms, and where they stand in a text. One list for what is indexed and what is said."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.scrub.views import View, bare

# What issuers begin their keys with so that scanners can find them, and what follows.
_CREDENTIALS: dict[str, tuple[str, str]] = {
    "AWS_KEY": (r"(?:AKIA|ASIA|ABIA|ACCA)", r"[A-Z0-9]{16}"),
    "GITHUB_TOKEN": (r"(?:gh[pousr]|github_pat)_", r"[A-Za-z0-9_]{36,}"),
    "GITLAB_TOKEN": (r"glpat-", r"[A-Za-z0-9_-]{20,}"),
    # Not names of several words, such as sk-ecdsa-sha2-nistp256-cert-v01.
    "OPENAI_KEY": (
        r"sk-",
        r"(?!(?:[a-z]{0,12}\d{0,5}-){2,8}[a-z]{0,12}\d{0,5}(?![A-Za-z0-9_-]))[A-Za-z0-9_-]{20,}",
    ),
    "STRIPE_KEY": (r"[rs]k_(?:live|test)_", r"[A-Za-z0-9]{16,}"),
    "SLACK_TOKEN": (r"xox[abeprs]-", r"[A-Za-z0-9-]{10,}"),
    "GOOGLE_KEY": (r"AIza", r"[A-Za-z0-9_-]{35}"),
    "NPM_TOKEN": (r"npm_", r"[A-Za-z0-9]{36}"),
    "PYPI_TOKEN": (r"pypi-", r"[A-Za-z0-9_-]{50,}"),
    "HUGGINGFACE_TOKEN": (r"hf_", r"[A-Za-z0-9]{30,}"),
    "SENDGRID_KEY": (r"SG\.", r"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "TELEGRAM_TOKEN": (r"\d{8,10}:AA", r"[A-Za-z0-9_-]{33}"),
    "TOUCHSTONE_KEY": (r"ts-", r"[A-Za-z0-9]{6,}-[A-Za-z0-9_-]{16,}"),
    # With a longest header, since every `eyJ` may begin one.
    "JWT": (r"eyJ", r"[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
# Patterns by name of what is a credential by its form alone.
CREDENTIALS = {name: rf"\b{begin}{rest}\b" for name, (begin, rest) in _CREDENTIALS.items()}
# All of them as one pattern, and how any of them begins. One word boundary for all is five times as fast as one each.
CREDENTIAL = rf"\b(?:{'|'.join(begin + rest for begin, rest in _CREDENTIALS.values())})\b"
CREDENTIAL_BEGIN = rf"\b(?:{'|'.join(begin for begin, _ in _CREDENTIALS.values())})"
# user:password@ in any URL (RFC 3986, 3.2.1)
URL_PASSWORD = r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]+:[^\s/@]+@[^\s]+"
_NAMES = r"(?:api[_-]?key|secret|token|passwd|password|pwd|client[_-]?secret|access[_-]?key)"
# A value that is a secret because of the name before it.
ASSIGNED = (
    rf"(?i:\b{_NAMES}[\"']?[=:][\"']?)"
    r"(?=[^\s\"']{0,200}\d)(?=[^\s\"']{0,200}[A-Za-z])[^\s\"'<>]{12,}"
)
# All patterns by the name under which guards report them. None holds a space or matches fewer than ten characters.
FORMS = {**CREDENTIALS, "URL_PASSWORD": URL_PASSWORD, "ASSIGNED": ASSIGNED}

KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----")
KEY_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----")
# Between the lines of a key, which may be written in one string with `\n`. What is possessive is never read twice.
_GAP = r"(?:\s|\\[nr])++"
_LINE = rf"{_GAP}[A-Za-z0-9+/=]"
# A private key with its lines (RFC 7468; `Name: value` before them, RFC 1421). Without its end, short words are prose.
PRIVATE_KEY = re.compile(
    rf"{KEY_BEGIN.pattern}(?:{_GAP}[A-Za-z-]{{1,40}}: [^\n\\]{{1,80}}){{0,4}}"
    rf"(?:(?:{_LINE}++)*+{_GAP}{KEY_END.pattern}|(?:{_LINE}{{16,}}+)*+)"
)

# What people write: a blank before the value, the name in their language, `is`. The value alone is the secret.
_SPOKEN_NAMES = (
    rf"(?:{_NAMES}|(?:api|access) key|client secret|pass[ _-]?phrase|passwort|kennwort|contrase[nñ]a|passe|senha"
    r"|parola)"
)
_SPOKEN_TWO = re.compile(r"(?i:\b(?:api|access|client|pass) ?)\Z")
# One of these is in each of the names.
_SPOKEN_PARTS = ("pass", "key", "secret", "token", "pwd", "kennwort", "contrase", "senha", "parola")
_SPOKEN = re.compile(
    rf"(?i:\b{_SPOKEN_NAMES}[\"']?\s{{0,3}}(?:[=:]|\b(?:is|ist|es|est|lautet)\b)\s{{0,3}})[\"'`]?"
    r"(?=[^\s\"']{0,200}\d)(?=[^\s\"']{0,200}[A-Za-z])(?!\d+-[a-z]+\b)(?P<value>[^\s\"'`<>]{8,})"
)
_SPOKEN_BEGIN = re.compile(
    rf"(?i:\b{_SPOKEN_NAMES}[\"']?\s{{0,3}}(?:[=:]|\bi?s?t?\b|\bes?t?\b|\blau?t?e?t?\b)?\s{{0,3}})[\"'`]?\S{{0,200}}\Z"
)
# Beginnings letter by letter, since a blank or a sign may part any two of them.
_BEGINNINGS = {
    "AKIA": "AWS_KEY", "ASIA": "AWS_KEY", "ABIA": "AWS_KEY", "ACCA": "AWS_KEY",
    **dict.fromkeys(("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), "GITHUB_TOKEN"),
    "glpat-": "GITLAB_TOKEN", "sk-": "OPENAI_KEY", "AIza": "GOOGLE_KEY", "npm_": "NPM_TOKEN", "pypi-": "PYPI_TOKEN",
    **dict.fromkeys(("rk_live_", "rk_test_", "sk_live_", "sk_test_"), "STRIPE_KEY"),
    **dict.fromkeys(("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-"), "SLACK_TOKEN"),
    "hf_": "HUGGINGFACE_TOKEN", "SG.": "SENDGRID_KEY", "ts-": "TOUCHSTONE_KEY", "eyJ": "JWT",
}  # fmt: skip
_CUT = r"[\s*|,+\"'`·•]{1,3}"


def _partial(begin: str) -> str:
    """A pattern of every beginning of a beginning."""
    pattern = ""
    for character in reversed(begin):
        pattern = re.escape(character) + (rf"(?:(?:{_CUT})?{pattern})?" if pattern else "")
    return pattern


_PARTED_BEGIN = re.compile(
    r"\b(?=[AabeghnprstSx])(?:"
    + "|".join(rf"(?:{_CUT})?".join(map(re.escape, begin)) for begin in _BEGINNINGS)
    + ")"
)
_MOST_PIECES, _MOST_CHARS = 60, 400
_PIECE = re.compile(rf"(?P<gap>{_CUT})?(?P<piece>[A-Za-z0-9_.-]{{1,{_MOST_CHARS}}})")
# The text ends amid a beginning, which has so many characters at most with all that parts them; or amid characters alone.
_PARTIAL_BEGIN = re.compile(rf"\b(?:{'|'.join(map(_partial, _BEGINNINGS))})(?:{_CUT})?\Z")
_PARTIAL_CHARS = 36
_LETTERS_APART = re.compile(rf"(?<!\S)\S(?:{_CUT}\S)*+(?:{_CUT})?\Z")
_FULL = {name: re.compile(begin + rest) for name, (begin, rest) in _CREDENTIALS.items()}
_SHORTEST = 14
_LEAST_DIGITS = 6
_LAST_GAP = re.compile(rf"(?:{_CUT})?")
_WORDLIKE = re.compile(r"[A-Z]?[a-z]+[.,]?")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret at `start:end` (characters) and the form by which it was known."""

    form: str
    start: int
    end: int


_CREDENTIAL = re.compile(CREDENTIAL)
_URL_PASSWORD = re.compile(URL_PASSWORD, re.IGNORECASE)
_PATTERN = re.compile("|".join(f"(?P<{name}>{form})" for name, form in FORMS.items()))
# No form has a space or fewer than ten characters.
_LONG = re.compile(r"(?<!\S)\S{10,}")


def url_passwords_in(text: str) -> Iterator[tuple[int, int]]:
    """Addresses with a password."""
    return (found.span() for found in _URL_PASSWORD.finditer(text)) if "://" in text else iter(())


def credentials_in(text: str) -> Iterator[tuple[int, int]]:
    """What is a credential by its form alone; accents, invisible characters and blanks hide none."""
    view = bare(text)
    for found in _CREDENTIAL.finditer(view.text):
        yield view.span(*found.span())
    for secret in _parted(view.text):
        yield view.span(secret.start, secret.end)


def secrets_in(text: str) -> list[Secret]:
    """Secrets of all forms from left to right, without overlaps; invisible characters, accents and blanks hide none."""
    view = bare(text)
    found = [*_by_word(view.text), *_spoken(view.text), *_parted(view.text)]
    return [_written(secret, view) for secret in apart(found)]


def _by_word(text: str) -> Iterator[Secret]:
    for word in _LONG.finditer(text):
        for found in _PATTERN.finditer(word[0]):
            yield Secret(str(found.lastgroup), word.start() + found.start(), word.start() + found.end())


def _spoken(text: str) -> Iterator[Secret]:
    for found in _SPOKEN.finditer(text) if _may_be_spoken(text) else ():
        yield Secret("ASSIGNED", *found.span("value"))


def _written(secret: Secret, view: View) -> Secret:
    return Secret(secret.form, *view.span(secret.start, secret.end))


def apart(found: list[Secret]) -> list[Secret]:
    """What overlaps is one secret, from the first beginning to the last end."""
    merged: list[Secret] = []
    for secret in sorted(found, key=lambda secret: (secret.start, -secret.end)):
        if merged and secret.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Secret(last.form, last.start, max(last.end, secret.end))
        else:
            merged.append(secret)
    return merged


def _parted(text: str) -> Iterator[Secret]:
    """Keys with blanks or signs between their characters."""
    position = 0
    for begin in _PARTED_BEGIN.finditer(text):
        if begin.start() < position:
            continue
        end, has_gaps, _ = _read_key(text, begin)
        position = max(position, end)
        if end and has_gaps:
            yield Secret(_form_of(begin), begin.start(), end)


def _form_of(begin: re.Match[str]) -> str:
    return _BEGINNINGS[re.sub(_CUT, "", begin[0])]


def _read_key(text: str, begin: re.Match[str]) -> tuple[int, bool, bool]:
    """Where the key that begins so ends (0: it is none), whether anything parts it, and whether it may go on."""
    key = re.sub(_CUT, "", begin[0])
    full, end, position = _FULL[_BEGINNINGS[key]], 0, begin.end()
    has_gaps = key != begin[0]
    pieces: list[str] = []
    while len(pieces) < _MOST_PIECES and len(key) < _MOST_CHARS:
        found = _PIECE.match(text, position)
        if found is None or (end and not _goes_on(found, pieces[-1])):
            break
        position, key = found.end(), key + found["piece"]
        has_gaps = has_gaps or found["gap"] is not None
        pieces.append(found["piece"])
        if not end and len(key) >= _SHORTEST and full.fullmatch(key):
            if not _is_key(key, pieces):
                return 0, has_gaps, False
            end = position
        elif end:
            end = position
    return end, has_gaps, _LAST_GAP.fullmatch(text, position) is not None


def _goes_on(found: re.Match[str], last: str) -> bool:
    """Whether a piece behind a whole key belongs to it: it looks like no word and no year."""
    piece = found["piece"]
    if found["gap"] is None or len(piece) == len(last) == 1:
        return True
    digits = sum(map(str.isdigit, piece))
    return digits >= _LEAST_DIGITS or (digits > 0 and any(map(str.isalpha, piece)))


def _is_key(key: str, pieces: list[str]) -> bool:
    """Whether pieces are those of a key, and no sentence after a word such as `sk-learn`."""
    if len(pieces) < 2:
        return True
    words = sum(_WORDLIKE.fullmatch(piece) is not None and len(piece) > 1 for piece in pieces)
    return any(map(str.isdigit, key)) and words * 2 <= len(pieces)


def unfinished_secret(text: str) -> int | None:
    """Where the text's end begins that may yet turn out to be a secret; None where there is no such end."""
    starts = [begin.start() for begin in _PARTED_BEGIN.finditer(text) if _read_key(text, begin)[2]]
    if begin := _PARTIAL_BEGIN.search(text, max(0, len(text) - _PARTIAL_CHARS)):
        starts.append(begin.start())
    spoken = _SPOKEN_TWO.search(text) or (_SPOKEN_BEGIN.search(text) if _may_be_spoken(text) else None)
    starts += [spoken.start()] if spoken else []
    if not text[-2:].isalnum() and (begin := _LETTERS_APART.search(text)):
        starts.append(begin.start())
    return min(starts, default=None)


def _may_be_spoken(text: str) -> bool:
    small = text.lower()
    return any(word in small for word in _SPOKEN_PARTS)
