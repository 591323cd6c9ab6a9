"""The base model of an adapter, by its digest: the weights, their configuration, the tokenizer and the chat template."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from finetune.yaml_file import TrainingDataError
from ingestion.artifact import digest_of

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")
# What turns text into tokens, as tokenizers of any kind keep it.
TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab*",
    "merges.txt",
    "*.model",
)
CONFIG = "config.json"


def base_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a model's files; prose, licences and generation defaults don't count.

    Raises `TrainingDataError` for a folder without weights or configuration.
    """
    files = sorted(set(found_in(folder, (*WEIGHTS, *TOKENIZER, CONFIG))))
    has_weights = any(True for _ in found_in(folder, WEIGHTS))
    if not has_weights or not (folder / CONFIG).is_file():
        raise TrainingDataError(
            f"There is no model in {str(folder)!r}: it takes {CONFIG} and weights. Fetch the demo's with"
            " `deploy/vllm/serve install`, or name the folder of yours as `base.path`."
        )
    content = {path.name: digest_of(path) for path in files}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_base(folder: Path, expected: str | None) -> str:
    """The digest of a base, which must be `expected` where one is. Raises `TrainingDataError`."""
    found = base_digest(folder)
    if expected not in (None, found):
        raise TrainingDataError(
            f"The model in {str(folder)!r} has the digest {found!r}, not {expected!r}: it is another base. Take the one"
            " that was meant, or write the new digest into `base.digest` and train anew."
        )
    return found


def found_in(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Files of a folder that fit one of the patterns."""
    return (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
