"""Keys, tokens and passwords of systems: taken out of questions and answers, whatever the policy on personal data."""

import re
from fnmatch import fnmatchcase

from service.guard.chain import Digests, Verdict
from service.scope.policy import Zone

MASK = "<SECRET>"
# Forms that issuers gave their keys so that scanners can find them.
_FORMS: dict[str, str] = {
    "AWS_KEY": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "GITHUB_TOKEN": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b",
    "GITLAB_TOKEN": r"\bglpat-[A-Za-z0-9_-]{20,}\b",
    "OPENAI_KEY": r"\bsk-[A-Za-z0-9_-]{20,}\b",
    "STRIPE_KEY": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}\b",
    "SLACK_TOKEN": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}\b",
    "GOOGLE_KEY": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "NPM_TOKEN": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PYPI_TOKEN": r"\bpypi-[A-Za-z0-9_-]{50,}\b",
    "HUGGINGFACE_TOKEN": r"\bhf_[A-Za-z0-9]{30,}\b",
    "SENDGRID_KEY": r"\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\b",
    "TELEGRAM_TOKEN": r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "TOUCHSTONE_KEY": r"\bts-[A-Za-z0-9]{6,}-[A-Za-z0-9_-]{16,}\b",
    "JWT": r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\b",
    "URL_PASSWORD": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]+:[^\s/@]+@[^\s]+",
    "ASSIGNED": r"(?i:\b(?:api[_-]?key|secret|token|passwd|password|pwd|client[_-]?secret|access[_-]?key)[\"']?[=:][\"']?)"
    r"(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[^\s\"'<>]{12,}",
}  # fmt: skip
_PATTERN = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()))
# No form has a space or fewer than fourteen characters.
_LONG = re.compile(r"(?<!\S)\S{14,}")
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----")
# Several plain words in a row show that a key's block has ended without saying so.
_PLAIN_WORD = re.compile(r"\s*[A-Za-z'’]{1,12}[.,;:]?\s*$")
_PROSE_WORDS = 4


class SecretGuard:
    """One for each text or stream: within a private key's block it remembers that it is inside."""

    name = "secrets"

    def __init__(self, digests: Digests, allow: tuple[str, ...] = ()) -> None:
        self._digests = digests
        self._allow = tuple(pattern.casefold() for pattern in allow)
        self._is_inside = False
        self._prose: list[str] = []

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text with `<SECRET>` in place of secrets, and a verdict for each."""
        verdicts: list[Verdict] = []
        if self._is_inside or "-----BEGIN" in text:
            text = self._blocks(text, zone, verdicts)
        offset = 0

        def mask(found: re.Match[str]) -> str:
            value = found[0]
            if any(fnmatchcase(value.casefold(), pattern) for pattern in self._allow):
                return value
            verdicts.append(
                Verdict(
                    self.name,
                    zone,
                    "redact",
                    str(found.lastgroup),
                    1.0,
                    offset + found.start(),
                    offset + found.end(),
                    self._digests.of(value),
                )
            )
            return MASK

        def within(word: re.Match[str]) -> str:
            nonlocal offset
            offset = word.start()
            return _PATTERN.sub(mask, word[0])

        return _LONG.sub(within, text), verdicts

    def _blocks(self, text: str, zone: Zone, verdicts: list[Verdict]) -> str:
        """The text without private keys, the last of which may go on in what comes next."""
        kept: list[str] = []
        position = 0
        while position < len(text):
            if self._is_inside:
                end = _END.search(text, position)
                kept.append(self._prose_in(text[position : end.start() if end else len(text)]))
                if end:
                    self._is_inside, self._prose = False, []
                elif self._is_inside:
                    break
                position = end.end() if end else len(text)
                continue
            begin = _BEGIN.search(text, position)
            if begin is None:
                kept.append(text[position:])
                break
            kept += [text[position : begin.start()], MASK]
            verdicts.append(
                Verdict(self.name, zone, "redact", "PRIVATE_KEY", 1.0, begin.start(), begin.end())
            )
            position, self._is_inside, self._prose = begin.end(), True, []
        return "".join(kept)

    def _prose_in(self, body: str) -> str:
        """Nothing of a key's body; several plain words in a row show that the block has ended without saying so."""
        for word in re.finditer(r"\s*\S+\s*", body):
            if not self._is_inside:
                return body[word.start() :]
            self._prose = [*self._prose, word[0]] if _PLAIN_WORD.match(word[0]) else []
            if len(self._prose) == _PROSE_WORDS:
                self._is_inside = False
                return " " + "".join(self._prose).lstrip() + body[word.end() :]
        return ""
