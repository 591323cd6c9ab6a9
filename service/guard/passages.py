"""Masks in what is shown of documents: quotes, results of a search, passages in their context, whole documents.

A source may keep personal data that not every reader of its documents is entitled to see, or may have been ingested
under a policy that has been tightened since. Answers are masked as they are written; this does the same for documents.
"""

from collections.abc import Collection
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

    `pii_policy` is the digest of the collection's policy for personal data where it holds for every source: texts that
    were scrubbed under just that policy hold nothing more to mask. None where a source has a policy of its own.
    """

    def __init__(
        self, policy: GuardPolicy, scrubber: Scrubber, digests: Digests, *, pii_policy: str | None
    ) -> None:
        self._secrets, self._pii = policy.output["secrets"], policy.output["pii"]
        self._scrubber = scrubber
        self._digests = digests
        self._pii_policy = pii_policy
        self._known = lru_cache(_KNOWN)(self._masked)

    def is_entitled(self, groups: frozenset[str] | None) -> bool:
        """Whether a caller of these groups (None: all) sees personal data in passages that it may see."""
        allowed = frozenset(self._pii.groups)
        return bool(allowed) and (groups is None or not allowed.isdisjoint(groups))

    def read(
        self, text: str, groups: frozenset[str] | None, scrubbed_under: Collection[str]
    ) -> tuple[str, tuple[Verdict, ...]]:
        """The text as a caller may read it, and what was masked.

        `scrubbed_under` are the digests of the policies under which the documents of its release were scrubbed.
        """
        may_show = set(scrubbed_under) == {self._pii_policy} or self.is_entitled(groups)
        mask = self._known if len(text) <= _KNOWN_CHARS else self._masked
        return mask(text, may_show)

    def _masked(self, text: str, may_show: bool) -> tuple[str, tuple[Verdict, ...]]:
        guards = switched([(self._secrets, SecretGuard(self._digests, tuple(self._secrets.allow)))])
        if not may_show:
            guards += switched([(self._pii, PiiGuard(self._scrubber, self._digests))])
        shown, verdicts = apply_all(guards, text, "output")
        return shown, tuple(verdicts)
