"""Training an adapter by our loop beside TRL's `SFTTrainer` with its own defaults: time, memory and loss of the same rows.

Each runs in a process of its own, in which training libraries may be imported; memory is that process's peak. TRL gets a
length that cuts no answer off, our learning rate and our precision, without which it would be slower or learn less.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from evals.metrics import Figure

BASE = Path("var/smollm2")
_GROUPS, _QUICK_GROUPS = 20, 3


def measure(*, data: Path | None, is_quick: bool) -> dict[str, Figure]:
    """Both, one after the other."""
    if not (BASE / "config.json").is_file():
        raise RuntimeError(f"There is no model in {str(BASE)!r}. Fetch it: deploy/vllm/serve install")
    groups = _QUICK_GROUPS if is_quick else _GROUPS
    ours, theirs = (_run(which, groups) for which in ("ours", "trl"))
    speeds = [one["row_tokens"] / one["took_s"] for one in (ours, theirs)]
    return {
        "finetune.speedup": Figure(speeds[0] / speeds[1]),
        "finetune.cpu_ratio": Figure(theirs["cpu_s"] / ours["cpu_s"]),
        "finetune.tokens_per_s": Figure(speeds[0]),
        "finetune.trl.tokens_per_s": Figure(speeds[1]),
        "finetune.peak_memory_ratio": Figure(ours["peak_bytes"] / theirs["peak_bytes"]),
        "finetune.peak_gib": Figure(ours["peak_bytes"] / 2**30),
        "finetune.trl.peak_gib": Figure(theirs["peak_bytes"] / 2**30),
        "finetune.loss_ours": Figure(ours["loss"]),
        "finetune.loss_trl": Figure(theirs["loss"]),
    }


def _run(which: str, groups: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "finetune.lora.speed", which]
    run = subprocess.run(
        [*command, "--base", str(BASE), "--groups", str(groups)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"The training by {which!r} failed: {lines[-1]}")
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found
