"""The release that is being served, a collection, and the watch for a newly activated one."""

import asyncio
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path

from ingestion.config import CollectionConfig
from ingestion.errors import EmbedderError, ReleaseError
from ingestion.releases.release import (
    Release,
    active_id,
    collection_folder,
    open_active,
    problems_of,
    releases,
)
from ingestion.search.milvus import MilvusIndex
from service.corpus.embedders import Embedders
from service.errors import NotReadyError
from service.logs import get_logger
from service.metrics import RELEASE, RELEASE_CHUNKS

log = get_logger()


class LiveReleases:
    """Swaps in new releases between requests; one that is in use stays open until its last request."""

    def __init__(
        self, data_dir: Path, collections: Mapping[str, CollectionConfig], embedders: Embedders
    ) -> None:
        self._milvus = {
            name: MilvusIndex(config.index.milvus, name)
            for name, config in collections.items()
            if config.index.milvus
        }
        self._folders = {name: collection_folder(data_dir, name) for name in collections}
        self._embedders = embedders
        self._pinned: dict[tuple[str, str], Release] = {}
        self._open: dict[str, Release] = {}
        self._refused: dict[str, str] = {}
        self._pointers: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    async def serving(self, collection: str, release_id: str | None = None) -> Release:
        """The same as `current` for an event loop, on which no release is opened and no model loaded."""
        known = self._known(collection, release_id)
        if known is not None:
            return known
        return await asyncio.to_thread(self.current, collection, release_id)

    def _known(self, collection: str, release_id: str | None) -> Release | None:
        """The release if it is open already and still the one that is asked for."""
        if release_id is not None:
            active = self._open.get(collection)
            is_active = active is not None and active.manifest.id == release_id
            return active if is_active else self._pinned.get((collection, release_id))
        # The pointer first: another thread opens a release before it takes note of its pointer.
        is_fresh = self._pointer(collection) == self._pointers.get(collection)
        return self._open.get(collection) if is_fresh else None

    def current(self, collection: str, release_id: str | None = None) -> Release:
        """The release that is active at this moment, or one that was named, opened if need be.

        A look at the pointer takes microseconds, so that what was acknowledged to one client is seen by
        all others at once, whichever process answers them. Raises `NotReadyError`.
        """
        if release_id is not None:
            return self._pinned_release(collection, release_id)
        if self._pointer(collection) != self._pointers.get(collection):
            self.refresh()
        release = self._open.get(collection)
        if release is None:
            raise NotReadyError(
                f"The collection {collection!r} has no index yet. Run: touchstone ingestion run."
            )
        return release

    def _pinned_release(self, collection: str, release_id: str) -> Release:
        active = self._open.get(collection)
        if active is not None and active.manifest.id == release_id:
            return active
        key = (collection, release_id)
        with self._lock:
            if key not in self._pinned:
                try:
                    release = Release(self._folders[collection] / "releases" / release_id, active)
                    release.check()
                    self._admit(collection, release)
                except (ReleaseError, EmbedderError) as exc:
                    raise NotReadyError(
                        f"The release {release_id!r} of {collection!r}, which the variant names, can't be served: {exc}"
                    ) from exc
                self._pinned[key] = release
            return self._pinned[key]

    def close(self) -> None:
        """Let go of Milvus."""
        for index in self._milvus.values():
            index.close()

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
            # The pointer is taken note of last: until then everybody waits for the release that it points to.
            pointer = self._pointer(name)
            self._open_wanted(name, folder)
            if pointer is not None:
                self._pointers[name] = pointer

    def _open_wanted(self, name: str, folder: Path) -> None:
        try:
            wanted = active_id(folder)
        except ReleaseError as exc:
            self._fall_back(name, folder, "active", exc)
            return
        serving = self._open.get(name)
        is_open = serving is not None and serving.manifest.id == wanted
        if is_open:
            self._refused.pop(name, None)
        if wanted is None or is_open or self._refused.get(name) == wanted:
            return
        try:
            self._swap(name, open_active(folder, serving))
            self._refused.pop(name, None)
        except (ReleaseError, EmbedderError) as exc:
            self._fall_back(name, folder, wanted, exc)

    def _fall_back(self, name: str, folder: Path, wanted: str, exc: Exception) -> None:
        """Go on with what is open, or open the newest release that can be opened; other collections are not concerned."""
        if self._refused.get(name) == wanted:
            return
        log.error("release_refused", collection=name, release=wanted, reason=str(exc))
        self._refused[name] = wanted
        if name in self._open:
            return
        for manifest in releases(folder):
            release_folder = folder / "releases" / manifest.id
            if manifest.id == wanted or problems_of(release_folder):
                continue
            try:
                release = Release(release_folder)
                release.check()
                self._swap(name, release)
            except (ReleaseError, EmbedderError) as another:
                log.error("release_refused", collection=name, release=manifest.id, reason=str(another))
            else:
                return

    def damaged(self) -> list[str]:
        """Collections whose active release can't be served, and what is served instead."""
        return [
            f"{name}: {wanted} can't be served, {self._open[name].manifest.id} is"
            for name, wanted in self._refused.items()
            if name in self._open and self._open[name].manifest.id != wanted
        ]

    def _swap(self, name: str, release: Release) -> None:
        manifest = release.manifest
        self._admit(name, release)
        self._open[name] = release
        RELEASE.labels(name).set(manifest.number)
        RELEASE_CHUNKS.labels(name).set(manifest.chunks)
        log.info("release_served", collection=name, release=manifest.id, chunks=manifest.chunks)

    def _admit(self, name: str, release: Release) -> None:
        """Load the release's model, and let Milvus propose where the scope says so."""
        self._embedders.admit(release.manifest)
        if name in self._milvus:
            release.searcher = self._milvus[name].searcher(release)

    async def watch(self, executor: Executor, interval_s: float) -> None:
        """Refresh for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval_s)
            try:
                await loop.run_in_executor(executor, self.refresh)
            except Exception as exc:  # noqa: BLE001 - a watch that dies would serve stale answers
                log.error("release_watch_failed", error=type(exc).__name__)
