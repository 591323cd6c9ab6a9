"""What is shown of candidates: what joining does to verdicts, whatever is found first."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.releases.release import Release
from ingestion.search.diversify import Diversity, diversify, worse_verdict
from ingestion.search.fusion import Candidates
from tests.ingestion.corpora import Page, release_of

VERDICTS = ["pass", "flag", "redact", "block"]
TEXTS = ("Turn the valve.", "Then wait.", "Open the door.", "Call nobody.", "Close it again.")


def candidates(release: Release, order: list[int]) -> Candidates:
    """The passages of a release, the best first as told."""
    return Candidates(np.array(order), np.linspace(1, 0, len(order), dtype=np.float32), {})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(VERDICTS), min_size=len(TEXTS), max_size=len(TEXTS)),
    st.permutations(range(len(TEXTS))),
    st.integers(1, len(TEXTS)),
)
def test_a_joined_passage_has_the_worst_verdict_of_its_parts(
    verdicts: list[str], order: list[int], top_k: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        release = release_of(Path(folder), [Page("manual", TEXTS, verdicts=tuple(verdicts))])
        hits = diversify(release, candidates(release, order), Diversity(top_k, 0, collapse=True, join=True))
        for hit in hits:
            parts = [release.documents.chunk(one) for one in (hit.chunk.id, *hit.joined)]
            worst = max((part.verdict for part in parts if part), key=VERDICTS.index)
            assert hit.chunk.verdict == worst
            assert all(part is not None and part.text in hit.chunk.text for part in parts)


def test_a_verdict_that_nobody_knows_is_the_worst() -> None:
    for known in VERDICTS:
        assert worse_verdict(known, "eaten") == worse_verdict("eaten", known) == "eaten"
