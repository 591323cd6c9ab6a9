"""Personal data: masked in questions before they are searched, generated from or recorded, and in
answers before they are sent. What the question or the documents hold in clear was allowed there."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ingestion.scrub import Finding, Scrubber
from service.guard.chain import Digests, Verdict
from service.guard.checks.coded import coded
from service.guard.texts import RawText, SearchableText
from service.scope.policy import Zone


class QueryScrubber:
    """A question as it is searched for: names stay, since the index knows them by number or in clear."""

    def __init__(self, scrubber: Scrubber, patterns: Scrubber) -> None:
        self._scrubber = scrubber
        self._patterns = patterns

    def scrub_query(self, question: RawText) -> tuple[SearchableText, str]:
        """The question without identifiers, and the numbers that its words would have as names."""
        return SearchableText(self._patterns.scrub(question).text), self._scrubber.hints(question)


class PiiGuard:
    """Masks what the collection's policy masks.

    `is_entitled` tells of a value whether this caller may see it; `originals`, where given, remembers what each mask
    stands for, so that the asker's own data can be put back.
    """

    name = "pii"

    def __init__(
        self,
        scrubber: Scrubber,
        digests: Digests,
        *,
        is_entitled: Callable[[str], bool] | None = None,
        originals: dict[str, set[str]] | None = None,
    ) -> None:
        self._scrubber = scrubber
        self._digests = digests
        self._is_entitled = is_entitled
        self._originals = originals

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text with masks, and a verdict for each finding."""
        findings = self._found(text)
        if not findings:
            return text, []
        parts: list[str] = []
        verdicts: list[Verdict] = []
        position = 0
        for finding in findings:
            value = text[finding.start : finding.end]
            stand_in = self._scrubber.stand_in(finding.entity, value)
            if stand_in is None or (self._is_entitled is not None and self._is_entitled(value)):
                continue
            if self._originals is not None:
                self._originals.setdefault(stand_in, set()).add(value)
            parts += [text[position : finding.start], stand_in]
            position = finding.end
            verdicts.append(
                Verdict(
                    self.name,
                    zone,
                    "redact",
                    finding.entity,
                    finding.score,
                    finding.start,
                    finding.end,
                    self._digests.of(value),
                )
            )
        parts.append(text[position:])
        return "".join(parts), verdicts

    def _found(self, text: str) -> list[Finding]:
        """Findings in the text as it is written, and coded pieces that hold one; what the policy keeps is none."""
        found = self._scrubber.find(text)
        for piece in coded(text):
            within = self._scrubber.find_all([piece.text], with_names=False)[0]
            masked = [f for f in within if self._scrubber.stand_in(f.entity, "") is not None]
            if masked and all(f.end <= piece.start or f.start >= piece.end for f in found):
                found.append(replace(masked[0], start=piece.start, end=piece.end))
        return sorted(found, key=lambda f: f.start)


class RestoreGuard:
    """Puts the asker's own data back: the last guard, and only where a mask stands for one value alone."""

    name = "restore"

    def __init__(self, originals: Mapping[str, set[str]]) -> None:
        self._values = {mask: next(iter(values)) for mask, values in originals.items() if len(values) == 1}

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text with the asker's own values, and a verdict for each kind."""
        verdicts = []
        for mask, value in self._values.items():
            if mask in text:
                text = text.replace(mask, value)
                verdicts.append(Verdict(self.name, zone, "pass", mask.strip("<>"), 1.0))
        return text, verdicts
