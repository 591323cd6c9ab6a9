"""Personal data: masked in questions before they are searched, generated from or recorded, and in
answers before they are sent. What the question or the documents hold in clear was allowed there."""

from ingestion.scrub import Scrubber
from service.guard.chain import Verdict, Zone


class Seeker:
    """A question as it is searched for: names stay, since the index knows them by number or in clear."""

    def __init__(self, scrubber: Scrubber, patterns: Scrubber) -> None:
        self._scrubber = scrubber
        self._patterns = patterns

    def seek(self, question: str) -> tuple[str, str]:
        """The question without identifiers, and the numbers that its words would have as names."""
        return self._patterns.scrub(question).text, self._scrubber.hints(question)


class PiiGuard:
    """Masks what the collection's policy masks."""

    name = "pii"

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber

    def apply(self, text: str, zone: Zone) -> tuple[str, list[Verdict]]:
        """Text with masks, and a verdict for each finding."""
        findings = self._scrubber.find(text)
        if not findings:
            return text, []
        parts: list[str] = []
        position = 0
        for finding in findings:
            stand_in = self._scrubber.stand_in(finding.entity, text[finding.start : finding.end])
            if stand_in is None:
                continue
            parts += [text[position : finding.start], stand_in]
            position = finding.end
        parts.append(text[position:])
        verdicts = [Verdict(self.name, zone, "redact", f.entity, f.score) for f in findings]
        return "".join(parts), verdicts
