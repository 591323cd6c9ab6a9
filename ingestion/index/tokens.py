"""The token codes of a segment's passages, for late interaction; memory-mapped."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.embed.values import Codes
from ingestion.errors import ReleaseError

_CODES, _STARTS = "tokens.npy", "token_starts.npy"


def write_tokens(folder: Path, codes: Sequence[Codes]) -> list[str]:
    """Write the codes of passages in order; the names of the files, none where there are no codes."""
    rows = [one for one in codes if len(one)]
    if not rows:
        return []
    np.save(folder / _CODES, np.concatenate(rows))
    np.save(folder / _STARTS, np.cumsum([0, *(len(one) for one in codes)], dtype=np.int64))
    return [_CODES, _STARTS]


class TokenStore:
    """Reads the codes of passages by position. A segment without late interaction has none."""

    def __init__(self, folder: Path) -> None:
        self._codes: Codes | None = None
        if not (folder / _CODES).is_file():
            return
        try:
            self._codes = np.asarray(np.load(folder / _CODES, mmap_mode="r"))
            self._starts: npt.NDArray[np.int64] = np.asarray(np.load(folder / _STARTS, mmap_mode="r"))
        except (OSError, ValueError) as exc:
            raise ReleaseError(f"The token codes in {str(folder)!r} cannot be read.") from exc
        if int(self._starts[-1]) != len(self._codes):
            raise ReleaseError(f"The token codes in {str(folder)!r} disagree with their index.")

    def take(self, position: int) -> Codes | None:
        """The codes of a passage, shape `(tokens, code_bytes)`; None where there are none."""
        if self._codes is None:
            return None
        return self._codes[self._starts[position] : self._starts[position + 1]]
