"""From a change to a release that is served: build, validate, hand to Milvus, activate, tidy up."""

from dataclasses import dataclass

from ingestion.releases.build import Change, build_release
from ingestion.releases.prune import held_segments, prune
from ingestion.releases.release import Release, point_to
from ingestion.runs.collection import Collection
from ingestion.runs.validate import refuse, validate
from ingestion.search.milvus import MilvusIndex


@dataclass(frozen=True, slots=True)
class Retention:
    """Which old releases stay."""

    keep: int | None = None
    grace_s: float | None = None
    only_active: bool = False


def publish(
    collection: Collection, base: Release | None, change: Change, retention: Retention = Retention()
) -> Release:
    """Make a release and activate it. Call it with the collection's lock held.

    A release of a run is validated first; single documents are not, so that they are visible at once.
    Raises `ReleaseError` when the release isn't fit; the active one then stays.
    """
    release = build_release(collection.folder, collection.name, base, change, collection.recipe)
    if change.origin == "run":
        refuse(release, validate(release, collection.embedder, collection.config, collection.base))
    milvus = (
        MilvusIndex(collection.config.index.milvus, collection.name)
        if collection.config.index.milvus
        else None
    )
    if milvus is not None:
        milvus.put(release)
    point_to(collection.folder, release.manifest.id)
    kept = {name: value for name in ("keep", "grace_s") if (value := getattr(retention, name)) is not None}
    prune(collection.folder, only_active=retention.only_active, pinned=collection.pinned, **kept)
    if milvus is not None:
        held = held_segments(collection.folder)
        if held is not None:
            milvus.keep(sorted(held))
        milvus.close()
    return release
