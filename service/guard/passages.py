"""What a caller reads of passages: in quotes, in results of a search, in their surroundings.

A source may keep personal data that not every reader of its documents is entitled to see. Answers mask it as they are
written; here is the same for what is shown of the documents themselves.
"""

from functools import lru_cache

from ingestion.scrub import Scrubber
from service.guard.chain import Digests, Verdict, apply_all, switched
from service.guard.checks.pii import PiiGuard
from service.guard.checks.secrets import SecretGuard
from service.scope.policy import GuardPolicy

# Passages are shown again and again; whole documents are not worth the memory.
_KNOWN, _KNOWN_CHARS = 4_000, 4_000


class PassageMasks:
    """Masks secrets, and personal data for those who are not entitled to it. Safe to share.

    `is_scrubbed` says that ingestion masked the same personal data everywhere, so that none is left to look for.
    """

    def __init__(
        self, policy: GuardPolicy, scrubber: Scrubber, digests: Digests, *, is_scrubbed: bool
    ) -> None:
        self._secrets, self._pii = policy.output["secrets"], policy.output["pii"]
        self._scrubber = scrubber
        self._digests = digests
        self._is_scrubbed = is_scrubbed
        self._known = lru_cache(_KNOWN)(self._masked)

    def is_entitled(self, groups: frozenset[str] | None) -> bool:
        """Whether a caller of these groups (None: all) sees personal data in passages that it may see."""
        allowed = frozenset(self._pii.groups)
        return bool(allowed) and (groups is None or not allowed.isdisjoint(groups))

    def read(self, text: str, groups: frozenset[str] | None) -> tuple[str, tuple[Verdict, ...]]:
        """The text as a caller may read it, and what was masked."""
        may_show = self._is_scrubbed or self.is_entitled(groups)
        mask = self._known if len(text) <= _KNOWN_CHARS else self._masked
        return mask(text, may_show)

    def _masked(self, text: str, may_show: bool) -> tuple[str, tuple[Verdict, ...]]:
        guards = switched([(self._secrets, SecretGuard(self._digests, tuple(self._secrets.allow)))])
        if not may_show:
            guards += switched([(self._pii, PiiGuard(self._scrubber, self._digests))])
        shown, verdicts = apply_all(guards, text, "output")
        return shown, tuple(verdicts)
