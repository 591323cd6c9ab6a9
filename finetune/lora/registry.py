"""Adapters by the digest of their content: a folder each, with a manifest of where it came from and a card made of that.

An adapter `name@digest12` is never changed. What is learned of it later (proof, publication) is noted in its manifest.
"""

import hashlib
import json
import platform
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from finetune.lora.card import render_card
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Dataset, Row, licences_of, open_dataset
from finetune.yaml_file import TrainingDataError
from ingestion.artifact import CARD, MANIFEST, Artifact, digest_of, open_artifact, written_artifact
from ingestion.atomic import write_atomically
from ingestion.errors import EmbedderError

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
FILES = (WEIGHTS, CONFIG)
# What becomes of an adapter; `withdrawn` ones stay for the record.
Status = Literal["trained", "proved", "failed", "undecided", "published", "withdrawn"]
_REBUILD = "touchstone finetune train RECIPE"
_PACKAGES = ("torch", "peft", "transformers", "trl")
# What decides in which type a processor computes.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an adapter came from: the recipe, the dataset, the base's digest, and what the training run tells of itself,
    such as steps, losses and `forgetting`."""

    recipe: Recipe
    dataset: Dataset
    base: str
    training: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A registered adapter whose files are what its manifest says."""

    artifact: Artifact

    @property
    def name(self) -> str:
        """`name@digest12`, under which it is served."""
        return f"{self.artifact.name}@{self.artifact.digest[:12]}"

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.artifact.folder

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the manifest tells beside digests."""
        return self.artifact.facts

    @property
    def status(self) -> Status:
        """What became of it so far."""
        found: Status = self.facts["status"]
        return found

    def check_base(self, digest: str) -> None:
        """Raise `TrainingDataError` unless it was trained on the base with this digest."""
        own = self.facts["base"]["digest"]
        if own != digest:
            raise TrainingDataError(
                f"The adapter {self.name!r} was trained on the base {own[:12]!r}, and this one is {digest[:12]!r}. Serve it"
                " on its own base, or train it anew."
            )


def digest_of_adapter(folder: Path) -> str:
    """Digest of an adapter's two files, as its registered name begins with. Raises `TrainingDataError`."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise TrainingDataError(
            f"There is no adapter in {str(folder)!r}: {missing[0]} is missing. Train it again."
        )
    return hashlib.sha256("".join(digest_of(folder / name) for name in FILES).encode()).hexdigest()


def register(adapters: Path, trained: Path, lineage: Lineage) -> Adapter:
    """Take a folder that PEFT wrote into the folder `adapters`, under the digest of its content; one that is there stays.

    Raises `TrainingDataError` for a folder without an adapter.
    """
    digest_of_adapter(trained)
    recipe = lineage.recipe
    fresh = adapters / f".{recipe.name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        shutil.copyfile(trained / WEIGHTS, fresh / WEIGHTS)
        (fresh / CONFIG).write_text(_portable(trained / CONFIG, recipe.base.served_as), "utf-8")
        digest = digest_of_adapter(fresh)
        place = adapters / f"{recipe.name}@{digest[:12]}"
        if not place.is_dir():
            _write(place, fresh, lineage)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return open_adapter(place)


def _portable(config: Path, served_as: str) -> str:
    """PEFT's configuration without this machine's paths and with its sets in order, so that equal adapters are equal."""
    try:
        raw = json.loads(config.read_text("utf-8"))
    except ValueError as exc:
        raise TrainingDataError(f"{str(config)!r} is no JSON: {exc}. Train it again.") from exc
    raw["base_model_name_or_path"] = served_as
    for name in ("target_modules", "modules_to_save"):
        if isinstance(raw.get(name), list):
            raw[name] = sorted(raw[name])
    return json.dumps(raw, indent=1, sort_keys=True) + "\n"


def _write(place: Path, fresh: Path, lineage: Lineage) -> None:
    facts = _facts(place.name, lineage)
    licence = lineage.dataset.artifact.licence  # it follows from the base's and those of all data
    with written_artifact(
        place, FILES, name=lineage.recipe.name, licence=licence, rebuild=_REBUILD, facts=facts
    ) as work:
        for name in FILES:
            shutil.copyfile(fresh / name, work / name)
        shown = {"name": lineage.recipe.name, "licence": licence, **facts}
        (work / CARD).write_text(render_card(shown), "utf-8")


def _facts(name: str, lineage: Lineage) -> dict[str, Any]:
    recipe, rows = lineage.recipe, lineage.dataset.of("train")
    base = {
        "digest": lineage.base,
        "served_as": recipe.base.served_as,
        "licence": recipe.base.licence or "unknown",
    }
    return {
        "adapter": name,
        "status": "trained",
        "base": base,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_digest": recipe.digest,
        "dataset": {"digest": lineage.dataset.digest, **_shares(rows)},
        "licences": licences_of(rows),
        "method": recipe.training.method,
        "seed": recipe.seed,
        "training": dict(lineage.training),
        "versions": {one: _version(one) for one in _PACKAGES} | {"python": platform.python_version()},
        "processor": processor_flags(),
        "proof": None,
        "publication": None,
    }


def _shares(rows: list[Row]) -> dict[str, Any]:
    """How many rows of which kind and source, and how many of them have no answer."""
    return {
        "rows": len(rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
        "sources": dict(
            sorted(Counter(kind for row in rows for kind in {one.kind for one in row.sources}).items())
        ),
        "documents": len({one.id for row in rows for one in row.sources if one.kind == "document"}),
        "unanswerable": sum(not row.is_answerable for row in rows),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor_flags() -> list[str]:
    """What of this processor decides about types and bytes; empty where the system doesn't tell."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return []
    flags = next((line.split() for line in told.splitlines() if line.startswith("flags")), [])
    return [flag for flag in _FLAGS if flag in flags]


def open_adapter(folder: Path) -> Adapter:
    """The adapter in a folder, verified, whose name must be that of its content. Raises `TrainingDataError`."""
    try:
        artifact = open_artifact(folder, rebuild=_REBUILD)
    except EmbedderError as exc:
        raise TrainingDataError(str(exc)) from exc
    adapter = Adapter(artifact)
    if set(artifact.files) != set(FILES) or "base" not in artifact.facts:
        raise TrainingDataError(f"{str(folder)!r} is another artefact, {artifact.name!r}: no adapter.")
    if folder.name != adapter.name:
        raise TrainingDataError(
            f"The folder {folder.name!r} holds the adapter {adapter.name!r}. Give it that name: adapters are found by it."
        )
    return adapter


def note(adapter: Adapter, **facts: Any) -> Adapter:
    """Put what was learned of an adapter into its manifest and card: `status`, `proof`, `publication`."""
    path = adapter.folder / MANIFEST
    manifest = json.loads(path.read_text("utf-8")) | facts
    write_atomically(path, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    write_atomically(adapter.folder / CARD, render_card(manifest))
    return open_adapter(adapter.folder)


def adapters_in(state: Path) -> list[Adapter]:
    """Every adapter below `<data dir>/finetune`, in the order of their names. Raises `TrainingDataError` for a broken one."""
    found = (path.parent for path in state.glob(f"*/adapters/[!.]*/{MANIFEST}"))
    return [open_adapter(folder) for folder in sorted(found)]


def adapters_with(state: Path, source_id: str) -> list[str]:
    """The names of adapters that learned from rows of a document, curated answer or feedback event, by its id.

    One whose dataset is gone is named too: nobody can say that it didn't. Raises `TrainingDataError` for a broken one.
    """
    return [adapter.name for adapter in adapters_in(state) if _learned_from(adapter, source_id)]


def _learned_from(adapter: Adapter, source_id: str) -> bool:
    digest = adapter.facts["dataset"]["digest"]
    folder = adapter.folder.parent.parent / "datasets" / digest[:12]
    if not (folder / MANIFEST).is_file():
        return True
    dataset = open_dataset(folder)
    return any(source.id == source_id for row in dataset.of("train") for source in row.sources)
