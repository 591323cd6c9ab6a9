"""A full disk: what was acknowledged stays, the gateway serves on and recovers by itself, and what failed can be done again.

Each case leaves so many bytes free, so that the disk is full at another write each time.
"""

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ingestion.corpus import Source
from ingestion.embed import Embedder
from ingestion.errors import IngestionError
from ingestion.prepare.preparer import Plan
from ingestion.releases.release import open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from ingestion.runs.workers import InlineWorkers, Result
from service.__main__ import main
from service.app import create_app
from service.settings import Settings
from tests.conftest import serving, wait_until
from tests.service.faults import IS_LONG, QUESTION, small_collection, stored

KILOBYTE, MEGABYTE = 1024, 1024 * 1024
DISK_MB = 250
# An answer and a thumb take a few kilobytes, a document some hundred.
LEFT_KB = {
    "start": [0, 4, 8, 16, 24, 32, 48, 64, 96, 128],
    "answers": [0, 4, 8, 12, 16, 24, 32, 48, 64, 128],
    "feedback": [0, 4, 8, 12, 16, 24, 32, 48, 64, 128],
    "upload": [0, 4, 8, 64, 128, 192, 256, 384, 512, 1024],
    "ingestion": [0, 4, 8, 64, 128, 192, 256, 384, 512, 1024],
}
MOST = 40  # tries until the disk is full: what is written over needs no room


def points(*actions: str) -> list[tuple[str, int]]:
    """Actions with the room they are left; a part of them where time is short."""
    return [(one, left) for one in actions for left in LEFT_KB[one] if IS_LONG or left in (0, 64)]


def mounted(folder: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk")


def fill(folder: Path, *, left_kb: int = 0) -> Path:
    """Take every byte but some."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        for size in (MEGABYTE, 4 * KILOBYTE, 1):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), b"x" * size)
        file.truncate(file.tell() - left_kb * KILOBYTE)
    return filler


def text_of(name: str) -> str:
    """A page of some 100 kB that says what it is called."""
    lines = "".join(f"Room {number} of {name} has {'x' * 400} on its door.\n\n" for number in range(240))
    return f"# {name}\n\n{lines}"


@dataclass
class Site:
    """A gateway on the small disk, and what it acknowledged."""

    disk: Path
    collection: Collection
    client: httpx.Client
    settings: Settings
    acknowledged: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    rag: dict[str, str] = field(default_factory=dict)

    def answers(self) -> int:
        """Ask; the status."""
        body = {"model": "support", "messages": [{"role": "user", "content": QUESTION}]}
        asked = self.client.post("/v1/chat/completions", json=body)
        if asked.status_code == 200:
            self.rag = asked.json()["rag"]
            self.acknowledged.add(self.rag["answer_id"])
        return asked.status_code

    def feedback(self) -> int:
        """Rate the last answer; the status."""
        event = {"answer_id": self.rag["answer_id"], "token": self.rag["feedback_token"], "kind": "thumb"}
        rated = self.client.post("/v1/feedback", json={**event, "value": "up"})
        if rated.status_code == 201:
            self.acknowledged.add(rated.json()["event_id"])
        return rated.status_code

    def upload(self) -> int:
        """Put a new document; the status."""
        name = f"page-{len(self.documents)}-{os.urandom(3).hex()}"
        put = self.client.put(f"/v1/documents/{name}", json={"text": text_of(name)})
        if put.status_code in (200, 201):
            self.documents.add(name)
        return put.status_code

    @staticmethod
    def until_refused(action: Callable[[], int]) -> Iterator[int]:
        """The statuses of an action, up to the first that isn't taken."""
        for _ in range(MOST):
            yield (status := action())
            if status not in (200, 201):
                return

    def ingestion(self, left_kb: int) -> None:
        """Begin a run over another page; the disk is full once it prepares."""
        (self.collection.base / "pages" / f"run-{left_kb}.md").write_text(text_of(f"run-{left_kb}"))
        with pytest.raises((IngestionError, OSError)):
            run(self.collection, workers=FillingWorkers(self.collection.embedder, self.disk, left_kb))

    def documents_listed(self) -> set[str]:
        found = self.client.get("/v1/documents", params={"limit": 1000})
        if found.status_code != 200:
            return set()
        return set(found.json()["documents"])

    def stored(self) -> set[str]:
        """Ids in the database."""
        return stored(self.settings.database())

    def is_well(self) -> bool:
        """Whether everything is taken again."""
        return [self.answers(), self.feedback(), self.upload()] == [200, 201, 201]


class FillingWorkers(InlineWorkers):
    """Fill a disk when the first source is prepared."""

    def __init__(self, embedder: Embedder, disk: Path, left_kb: int) -> None:
        super().__init__(embedder)
        self._disk, self._left_kb = disk, left_kb

    def prepare(self, plan: Plan, sources: Iterable[Source]) -> Iterator[Result]:
        fill(self._disk, left_kb=self._left_kb)
        yield from super().prepare(plan, sources)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("full")
    for disk in mounted(folder / "disk"):
        collection = small_collection(folder, disk / "data", embedder)
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            scope_file=folder / "scope.yaml",
            data_dir=disk / "data",
            embed_threads=1,
        )
        with serving(create_app(settings)) as url, httpx.Client(base_url=url, timeout=120) as client:
            yield Site(disk, collection, client, settings)


@pytest.mark.slow
@pytest.mark.parametrize(("action", "left_kb"), points("answers", "feedback", "upload", "ingestion"))
def test_a_full_disk_loses_nothing_and_is_recovered_from(site: Site, action: str, left_kb: int) -> None:
    assert site.is_well()
    filler = fill(site.disk, left_kb=left_kb) if action != "ingestion" else site.disk / "filler"
    try:
        if action == "ingestion":
            site.ingestion(left_kb)
        else:
            statuses = set(site.until_refused(getattr(site, action)))
            assert 503 in statuses, "the disk was never full"
            assert statuses <= {200, 201, 503}, "it is taken or refused with a remedy, never a fault of ours"
        assert site.client.get("/livez").status_code == 200
        assert site.answers() in (200, 503)
        assert site.documents <= site.documents_listed()
    finally:
        filler.unlink()
    wait_until(site.is_well, seconds=30)
    wait_until(lambda: site.acknowledged <= site.stored(), seconds=30)
    assert site.documents <= site.documents_listed()
    run(site.collection)
    open_active(site.collection.folder).check()
    assert {path.name for path in (site.collection.base / "pages").iterdir()} <= site.documents_listed()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # a server that can't start
@pytest.mark.parametrize("left_kb", [left for _, left in points("start")])
def test_a_gateway_that_starts_on_a_full_disk_says_so_and_starts_once_there_is_room(
    small: Path,
    tmp_path: Path,
    embedder: Embedder,
    left_kb: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small_collection(tmp_path, small / "data", embedder)
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(small / "data"))
    filler = fill(small, left_kb=left_kb)
    if main(["db", "upgrade"]):
        (told,) = capsys.readouterr().err.splitlines()
        assert told.startswith("error: ")
        assert "space and rights" in told or "nothing can be written" in told
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=tmp_path / "scope.yaml",
        data_dir=small / "data",
        embed_threads=1,
        secret_key=SecretStr("a secret of the tests"),
    )
    with suppress(AssertionError), serving(create_app(settings)) as url:
        assert httpx.get(f"{url}/livez", timeout=60).status_code == 200
    filler.unlink()
    assert main(["db", "upgrade"]) == 0
    with serving(create_app(settings)) as url:
        wait_until(lambda: httpx.get(f"{url}/readyz", timeout=60).status_code == 200)
