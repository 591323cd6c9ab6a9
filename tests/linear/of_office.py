"""Readers of office formats: text goes where a stranger can put it in a file."""

from collections.abc import Callable, Iterator
from xml.sax.saxutils import escape

from ingestion.errors import SourceError
from ingestion.load import read
from tests.ingestion.load.packages import opened, sheet, word
from tests.linear.reader import Reader

_STYLES = "<w:style w:type='paragraph' w:styleId='s'><w:name w:val='{}'/></w:style>"
_FIELD = "<w:p><w:fldSimple w:instr='{}'><w:r><w:t>a</w:t></w:r></w:fldSimple></w:p>"
_RAISED = "<w:p><w:r><w:t>{0}</w:t></w:r><w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr><w:t>{0}</w:t></w:r></w:p>"
_FORMULA = '<sheetData><row><c r="{0}" t="d"><f>{0}</f><v>{0}</v></c></row></sheetData><mergeCells><mergeCell ref="{0}"/></mergeCells>'
_SHAPE = "<draw:page><draw:frame svg:y='{0}'><draw:text-box><text:p>{0}</text:p></draw:text-box></draw:frame></draw:page>"


def _reading(suffix: str, make: Callable[[str], bytes]) -> Callable[[str], object]:
    def run(text: str) -> object:
        try:
            return read(make(text), f"a{suffix}")
        except SourceError as exc:
            return str(exc)

    return run


def _xml(text: str) -> str:
    """Text as it may stand in an attribute: without characters that XML has no place for."""
    return escape("".join(c for c in text if c >= " " or c in "\t\n"), {"'": "&apos;", '"': "&quot;"})


def _filled(template: str, make: Callable[[str], bytes]) -> Callable[[str], bytes]:
    return lambda text: make(template.format(_xml(text)))


def of_office() -> Iterator[Reader]:
    """Those of Word, Excel, OpenDocument and RTF."""
    load = "ingestion.load"
    fields = _reading(".docx", _filled(_FIELD, word))
    yield Reader("read .docx's field", fields, (f"{load}.docx.text",))
    styles = _reading(".docx", _filled(_STYLES, lambda inside: word("<w:p/>", styles=inside)))
    yield Reader("read .docx's style", styles, (f"{load}.docx.styles",))
    yield Reader("read .docx's power", _reading(".docx", _filled(_RAISED, word)), (f"{load}.raised",))
    yield Reader("read .xlsx's cell", _reading(".xlsx", _filled(_FORMULA, sheet)), (f"{load}.xlsx.sheet",))
    shapes = _filled(_SHAPE, lambda inside: opened("presentation", inside))
    yield Reader("read .odp's shape", _reading(".odp", shapes), (f"{load}.odf.deck",))
    rich = _reading(".rtf", lambda text: f"{{\\rtf1 {text}\\par}}".encode("latin-1", "replace"))
    yield Reader("read .rtf", rich, (f"{load}.rtf.tokens",))
    code = _reading(
        ".rtf",
        lambda t: f"{{\\rtf1{{\\field{{\\*\\fldinst {t}}}{{\\fldrslt a}}}}}}".encode("latin-1", "replace"),
    )
    yield Reader("read .rtf's field", code, (f"{load}.rtf.reader",))
