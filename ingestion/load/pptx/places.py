"""Where shapes lie on a slide: what they say, else what the placeholder of the layout or the master says."""

from collections.abc import Iterator

from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, child, children

Place = tuple[int, int]  # from the top, from the left
_NOWHERE: Place = (0, 0)
_LIKE = {"ctrTitle": "title", "title": "ctrTitle"}  # other placeholders inherit from the body


class Places:
    """The places of shapes, with those that layouts and masters give their placeholders."""

    def __init__(self, file: OfficeFile) -> None:
        self._file = file
        self._known: dict[str, dict[tuple[str, str], Place]] = {}

    def of(self, part: str, shape: Element) -> Place:
        """Top and left of a shape of a slide, in the units of its group."""
        own, mark = _own(shape), placeholder(shape)
        if own or mark is None:
            return own or _NOWHERE
        kind = mark.get("type", "obj")
        keys = (("idx", mark.get("idx", "0")), ("type", kind), ("type", _LIKE.get(kind, "body")))
        for known in self._inherited(part):
            place = next((known[key] for key in keys if key in known), None)
            if place:
                return place
        return _NOWHERE

    def _inherited(self, part: str) -> Iterator[dict[tuple[str, str], Place]]:
        """What the layout of a slide says, then what its master says."""
        for layout in self._file.related(part, "slideLayout")[:1]:
            yield self._placeholders(layout)
            for master in self._file.related(layout, "slideMaster")[:1]:
                yield self._placeholders(master)

    def _placeholders(self, part: str) -> dict[tuple[str, str], Place]:
        if part not in self._known:
            self._known[part] = _placeholders(self._file.package.xml(part))
        return self._known[part]


def placeholder(shape: Element) -> Element | None:
    """The element that makes a shape a placeholder."""
    return next((found for one in shape if (found := child(one, "nvPr", "ph")) is not None), None)


def _own(shape: Element) -> Place | None:
    for path in (("spPr", "xfrm"), ("grpSpPr", "xfrm"), ("xfrm",)):
        offset = child(shape, *path, "off")
        if offset is not None:
            return _number(offset.get("y")), _number(offset.get("x"))
    return None


def _number(value: str | None) -> int:
    try:
        return int((value or "0")[:12])
    except ValueError:
        return 0


def _placeholders(root: Element | None) -> dict[tuple[str, str], Place]:
    """Places by index and by type."""
    found: dict[tuple[str, str], Place] = {}
    for shape in children(child(root, "cSld", "spTree"), "sp"):
        mark, place = placeholder(shape), _own(shape)
        if mark is not None and place is not None:
            if mark.get("idx"):
                found["idx", mark.get("idx", "")] = place
            found.setdefault(("type", mark.get("type", "obj")), place)
    return found
