"""A training in a process of its own, which a test may kill: python -m tests.finetune.lora.train_tiny BASE ROWS RUN [EPOCHS]."""

import sys
import time
from pathlib import Path

from finetune.lora.loop import Moment
from finetune.lora.rows import open_dataset
from finetune.lora.train import train
from tests.finetune.lora import tiny


def main() -> None:
    base, rows, run = map(Path, sys.argv[1:4])
    epochs = float(sys.argv[4])
    recipe = tiny.recipe(
        base, epochs=epochs, dropout=0.1, checkpoint_every=3, evaluate_every=4, patience=1000
    )

    def progress(moment: Moment) -> None:
        print(moment.step, flush=True)  # noqa: T201
        time.sleep(0.02)

    print(train(recipe, open_dataset(rows), base, run, progress=progress).digest)  # noqa: T201


if __name__ == "__main__":
    main()
