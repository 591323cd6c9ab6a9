"""Base and adapter as one model, for servers without LoRA: merged in float32, saved in the base's type, whole or not at all."""

import json
import shutil
from pathlib import Path

from finetune.lora.base import TOKENIZER, base_digest, found_in
from finetune.lora.models import load_with_adapter
from finetune.lora.registry import digest_of_adapter
from finetune.yaml_file import TrainingDataError
from ingestion.artifact import CARD, MANIFEST, Artifact, open_artifact, written_artifact
from ingestion.errors import EmbedderError

# What goes with the weights unchanged: how text becomes tokens, how to sample, who permits it.
_COPIED = (*TOKENIZER, "generation_config.json", "LICEN[SC]E*", "NOTICE*")
_REBUILD = "touchstone finetune merge RECIPE"


def merge(base: Path, adapter: Path, out: Path, *, licence: str = "unknown") -> Artifact:
    """Write the merged model into the folder `out`, an artefact that names base and adapter by digest; a server loads it
    like any other model. One that is there already, of the same two, stays.

    Raises `TrainingDataError` for a folder that holds something else, and for an adapter that doesn't fit the base.
    """
    made_of = {"base": base_digest(base), "adapter": digest_of_adapter(adapter)}
    known = _known(out)
    if known is not None and known.facts.get("made_of") == made_of:
        return known
    files: list[str] = []  # named once they are written
    facts = {"made_of": made_of, "adapter_name": adapter.name}
    with written_artifact(out, files, name=out.name, licence=licence, rebuild=_REBUILD, facts=facts) as work:
        _save_merged(base, adapter, work)
        for path in found_in(base, _COPIED):
            shutil.copyfile(path, work / path.name)
        (work / CARD).write_text(_card(base, adapter, licence), "utf-8")
        files += sorted(path.name for path in work.iterdir() if path.name != CARD)
    return open_artifact(out, rebuild=_REBUILD)


def _known(out: Path) -> Artifact | None:
    """The merged model that is there. Raises `TrainingDataError` for a folder of another kind."""
    if not out.exists():
        return None
    try:
        artifact = open_artifact(out, rebuild=_REBUILD)
    except EmbedderError as exc:
        if (out / MANIFEST).is_file():
            return None  # damaged, and made anew
        raise TrainingDataError(
            f"{str(out)!r} is there and no merged model. Name another folder, or remove it."
        ) from exc
    if "made_of" not in artifact.facts:
        raise TrainingDataError(f"{str(out)!r} is another artefact, {artifact.name!r}. Name another folder.")
    return artifact


def _save_merged(base: Path, adapter: Path, out: Path) -> None:
    import torch

    kept = _type_of(base)
    model = load_with_adapter(base, adapter).merge_and_unload(safe_merge=True)
    model.to(getattr(torch, kept)).save_pretrained(str(out))


def _type_of(base: Path) -> str:
    """The type in which the base's weights are kept."""
    config = json.loads((base / "config.json").read_text("utf-8"))
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")


def _card(base: Path, adapter: Path, licence: str) -> str:
    return (
        f"# Merged model\n\nThe weights of the base model ({base.name}, {licence}) were changed: those of the LoRA adapter"
        f" `{adapter.name}` were added to them in float32, and the sum was saved in the base's own type. Tokenizer, chat"
        " template and licence are the base's, unchanged. What the adapter learned from, and what it was shown to do,"
        " stands in the adapter's own card.\n"
    )
