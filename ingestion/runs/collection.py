"""A collection opened for changes."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ingestion.config import CollectionConfig
from ingestion.embed import Embedder
from ingestion.prepare.preparer import PIPELINE_VERSION
from ingestion.releases.build import Recipe
from ingestion.releases.release import collection_folder
from ingestion.scrub.vault import Vault


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection with all that is needed to change it: its configuration, embedder, folders and vault."""

    name: str
    config: CollectionConfig
    embedder: Embedder
    data_dir: Path
    base: Path = Path()
    vault: Vault | None = None
    pinned: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """The collection's folder."""
        return collection_folder(self.data_dir, self.name)

    @property
    def recipe(self) -> Recipe:
        """What shapes every document of a release."""
        parts = {
            "pipeline": PIPELINE_VERSION,
            "config": self.config.model_dump(mode="json", exclude={"sources", "screen", "index"}),
            "embedder": self.embedder.digest,
        }
        digest = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return Recipe(
            digest,
            self.config.embedder,
            self.embedder.name,
            self.embedder.digest,
            self.embedder.dimension,
            tuple(self.config.languages),
            self.config.index.kind,
        )
