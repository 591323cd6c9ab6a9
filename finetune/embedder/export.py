"""Rebuild the built-in embedder: quantise all-MiniLM-L6-v2 to int8 for OpenVINO.

Run with the extra `models`: `python -m finetune.embedder.export --source FOLDER`, where FOLDER holds
the official `model.safetensors` and `tokenizer.json`. Weights with other digests are refused.
Method: post-training quantisation with NNCF (SmoothQuant and fast bias correction), calibrated on
the demo corpus, so that nothing but this repository and the weights is needed.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from ingestion.artifact import digest_of, written_artifact
from ingestion.corpus import Source
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.errors import EmbedderError
from ingestion.load import read
from ingestion.load.fetch import fetch
from ingestion.load.folder import discover_files
from ingestion.text.clean import clean_blocks

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
SOURCE_DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MAX_TOKENS = 256
DIMENSION = 384
CALIBRATION_TEXTS = 300
FILES = ("model.xml", "model.bin", "tokenizer.json")


def main() -> None:
    """Check the source, quantise, write the artefact."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m finetune.embedder.export")
    parser.add_argument("--source", type=Path, required=True, help="folder with the weights")
    parser.add_argument("--corpus", type=Path, default=Path("deploy/demo/help"))
    parser.add_argument("--out", type=Path, default=BUILTIN_DIR)
    args = parser.parse_args()
    check_source(args.source)
    texts = calibration_texts(args.corpus)
    with written_artifact(
        args.out,
        FILES,
        name="all-MiniLM-L6-v2-int8",
        licence="Apache-2.0",
        rebuild="python -m finetune.embedder.export --source FOLDER",
        facts={
            "max_tokens": MAX_TOKENS,
            "dimension": DIMENSION,
            "source": {"model": MODEL, "revision": REVISION, **SOURCE_DIGESTS},
        },
    ) as folder:
        shutil.copyfile(args.source / "tokenizer.json", folder / "tokenizer.json")
        quantise(args.source, texts, folder / "model.xml")


def check_source(folder: Path) -> None:
    """Raise `EmbedderError` unless the weights and the tokenizer are the official ones."""
    for name, digest in SOURCE_DIGESTS.items():
        path = folder / name
        if not path.is_file():
            raise EmbedderError(f"{str(path)!r} is missing.")
        found = digest_of(path)
        if found != digest:
            raise EmbedderError(f"{str(path)!r} has sha256 {found}, expected {digest}: not used.")


def calibration_texts(corpus: Path) -> list[str]:
    """Blocks of the corpus, short and long, spread evenly over it."""
    texts = [
        block.text
        for source in discover_files(corpus, ".")
        if isinstance(source, Source)
        for block in clean_blocks(read(fetch(source), source.id).blocks)
    ]
    step = max(1, len(texts) // CALIBRATION_TEXTS)
    return texts[::step][:CALIBRATION_TEXTS]


def quantise(source: Path, texts: list[str], target: Path) -> None:
    """Write the int8 graph: token ids and mask in, unit vectors out."""
    import nncf
    import numpy as np
    import openvino
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    class Encoder(torch.nn.Module):  # type: ignore[misc]  # untyped where torch is absent
        """BERT, mean pooling over the mask, and normalisation, as the model card prescribes."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(
                str(source), add_pooling_layer=False, attn_implementation="sdpa"
            ).eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, p=2, dim=1)

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()

    def inputs(text: str) -> dict[str, Any]:
        ids = np.array([tokenizer.encode(text).ids])
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    example = torch.ones(2, 16, dtype=torch.long)
    shape = openvino.PartialShape([-1, -1])
    with torch.no_grad():
        graph = openvino.convert_model(
            Encoder(),
            example_input={"input_ids": example, "attention_mask": example.clone()},
            input=[shape, shape],
        )
    quantised = nncf.quantize(
        graph,
        nncf.Dataset(texts, inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(texts),
    )
    openvino.save_model(quantised, target)


if __name__ == "__main__":
    main()
