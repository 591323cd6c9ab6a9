"""The release that is being served, a collection, and the watch for a newly activated one."""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from ingestion.errors import ReleaseError
from ingestion.release import Release, active_id, collection_folder, open_active
from service.errors import NotReadyError
from service.logs import get_logger
from service.metrics import RELEASE, RELEASE_CHUNKS

log = get_logger()


class LiveReleases:
    """Swaps in new releases between requests; one that is in use stays open until its last request."""

    def __init__(self, data_dir: Path, collections: Sequence[str], embedder_digests: dict[str, str]) -> None:
        self._folders = {name: collection_folder(data_dir, name) for name in collections}
        self._embedders = embedder_digests
        self._open: dict[str, Release] = {}
        self._refused: dict[str, str] = {}
        self._pointers: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def current(self, collection: str) -> Release:
        """The release that is active at this moment. Raises `NotReadyError` before there is one.

        A look at the pointer takes microseconds, so that what was acknowledged to one client is seen by
        all others at once, whichever process answers them.
        """
        if self._pointer(collection) != self._pointers.get(collection):
            self.refresh()
        release = self._open.get(collection)
        if release is None:
            raise NotReadyError(
                f"The collection {collection!r} has no index yet. Run: python -m ingestion run."
            )
        return release

    def peek(self, collection: str) -> Release | None:
        """The release that is open now, if any."""
        return self._open.get(collection)

    def _pointer(self, collection: str) -> tuple[int, int] | None:
        try:
            found = os.stat(self._folders[collection] / "active")
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def missing(self) -> list[str]:
        """Collections without an open release."""
        return [name for name in self._folders if name not in self._open]

    def refresh(self) -> None:
        """Open what was activated since the last look. What can't be opened is logged, once."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        for name, folder in self._folders.items():
            pointer = self._pointer(name)
            wanted = active_id(folder)
            if pointer is not None:
                self._pointers[name] = pointer
            serving = self._open.get(name)
            if wanted is None or (serving and serving.manifest.id == wanted):
                continue
            if self._refused.get(name) == wanted:
                continue
            try:
                self._swap(name, open_active(folder, serving))
            except ReleaseError as exc:
                self._refused[name] = wanted
                log.error("release_refused", collection=name, release=wanted, reason=str(exc))

    def _swap(self, name: str, release: Release) -> None:
        manifest = release.manifest
        if manifest.embedder_digest != self._embedders[name]:
            raise ReleaseError(
                f"Release {manifest.id!r} was built with the embedder {manifest.embedder!r}, "
                "which is not the one of the scope file. Run the ingestion again."
            )
        self._open[name] = release
        RELEASE.labels(name).set(manifest.number)
        RELEASE_CHUNKS.labels(name).set(manifest.chunks)
        log.info("release_served", collection=name, release=manifest.id, chunks=manifest.chunks)

    async def watch(self, executor: Executor, interval_s: float) -> None:
        """Refresh for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval_s)
            try:
                await loop.run_in_executor(executor, self.refresh)
            except Exception as exc:  # noqa: BLE001 - a watch that dies would serve stale answers
                log.error("release_watch_failed", error=type(exc).__name__)
