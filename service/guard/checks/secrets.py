"""Keys, tokens and passwords of systems: taken out of questions and answers, whatever the policy on personal data."""

import re
from fnmatch import fnmatchcase

from ingestion.scrub.secrets import KEY_BEGIN, KEY_END, Secret, apart, secrets_in
from service.guard.chain import Digests, Verdict
from service.guard.checks.coded import coded
from service.scope.policy import Zone

MASK = "<SECRET>"
# Several plain words in a row show that a key's block has ended without saying so.
_PLAIN_WORD = re.compile(r"\s*[A-Za-z'’]{1,12}[.,;:]?\s*$")
_PROSE_WORDS = 4


def _all_secrets(text: str) -> list[Secret]:
    """Secrets as they are written, and coded pieces that hold one."""
    found = secrets_in(text)
    for piece in coded(text):
        if secrets_in(piece.text) or KEY_BEGIN.search(piece.text):
            found.append(Secret("CODED", piece.start, piece.end))
    return apart(found)


class SecretGuard:
    """Masks secrets in one text or stream. It remembers between calls whether a private key's block is still open."""

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
        parts: list[str] = []
        position = 0
        for secret in _all_secrets(text):
            value = text[secret.start : secret.end]
            if any(fnmatchcase(value.casefold(), pattern) for pattern in self._allow):
                continue
            parts += [text[position : secret.start], MASK]
            position = secret.end
            verdicts.append(self._verdict(zone, secret, value))
        return "".join([*parts, text[position:]]), verdicts

    def _verdict(self, zone: Zone, secret: Secret, value: str) -> Verdict:
        digest = self._digests.of(value)
        return Verdict(self.name, zone, "redact", secret.form, 1.0, secret.start, secret.end, digest)

    def _blocks(self, text: str, zone: Zone, verdicts: list[Verdict]) -> str:
        """The text without private keys, the last of which may go on in what comes next."""
        kept: list[str] = []
        position = 0
        while position < len(text):
            if self._is_inside:
                end = KEY_END.search(text, position)
                kept.append(self._prose_in(text[position : end.start() if end else len(text)]))
                if end:
                    self._is_inside, self._prose = False, []
                elif self._is_inside:
                    break
                position = end.end() if end else len(text)
                continue
            begin = KEY_BEGIN.search(text, position)
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
        for word in re.finditer(r"\S+\s*", body):
            if not self._is_inside:
                return body[word.start() :]
            self._prose = [*self._prose, word[0]] if _PLAIN_WORD.match(word[0]) else []
            if len(self._prose) == _PROSE_WORDS:
                self._is_inside = False
                return " " + "".join(self._prose).lstrip() + body[word.end() :]
        return ""
