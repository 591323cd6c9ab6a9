"""One pass over a page's drawing instructions: its letters, its rules, and which letters a person can see."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pdfminer.pdfdevice import PDFTextDevice
from pdfminer.pdffont import PDFType3Font, PDFUnicodeNotDefined
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdftypes import resolve1
from pdfminer.psparser import literal_name
from pdfminer.utils import apply_matrix_pt, apply_matrix_rect, mult_matrix

from ingestion.load.pdf.canvas import Canvas, look_alike, shade_of
from ingestion.load.pdf.document import DAMAGE, damaged

Box = tuple[float, float, float, float]  # x0, top, x1, bottom, in points from the page's upper left corner

_SMALLEST_POINTS = 2.0
_INVISIBLE_MODES = (3, 7)  # text that is neither filled nor stroked
_THIN_POINTS = 3.0
# A font that says the width of so many letters, and of all the same, is monospaced whatever its name.
_EVEN = 12
_BOLD = re.compile(r"bold|black|heavy|demi|cmbx|sfbx|cmb\d|-bd|medi\b", re.IGNORECASE)
_MONO = re.compile(
    r"mono|nimbusmon|courier|typewriter|consol|menlo|cmtt|sftt|lmtt|cmsltt|code|fixed", re.IGNORECASE
)
_UPRIGHT, _UPWARDS, _DOWNWARDS, _OTHER = "upright", "upwards", "downwards", "other"


@dataclass(frozen=True, slots=True)
class Face:
    """What a font's name says of its letters."""

    is_bold: bool
    is_mono: bool


@dataclass(slots=True, eq=False)
class Glyph:
    """A letter (or a few that are one sign) on its baseline `y`. Not frozen: a page has thousands, and they must be cheap."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    face: Face
    turn: str = _UPRIGHT


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line that runs along or down the page, at `at`, from `start` to `end`."""

    is_horizontal: bool
    at: float
    start: float
    end: float


@dataclass(slots=True)
class Painted:
    """A page's visible letters, in the order in which they are painted, its rules, and its text that nobody sees."""

    width: float
    height: float
    glyphs: list[Glyph] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    hidden: str = ""
    unreadable: int = 0
    has_pictures: bool = False


class Painter:
    """Paints pages of one document: fonts are read once for all of them."""

    def __init__(self) -> None:
        self._resources = PDFResourceManager()

    def paint(self, page: PDFPage) -> Painted:
        """Raises `SourceError` for a page that is damaged."""
        device = _Device(self._resources)
        try:
            _Interpreter(self._resources, device).process_page(page)
        except DAMAGE as exc:
            raise damaged() from exc
        return device.painted()


class _Interpreter(PDFPageInterpreter):  # type: ignore[misc]  # untyped
    """Tells its device of transparency, which pdfminer passes over."""

    def do_gs(self, name: object) -> None:
        states = resolve1(self.resources.get("ExtGState")) if isinstance(self.resources, dict) else None
        state = resolve1(states.get(literal_name(name))) if isinstance(states, dict) else None
        alpha = resolve1(state.get("ca")) if isinstance(state, dict) else None
        if isinstance(alpha, (int, float)) and alpha < 1:
            self.device.is_opaque = False


class _Device(PDFTextDevice):  # type: ignore[misc]  # untyped
    def __init__(self, resources: PDFResourceManager) -> None:
        super().__init__(resources)
        self.is_opaque = True
        self._page = Painted(0, 0)
        self._visible: Box = (0, 0, 0, 0)
        self._canvas = Canvas(0, 0)
        self._faces: dict[int, Face] = {}
        self._mode = 0
        self._figures: list[Box] = []
        self._hidden: list[str] = []
        self._without_ink: list[tuple[Glyph, tuple[float, float]]] = []

    def painted(self) -> Painted:
        """The page, once it is done: text without ink counts where it lies upon a picture, as that of a scan does."""
        for glyph, (x, y) in self._without_ink:
            if self._canvas.has_picture_at(x, y):
                self._page.glyphs.append(glyph)
            else:
                self._hidden.append(glyph.text)
        self._page.hidden = "".join(self._hidden)
        return self._page

    def begin_page(self, page: PDFPage, ctm: Any) -> None:
        x0, y0, x1, y1 = apply_matrix_rect(ctm, page.mediabox)
        self._page = Painted(abs(x1 - x0), abs(y1 - y0))
        self._visible = self._box(apply_matrix_rect(ctm, page.cropbox))
        self._canvas = Canvas(self._page.width, self._page.height)

    def render_string(self, textstate: Any, seq: Any, ncs: Any, graphicstate: Any) -> None:
        self._mode = textstate.render
        super().render_string(textstate, seq, ncs, graphicstate)

    def render_char(
        self,
        matrix: Any,
        font: Any,
        fontsize: float,
        scaling: float,
        rise: float,
        cid: int,
        ncs: Any,
        graphicstate: Any,
    ) -> float:
        advance = float(font.char_width(cid) * fontsize * scaling)
        try:
            text = str(font.to_unichr(cid))
        except PDFUnicodeNotDefined:
            text = "\ufffd"
        glyph = self._glyph(matrix, font, fontsize, advance, rise) if text else None
        if glyph is not None:
            glyph.text = text
            a, b, c, d, e, f = matrix
            # About the middle of what is seen of it.
            x = e + a * advance / 2 + c * fontsize / 3
            y = self._page.height - (f + b * advance / 2 + d * fontsize / 3)
            self._keep(glyph, (x, y), graphicstate)
        return advance

    def _glyph(self, matrix: Any, font: Any, fontsize: float, advance: float, rise: float) -> Glyph | None:
        a, b, c, d, e, f = matrix
        scale = math.hypot(c, d)
        size = abs(fontsize) * scale
        if isinstance(font, PDFType3Font):  # its units are its own
            size *= font.get_height() or 1.0
        if not math.isfinite(size + e + f + a + b + advance):
            return None
        e, f = e + c * rise, f + d * rise
        face = self._face(font)
        top = self._page.height - f
        if font.is_vertical():
            return Glyph("", e - size / 2, e + size / 2, top + size, size, face)
        if abs(b) < 0.1 * abs(a):
            x0, x1 = sorted((e, e + a * advance))
            return Glyph("", x0, x1, top, size, face, _UPRIGHT if a * d > 0 else _OTHER)
        if abs(a) < 0.1 * abs(b):
            # The page as it looks when it is turned so that the letters stand upright.
            start, end = sorted((f, f + b * advance))
            height = self._page.height
            if b > 0:
                return Glyph("", start, end, e, size, face, _UPWARDS)
            return Glyph("", height - end, height - start, self._page.width - e, size, face, _DOWNWARDS)
        return Glyph("", e, e + abs(a * advance), top, size, face, _OTHER)

    def _face(self, font: Any) -> Face:
        if id(font) not in self._faces:
            name = str(getattr(font, "fontname", "") or getattr(font, "basefont", ""))
            face = face_of(name, int(getattr(font, "flags", 0)))
            widths = getattr(font, "widths", {})
            is_even = len(widths) >= _EVEN and len(set(map(str, widths.values()))) == 1
            self._faces[id(font)] = Face(face.is_bold, face.is_mono or is_even)
        return self._faces[id(font)]

    def _keep(self, glyph: Glyph, middle: tuple[float, float], state: Any) -> None:
        if not is_readable(glyph.text):
            self._page.unreadable += 1
            glyph.text = "\ufffd"
        if self._mode in _INVISIBLE_MODES:
            self._without_ink.append((glyph, middle))
        elif self._is_seen(glyph, middle, state):
            self._page.glyphs.append(glyph)
        else:
            self._hidden.append(glyph.text)

    def _is_seen(self, glyph: Glyph, middle: tuple[float, float], state: Any) -> bool:
        x, y = middle
        left, top, right, bottom = self._visible
        is_outside = not (left <= x <= right and top <= y <= bottom)
        if glyph.size < _SMALLEST_POINTS or (is_outside and not self._is_overfull(glyph)):
            return False
        shade = shade_of(state.ncolor, state.ncs.name)
        under = self._canvas.shade_at(x, y)
        return shade is None or under is None or not look_alike(shade, under)

    def _is_overfull(self, glyph: Glyph) -> bool:
        """Whether it is the end of a line that began on the page and is too long for it."""
        if not self._page.glyphs:
            return False
        last = self._page.glyphs[-1]
        return last.y == glyph.y and last.turn == glyph.turn and abs(glyph.x0 - last.x1) < glyph.size

    def begin_figure(self, name: str, bbox: Any, matrix: Any) -> None:
        self._figures.append(self._box(apply_matrix_rect(mult_matrix(matrix, self.ctm), bbox)))

    def end_figure(self, _: str) -> None:
        self._figures.pop()

    def render_image(self, name: str, stream: Any) -> None:
        self._page.has_pictures = True
        if self._figures:
            self._canvas.picture(self._figures[-1])

    def paint_path(self, state: Any, stroke: bool, fill: bool, evenodd: bool, path: Sequence[Any]) -> None:
        begun = 0
        for place in range(1, len(path) + 1):
            if place == len(path) or path[place][0] == "m":
                self._shape(path[begun:place], state, stroke, fill)
                begun = place

    def _shape(self, path: Sequence[Any], state: Any, stroke: bool, fill: bool) -> None:
        points = [self._point(step[-2:]) for step in path if len(step) >= 3]
        if len(points) < 2 or not all(math.isfinite(value) for point in points for value in point):
            return
        is_straight = all(step[0] in "mlh" for step in path)
        if path[-1][0] == "h" and points[-1] != points[0]:
            points.append(points[0])
        xs, ys = [x for x, _ in points], [y for _, y in points]
        box = (min(xs), min(ys), max(xs), max(ys))
        is_box = is_straight and len(points) == 5 and all(_is_along(a, b) for a, b in _pairs(points))
        if fill:
            shade = shade_of(state.ncolor, state.ncs.name) if is_box and self.is_opaque else None
            self._canvas.paint(box, shade)
        if is_box and min(box[2] - box[0], box[3] - box[1]) < _THIN_POINTS:
            self._page.rules.append(_rule((box[0], box[1]), (box[2], box[3])))
        elif is_box or (stroke and is_straight):
            self._page.rules += [_rule(a, b) for a, b in _pairs(points) if _is_along(a, b)]

    def _point(self, point: Any) -> tuple[float, float]:
        x, y = apply_matrix_pt(self.ctm, (float(point[0]), float(point[1])))
        return x, self._page.height - y

    def _box(self, rect: Any) -> Box:
        x0, y0, x1, y1 = rect
        return x0, self._page.height - y1, x1, self._page.height - y0


def face_of(name: str, flags: int) -> Face:
    """What a font's name and the flags of its description say; the first flag is that of fixed pitch."""
    return Face(bool(_BOLD.search(name)), bool(_MONO.search(name)) or bool(flags & 1))


def is_readable(text: str) -> bool:
    """Whether a letter's code says what it is: private codes, controls and signs of replacement do not."""
    return all(_is_known(letter) for letter in text)


def _is_known(letter: str) -> bool:
    code = ord(letter)
    if code < 0x20 or 0x7F <= code < 0xA0:
        return letter in "\t\n\r"
    return not (0xE000 <= code <= 0xF8FF or code == 0xFFFD or code >= 0xF0000 or 0xD800 <= code < 0xE000)


def _pairs(points: Sequence[tuple[float, float]]) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(points, points[1:], strict=False))


def _is_along(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < 1 or abs(one[1] - other[1]) < 1


def _rule(one: tuple[float, float], other: tuple[float, float]) -> Rule:
    """The line between two points, or the thin box between two corners."""
    (x0, x1), (y0, y1) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    if x1 - x0 >= y1 - y0:
        return Rule(True, (y0 + y1) / 2, x0, x1)
    return Rule(False, (x0 + x1) / 2, y0, y1)
