"""Small files of the office formats, made from the XML that a test is about."""

import io
import struct
import zipfile
from collections.abc import Mapping

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STRICT = "http://purl.oclc.org/ooxml/"
_NAMES = (
    f'xmlns:w="{W}" xmlns:r="{R}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:v="urn:schemas-microsoft-com:vml"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
)
_SHEET_NAMES = f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{R}"'
_OPEN_NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"),
        ("svg", "svg-compatible"), ("fo", "xsl-fo-compatible"), ("presentation", "presentation"), ("chart", "chart"),
    )
) + ' xmlns:xlink="http://www.w3.org/1999/xlink"'  # fmt: skip


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def with_parts(data: bytes, parts: Mapping[str, str]) -> bytes:
    """The package with further parts, or others in their place."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({**{name: archive.read(name) for name in archive.namelist()}, **parts})


def relations(**targets: str) -> str:
    """A part of relationships: `id=kind|target`, external ones with a third field."""
    rows = []
    for key, value in targets.items():
        kind, target, *external = value.split("|")
        mode = ' TargetMode="External"' if external else ""
        rows.append(f'<Relationship Id="{key}" Type="{R}/{kind}" Target="{target}"{mode}/>')
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{"".join(rows)}</Relationships>'


def word(
    body: str, *, is_strict: bool = False, links: Mapping[str, str] | None = None, **parts: str
) -> bytes:
    """A Word document with this body; `parts` are the insides of styles, footnotes, header1 and so on."""
    kinds = {name: f"{name.rstrip('0123456789')}|{name}.xml" for name in parts}
    files = {
        "_rels/.rels": relations(r1="officeDocument|word/document.xml"),
        "word/document.xml": f"<w:document {_NAMES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relations(**kinds, **(links or {})),
        **{
            f"word/{name}.xml": f"<w:{_root(name)} {_NAMES}>{inside}</w:{_root(name)}>"
            for name, inside in parts.items()
        },
    }
    if is_strict:
        files = {
            name: text.replace(W, f"{_STRICT}wordprocessingml/main").replace(
                R, f"{_STRICT}officeDocument/relationships"
            )
            for name, text in files.items()
        }
    return zipped(files)


def _root(name: str) -> str:
    plain = name.rstrip("0123456789")
    return {"header": "hdr", "footer": "ftr"}.get(plain, plain)


def p(text: str, properties: str = "", run: str = "") -> str:
    """A paragraph of one run."""
    return f"<w:p><w:pPr>{properties}</w:pPr>{r(text, run)}</w:p>"


def r(text: str, properties: str = "") -> str:
    """A run."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def table(*rows: list[str], properties: str = "") -> str:
    """A table whose cells are the XML of `tc`, or a text."""
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr>{''.join(map(_row, rows))}</w:tbl>"


def _row(cells: list[str]) -> str:
    return f"<w:tr>{''.join(cell if cell.startswith('<w:tc>') else tc(p(cell)) for cell in cells)}</w:tr>"


def tc(inside: str, properties: str = "") -> str:
    """A cell."""
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


def chart(title: str, *series: tuple[str, Mapping[str, str]], code: str = "General") -> str:
    """A bar chart: series by name, each a value by its category."""
    parts = []
    for name, values in series:
        categories = "".join(f'<c:pt idx="{i}"><c:v>{one}</c:v></c:pt>' for i, one in enumerate(values))
        numbers = "".join(f'<c:pt idx="{i}"><c:v>{one}</c:v></c:pt>' for i, one in enumerate(values.values()))
        parts.append(
            f'<c:ser><c:tx><c:strRef><c:f>S!A1</c:f><c:strCache><c:pt idx="0"><c:v>{name}</c:v></c:pt></c:strCache></c:strRef></c:tx>'
            f"<c:cat><c:strRef><c:strCache>{categories}</c:strCache></c:strRef></c:cat>"
            f"<c:val><c:numRef><c:numCache><c:formatCode>{code}</c:formatCode>{numbers}</c:numCache></c:numRef></c:val></c:ser>"
        )
    return (
        f"<c:chartSpace {_NAMES}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>{title}</a:t></a:r></a:p></c:rich></c:tx></c:title>"
        f"<c:plotArea><c:barChart>{''.join(parts)}</c:barChart></c:plotArea></c:chart></c:chartSpace>"
    )


def sheet(
    inside: str, *, styles: str = "", texts: str = "", links: Mapping[str, str] | None = None, **parts: str
) -> bytes:
    """A workbook of one sheet, given what stands in it (`sheetData` and its neighbours)."""
    return zipped({
        "_rels/.rels": relations(r1="officeDocument|xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook {_SHEET_NAMES}><sheets><sheet name="Prices" sheetId="1" r:id="s1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            s1="worksheet|worksheets/sheet1.xml", s2="styles|styles.xml", s3="sharedStrings|texts.xml"
        ),
        "xl/worksheets/sheet1.xml": f"<worksheet {_SHEET_NAMES}>{inside}</worksheet>",
        "xl/worksheets/_rels/sheet1.xml.rels": relations(**(links or {})),
        "xl/styles.xml": f"<styleSheet {_SHEET_NAMES}>{styles}</styleSheet>",
        "xl/texts.xml": f"<sst {_SHEET_NAMES}>{texts}</sst>",
        **{f"xl/{name}.xml": text for name, text in parts.items()},
    })  # fmt: skip


def cells(*rows: list[str]) -> str:
    """`sheetData` of texts and numbers; what begins with `<c` stands as it is."""
    out = []
    for row in rows:
        inside = "".join(
            one if one.startswith("<c") else f'<c t="inlineStr"><is><t>{one}</t></is></c>' if one else "<c/>"
            for one in row
        )
        out.append(f"<row>{inside}</row>")
    return f"<sheetData>{''.join(out)}</sheetData>"


def opened(kind: str, inside: str, *, styles: str = "", common: str = "", **parts: str) -> bytes:
    """An OpenDocument file: what its `office:text` (or the like) holds, its own styles, and its common ones."""
    return zipped({
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {_OPEN_NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{inside}</office:{kind}></office:body></office:document-content>",
        "styles.xml": f"<office:document-styles {_OPEN_NAMES}>{common}</office:document-styles>",
        **{name: f"<office:document-content {_OPEN_NAMES}>{text}</office:document-content>" for name, text in parts.items()},
    })  # fmt: skip


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (MS-CFB) of these streams; folders are parted by slashes. Every stream is padded to 4,096 bytes at least."""
    names = sorted(
        {part for name in streams for part in _prefixes(name)}, key=lambda name: (name.count("/"), name)
    )
    index = {name: place for place, name in enumerate(names, start=1)}
    sectors: list[bytes] = []
    fat: list[int] = []
    entries = [_entry("Root Entry", 5, below=_first(names, index, ""))]
    for name in names:
        data = streams.get(name)
        beside = [one for one in names if one.rpartition("/")[0] == name.rpartition("/")[0] and one > name]
        after = index[min(beside)] if beside else None
        if data is None:
            entries.append(_entry(name.rpartition("/")[2], 1, after=after, below=_first(names, index, name)))
            continue
        # Shorter streams would lie in a stream of their own kind. Zeros end texts, spaces do no harm elsewhere.
        data = data.ljust(4096, b" " if name.endswith("0102") else b"\0")
        count = -(-len(data) // 512)
        entries.append(_entry(name.rpartition("/")[2], 2, after=after, start=len(sectors), size=len(data)))
        fat += [*range(len(sectors) + 1, len(sectors) + count), 0xFFFFFFFE]
        padded = data.ljust(count * 512, b"\0")
        sectors += [padded[at : at + 512] for at in range(0, count * 512, 512)]
    directory = b"".join(entries)
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    begin, count = len(sectors), len(directory) // 512
    fat += [*range(begin + 1, begin + count), 0xFFFFFFFE]
    sectors += [directory[at : at + 512] for at in range(0, len(directory), 512)]
    tables = -(-(len(fat) + 2) // 127)
    at = len(fat)
    fat += [0xFFFFFFFD] * tables
    fat += [0xFFFFFFFF] * (tables * 128 - len(fat))
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + b"\0" * 16
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + b"\0" * 6
    )
    head += struct.pack("<IIIIIIIII", 0, tables, begin, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<109I", *range(at, at + tables), *[0xFFFFFFFF] * (109 - tables))
    return head + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _prefixes(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _first(names: list[str], index: Mapping[str, int], folder: str) -> int | None:
    below = [one for one in names if one.rpartition("/")[0] == folder]
    return index[min(below)] if below else None


def _entry(
    name: str, kind: int, *, after: int | None = None, below: int | None = None, start: int = 0, size: int = 0
) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    links = [0xFFFFFFFF, *(0xFFFFFFFF if one is None else one for one in (after, below))]
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBB3I", len(text), kind, 1, *links)
        + b"\0" * 36
        + struct.pack("<IQ", start, size)
    )


def outlook(
    properties: Mapping[str, bytes], fixed: Mapping[tuple[int, int], bytes] | None = None
) -> dict[str, bytes]:
    """Streams of a message, by the ids and types of its properties such as `0037001F`."""
    rows = b"".join(
        struct.pack("<HHI8s", kind, key, 6, value) for (key, kind), value in (fixed or {}).items()
    )
    streams = {f"__substg1.0_{key}": value for key, value in properties.items()}
    return {"__properties_version1.0": b"\0" * 32 + rows, **streams}
