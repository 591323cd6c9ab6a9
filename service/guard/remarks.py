"""Secrets and personal data in what people write about answers: masked before it is stored, as questions are."""

from collections.abc import Callable, Mapping, Sequence

from ingestion.scrub import Scrubber
from service.guard.chain import Digests, Guard, apply_all, switched
from service.guard.checks.pii import PiiGuard
from service.guard.checks.secrets import SecretGuard
from service.scope.policy import GuardPolicy


def redactors(policy: GuardPolicy, scrubber: Scrubber, digests: Digests) -> list[Guard]:
    """What masks a question of an assistant, without the rest of its guards."""
    secrets, pii = policy.input["secrets"], policy.input["pii"]
    return switched(
        [(secrets, SecretGuard(digests, tuple(secrets.allow))), (pii, PiiGuard(scrubber, digests))]
    )


class RemarkMasks:
    """By assistant, what masks its questions; `redactors` makes the guards anew for each text."""

    def __init__(self, redactors: Mapping[str, Callable[[], Sequence[Guard]]]) -> None:
        self._redactors = dict(redactors)

    def mask(self, text: str, assistant: str | None) -> str:
        """The text as it may be stored. Where the assistant isn't known, every assistant's policy is applied.

        What masks must not fail in silence: its errors end the request.
        """
        known = self._redactors.get(assistant) if assistant is not None else None
        for redactors in [known] if known is not None else self._redactors.values():
            text, _ = apply_all(redactors(), text, "input")
        return text
