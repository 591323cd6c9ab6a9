"""Pictures of the console for the docs: a gateway on synthetic data, looked at in a real Chromium."""

import importlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from evals.bench.experiments_rows import END, LARGEST, Volume, write
from evals.bench.servers import gateway
from service.database import migrate, open_database

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_VOLUME = Volume(
    experiments=3, answers=16_000, largest=0.9, told=0.9, resolved=(("control", 0.62), ("treatment", 0.68))
)
_COLOURS = 160
# What a reader of the docs should load.
_MOST_BYTES = 120_000


@dataclass(frozen=True, slots=True)
class _Shot:
    """A picture: its name, the window's size, light or dark, and up to when data count."""

    name: str
    width: int
    height: int
    scheme: str
    as_of: datetime


_SHOTS = (
    _Shot("report", 1200, 1196, "light", END),
    _Shot("report-open", 1200, 490, "light", END - timedelta(days=19)),
    _Shot("report-phone", 390, 1560, "dark", END),
)


def take(folder: Path) -> list[Path]:
    """Take them all, into a folder. Raises `RuntimeError` without Playwright and Chromium."""
    with tempfile.TemporaryDirectory() as scratch, _browser() as browser:
        url = f"sqlite:///{scratch}/pictures.db"
        engine = open_database(url)
        migrate(engine)
        write(engine, _VOLUME)
        engine.dispose()
        folder.mkdir(parents=True, exist_ok=True)
        with gateway(Path(scratch), url) as (base, _):
            return [_taken(browser, base, shot, folder / f"{shot.name}.png") for shot in _SHOTS]


@contextmanager
def _browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ImportError as exc:
        raise RuntimeError("Pictures need Playwright: pip install playwright.") from exc
    if chromium is None:
        raise RuntimeError("Pictures need Chromium: apt-get install chromium fonts-dejavu-core.")
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield browser
        browser.close()


def _taken(browser: Any, base: str, shot: _Shot, path: Path) -> Path:
    size = {"width": shot.width, "height": shot.height}
    page = browser.new_page(viewport=size, color_scheme=shot.scheme)
    page.goto(f"{base}/console/experiments/{LARGEST}?as_of={shot.as_of:%Y-%m-%dT%H:%M:%SZ}")
    page.locator(".conclusion").first.wait_for()
    taken = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    taken.convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    if path.stat().st_size > _MOST_BYTES:
        raise RuntimeError(f"{str(path)!r} has {path.stat().st_size} bytes, of {_MOST_BYTES} at most.")
    return path
