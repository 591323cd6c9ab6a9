"""llm-guard's scanners on the texts of standard input; prints their speed. Runs in an environment of its own.

Where its injection model can't be fetched, a network of the same form (DeBERTa-v3-base) with random weights takes its
place: it finds nothing, and is as fast.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LABELS = {0: "SAFE", 1: "INJECTION"}


def main() -> None:
    """One line of JSON: kilobytes a second of each scanner that works here."""
    texts = json.load(sys.stdin)
    size = sum(len(text.encode()) for text in texts) / 1000
    found: dict[str, float | None] = {}
    makers: dict[str, Callable[[], Any]] = {
        "regex": _regex,
        "secrets": _secrets,
        "injection_onnx": _injection,
        "injection_onnx_random": lambda: _injection_of_same_form(texts),
    }
    for name, make in makers.items():
        try:
            scanner = make()
            scanner.scan(texts[0])
            begun = time.perf_counter()
            for text in texts:
                scanner.scan(text)
            found[f"{name}_kb_per_s"] = size / (time.perf_counter() - begun)
        except Exception as exc:  # noqa: BLE001 - whatever keeps a peer from working here
            print(f"{name}: {type(exc).__name__}: {exc}"[:300], file=sys.stderr)
            found[f"{name}_kb_per_s"] = None
        if name == "injection_onnx" and found[f"{name}_kb_per_s"] is not None:
            break
    print(json.dumps(found))


def _regex() -> Any:
    from llm_guard.input_scanners import Regex

    return Regex(
        patterns=[
            r"(?i)ignore (?:all )?previous instructions",
            r"\b\d{16}\b",
            r"[\w.]+@[\w.]+",
            r"AKIA[0-9A-Z]{16}",
        ]
    )


def _secrets() -> Any:
    from llm_guard.input_scanners import Secrets

    return Secrets()


def _injection() -> Any:
    from llm_guard.input_scanners import PromptInjection

    return PromptInjection(use_onnx=True)


def _injection_of_same_form(texts: list[str]) -> Any:
    import torch
    from llm_guard.input_scanners import PromptInjection
    from llm_guard.model import Model
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast, DebertaV2Config, DebertaV2ForSequenceClassification

    folder = Path(tempfile.mkdtemp(prefix="llm-guard-"))
    trained = BertWordPieceTokenizer()
    trained.train_from_iterator(texts, vocab_size=8_000)
    trained.save(str(folder / "tokenizer.json"))
    BertTokenizerFast(tokenizer_file=str(folder / "tokenizer.json")).save_pretrained(folder)
    config = DebertaV2Config(
        vocab_size=8_000,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3_072,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
        id2label=_LABELS,
        label2id={label: number for number, label in _LABELS.items()},
    )
    model = DebertaV2ForSequenceClassification(config)
    model.save_pretrained(folder)
    model.train(False)
    example = torch.ones(2, 16, dtype=torch.long)
    names = ("input_ids", "attention_mask")
    torch.onnx.export(
        model,
        tuple({name: example for name in names}.values()),
        str(folder / "model.onnx"),
        input_names=list(names),
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
        opset_version=17,
        dynamo=False,
    )
    kwargs = {"return_token_type_ids": False, "max_length": 512, "truncation": True}
    return PromptInjection(
        model=Model(path=str(folder), onnx_path=str(folder), pipeline_kwargs=kwargs), use_onnx=True
    )


if __name__ == "__main__":
    main()
