"""PDF files of a few drawing instructions, as small as they can be."""

import zlib
from collections.abc import Sequence

WIDTH, HEIGHT = 595, 842
FONTS = {
    "F1": "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    "F2": "<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>",
    "F3": "<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding>>",
}


def pdf(*pages: str, info: str = "", catalog: str = "", page: str = "", more: Sequence[str] = ()) -> bytes:
    """A file of pages with these contents. `more` are objects from number 4 on, to which `catalog` and `page` may refer."""
    first = 4 + len(more)
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        f"<</Type/Catalog/Pages 2 0 R {catalog}>>".encode(),
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        f"<<{info}>>".encode(),
        *(one.encode("latin-1") for one in more),
    ]
    fonts = "".join(f"/{name} {font}" for name, font in FONTS.items())
    for number, contents in enumerate(pages):
        packed = zlib.compress(contents.encode("latin-1"))
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Contents {first + 2 * number + 1} 0 R"
            f"/Resources<</Font<<{fonts}>>>>{page}>>".encode(),
            b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        ]
    body = b"".join(b"%d 0 obj %b endobj\n" % one for one in enumerate(objects, start=1))
    return b"%PDF-1.5\n" + body + b"trailer <</Root 1 0 R/Info 3 0 R>>\n%%EOF\n"


def put(x: float, y: float, text: str, size: float = 10, font: str = "F1") -> str:
    """A string whose baseline begins at a place, counted from the page's lower left corner."""
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /{font} {size} Tf {x} {y} Td ({escaped}) Tj ET\n"


def lines(x: float, y: float, *texts: str, size: float = 10, step: float = 12, font: str = "F1") -> str:
    """Lines of text below each other."""
    return "".join(put(x, y - step * number, text, size, font) for number, text in enumerate(texts))


def rules(xs: Sequence[float], ys: Sequence[float]) -> str:
    """The lines of a table."""
    across = "".join(f"{xs[0]} {y} m {xs[-1]} {y} l S\n" for y in ys)
    return across + "".join(f"{x} {ys[0]} m {x} {ys[-1]} l S\n" for x in xs)


def table(xs: Sequence[float], top: float, *rows: Sequence[str], height: float = 20, font: str = "F1") -> str:
    """A ruled table whose first column begins at the first of its edges."""
    drawn = rules(xs, [top - height * number for number in range(len(rows) + 1)])
    for number, cells in enumerate(rows, start=1):
        for x, cell in zip(xs, cells, strict=False):
            drawn += put(x + 4, top - height * number + 6, cell, font=font if number == 1 else "F1")
    return drawn
