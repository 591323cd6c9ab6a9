"""Charts as tables (DrawingML): a row a category, a column a series, the chart's title above."""

from collections.abc import Iterator

from ingestion.corpus import Block
from ingestion.load.number_format import shown
from ingestion.load.opc import OfficeFile
from ingestion.load.package import Element, child, children, local
from ingestion.load.rows import table_blocks

_MOST_PLACES = 100_000
_SERIES_NAMES, _CATEGORIES, _VALUES = ("tx",), ("cat", "xVal"), ("val", "yVal")


def chart_blocks(file: OfficeFile, part: str, page: int | None = None) -> Iterator[Block]:
    """The chart of a part; one of far too many series and categories is left out. Raises `SourceError`."""
    chart = child(file.package.xml(part), "chart")
    series = [one for one in chart.iter() if local(one) == "ser"] if chart is not None else []
    title = _words(child(chart, "title"))
    columns = [dict(_points(one, _VALUES)) for one in series]
    categories = {place: text for one in series for place, text in _points(one, _CATEGORIES)}
    places = sorted(categories.keys() | {place for column in columns for place in column})
    if not series or len(places) * len(series) > _MOST_PLACES:
        if title:
            yield Block("paragraph", title, page=page)
        return
    names = [next((text for _, text in _points(one, _SERIES_NAMES)), "") for one in series]
    rows = [[categories.get(place, ""), *(column.get(place, "") for column in columns)] for place in places]
    yield from table_blocks(
        [[_axis(chart), *names], *rows], page, header_rows=1, is_keyed=False, caption=title
    )


def _points(series: Element, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Places and values of the cached cells of a series' part."""
    for part in children(series, *names):
        code = next((one.text or "" for one in part.iter() if local(one) == "formatCode"), "General")
        for point in part.iter():
            index = point.get("idx", "")
            if local(point) == "pt" and index.isdecimal():
                yield int(index[:9]), _value(child(point, "v"), code)
        for value in children(part, "v"):
            yield 0, value.text or ""


def _value(element: Element | None, code: str) -> str:
    text = (element.text or "").strip() if element is not None else ""
    try:
        return shown(float(text), code)
    except (ValueError, ArithmeticError):
        return text


def _axis(chart: Element | None) -> str:
    """What the categories are."""
    return _words(child(chart, "plotArea", "catAx", "title"))


def _words(element: Element | None) -> str:
    if element is None:
        return ""
    return " ".join("".join(one.text or "" for one in element.iter() if local(one) in ("t", "v")).split())
