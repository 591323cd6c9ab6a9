"""What was found in a text, and where: spans put in order, joined, blanked and moved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingestion.scrub.views import View, without


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data at `start:end` (characters), its Presidio type and score between 0 and 1."""

    entity: str
    start: int
    end: int
    score: float


def without_findings(text: str, findings: Sequence[Finding], filler: str) -> str:
    """The text with a filler where the findings were: same offsets, nothing to find there."""
    return without(text, [(f.start, f.end) for f in findings], filler) if findings else text


def apart(findings: Sequence[Finding]) -> list[Finding]:
    """The findings from left to right without those that overlap an earlier one."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if not kept or finding.start >= kept[-1].end:
            kept.append(finding)
    return kept


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """The findings from left to right; what overlaps is one, from the first beginning to the last end."""
    whole: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if whole and finding.start < whole[-1].end:
            whole[-1] = replace(whole[-1], end=max(whole[-1].end, finding.end))
        else:
            whole.append(finding)
    return whole


def as_written(findings: Sequence[Finding], view: View) -> list[Finding]:
    """The findings in a view, in offsets of the text as written."""
    if view.origin is None:
        return list(findings)
    spans = [view.span(f.start, f.end) for f in findings]
    # Two may share a character that stands for several, such as a ligature.
    return merged([replace(f, start=start, end=end) for f, (start, end) in zip(findings, spans, strict=True)])
