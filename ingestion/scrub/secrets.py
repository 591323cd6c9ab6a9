"""The forms of keys, tokens and passwords: one list for what is indexed and for what is said."""

import re

# What issuers begin their keys with so that scanners can find them, and what follows.
_CREDENTIALS: dict[str, tuple[str, str]] = {
    "AWS_KEY": (r"(?:AKIA|ASIA|ABIA|ACCA)", r"[A-Z0-9]{16}"),
    "GITHUB_TOKEN": (r"(?:gh[pousr]|github_pat)_", r"[A-Za-z0-9_]{36,}"),
    "GITLAB_TOKEN": (r"glpat-", r"[A-Za-z0-9_-]{20,}"),
    "OPENAI_KEY": (r"sk-", r"[A-Za-z0-9_-]{20,}"),
    "STRIPE_KEY": (r"[rs]k_(?:live|test)_", r"[A-Za-z0-9]{16,}"),
    "SLACK_TOKEN": (r"xox[abeprs]-", r"[A-Za-z0-9-]{10,}"),
    "GOOGLE_KEY": (r"AIza", r"[A-Za-z0-9_-]{35}"),
    "NPM_TOKEN": (r"npm_", r"[A-Za-z0-9]{36}"),
    "PYPI_TOKEN": (r"pypi-", r"[A-Za-z0-9_-]{50,}"),
    "HUGGINGFACE_TOKEN": (r"hf_", r"[A-Za-z0-9]{30,}"),
    "SENDGRID_KEY": (r"SG\.", r"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "TELEGRAM_TOKEN": (r"\d{8,10}:AA", r"[A-Za-z0-9_-]{33}"),
    "TOUCHSTONE_KEY": (r"ts-", r"[A-Za-z0-9]{6,}-[A-Za-z0-9_-]{16,}"),
    "JWT": (r"eyJ", r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
# Patterns by name of what is a credential by its form alone.
CREDENTIALS = {name: rf"\b{begin}{rest}\b" for name, (begin, rest) in _CREDENTIALS.items()}
# All of them as one pattern, and how any of them begins. One word boundary for all is five times as fast as one each.
CREDENTIAL = rf"\b(?:{'|'.join(begin + rest for begin, rest in _CREDENTIALS.values())})\b"
CREDENTIAL_BEGIN = rf"\b(?:{'|'.join(begin for begin, _ in _CREDENTIALS.values())})"
# user:password@ in any URL (RFC 3986, 3.2.1)
URL_PASSWORD = r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]+:[^\s/@]+@[^\s]+"
# A value that is a secret because of the name before it.
ASSIGNED = (
    r"(?i:\b(?:api[_-]?key|secret|token|passwd|password|pwd|client[_-]?secret|access[_-]?key)[\"']?[=:][\"']?)"
    r"(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[^\s\"'<>]{12,}"
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
