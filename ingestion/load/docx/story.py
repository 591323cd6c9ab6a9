"""What the parts of a Word document share: styles, numbers of lists, notes, and what was found hidden."""

from dataclasses import dataclass, field

from ingestion.load.docx.numbering import Numbering
from ingestion.load.docx.styles import Styles
from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, attribute, children

_NO_TEXT = ("separator", "continuationSeparator", "continuationNotice")


@dataclass(frozen=True, slots=True)
class Note:
    """A footnote or an endnote, and the part in which it stands."""

    element: Element
    part: str


@dataclass(frozen=True, slots=True)
class Story:
    """A document while it is read. `notes` are by kind and id, each taken out when it is met."""

    file: OfficeFile
    styles: Styles
    numbering: Numbering
    notes: dict[tuple[str, str], Note]
    hidden: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, file: OfficeFile) -> "Story":
        """The story of a file. Raises `SourceError` when a part of it is damaged."""
        styles = Styles(file.related_root(file.main, "styles"))
        numbering = Numbering(file.related_root(file.main, "numbering"))
        return cls(file, styles, numbering, _notes(file, "footnote") | _notes(file, "endnote"))


def _notes(file: OfficeFile, kind: str) -> dict[tuple[str, str], Note]:
    found = {}
    for part in file.related(file.main, f"{kind}s"):
        for note in children(file.package.xml(part), kind):
            if attribute(note, "type") not in _NO_TEXT:
                found[kind, attribute(note, "id") or ""] = Note(note, part)
    return found
