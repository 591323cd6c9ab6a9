"""llm-guard's scanners on the texts of standard input; prints their speed. Runs in an environment of its own."""

import json
import sys
import time
from typing import Any


def main() -> None:
    """One line of JSON: kilobytes a second of each scanner that works here."""
    texts = json.load(sys.stdin)
    size = sum(len(text.encode()) for text in texts) / 1000
    found: dict[str, float | None] = {}
    for name, make in (("regex", _regex), ("secrets", _secrets), ("injection_onnx", _injection)):
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


if __name__ == "__main__":
    main()
