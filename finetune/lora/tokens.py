"""How a base model's tokenizer fits a domain: tokens a word, and the terms that it takes apart, beside general English."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from finetune.yaml_file import TrainingDataError
from ingestion.scrub.scrubber import MASK

# General English of the project's own.
GENERAL = Path(__file__).parent / "general.txt"
# From so many pieces on a word counts as taken apart.
SPLIT_PIECES = 3
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# More tokens a word than general English by this factor, and this share of split words: then terms may help.
_MUCH, _MANY = 1.3, 0.1


@dataclass(frozen=True, slots=True)
class SplitTerm:
    """A word that is taken apart, with its pieces, and how often it occurs."""

    term: str
    pieces: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class TokenFit:
    """What a tokenizer makes of texts. Words are runs of letters; numbers, punctuation and masks aren't counted.

    `split` is the share of words, as often as they occur, of three pieces and more; `terms` are the most frequent of them.
    """

    words: int
    different_words: int
    tokens_per_word: float
    split: float
    terms: tuple[SplitTerm, ...]


def fit_of(tokenizer: Any, texts: Iterable[str], *, most_terms: int = 20) -> TokenFit:
    """Measure the fit to texts. `tokenizer` is one of transformers. Raises `TrainingDataError` for texts without words."""
    counts = Counter(word for text in texts for word in _WORD.findall(MASK.sub(" ", text)))
    if not counts:
        raise TrainingDataError(
            "There is no word in the texts, so nothing can be said of the tokenizer. Ingest documents, and clear them for"
            " `train`."
        )
    pieces = {word: _pieces(tokenizer, word) for word in counts}
    total = counts.total()
    tokens = sum(len(pieces[word]) * count for word, count in counts.items())
    split = [
        SplitTerm(word, pieces[word], n) for word, n in counts.items() if len(pieces[word]) >= SPLIT_PIECES
    ]
    split.sort(key=lambda one: (-one.count, one.term))
    return TokenFit(
        words=total,
        different_words=len(counts),
        tokens_per_word=round(tokens / total, 4),
        split=round(sum(one.count for one in split) / total, 4),
        terms=tuple(split[:most_terms]),
    )


def general_texts() -> list[str]:
    """The sample of general English that a domain is compared with."""
    return GENERAL.read_text("utf-8").splitlines()


def _pieces(tokenizer: Any, word: str) -> tuple[str, ...]:
    """As the word stands within a sentence, after a blank."""
    ids = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
    return tuple(_shown(tokenizer, one) for one in ids)


@cache
def _shown(tokenizer: Any, token: int) -> str:
    return str(tokenizer.decode([token])).strip() or "·"


def told(domain: TokenFit, general: TokenFit) -> str:
    """The fit in a few lines, with what follows from it."""
    ratio = domain.tokens_per_word / general.tokens_per_word
    lines = [
        f"tokens per word: {domain.tokens_per_word:.2f} ({domain.words} words), general English"
        f" {general.tokens_per_word:.2f} ({general.words} words): {ratio:.2f} times as many",
        f"words of {SPLIT_PIECES} pieces and more: {domain.split:.1%}, general English {general.split:.1%}",
        *(f"  {one.count:6}  {one.term}  {'|'.join(one.pieces)}" for one in domain.terms),
    ]
    is_poor = ratio >= _MUCH or domain.split >= _MANY
    lines.append(
        "Adding the terms that matter may pay: `--add TERM… --out FOLDER` writes a base that knows them. Its vocabulary is"
        " its own, so that a server must load that folder, or the merged model, and not the old base with an adapter."
        if is_poor
        else "The tokenizer fits: further terms would cost more than they bring."
    )
    return "\n".join(lines)


def record(domain: TokenFit, general: TokenFit) -> Mapping[str, Any]:
    """The same for programs."""
    return {"domain": asdict(domain), "general": asdict(general)}


def terms_of(given: Sequence[str], fit: TokenFit, most: int) -> list[str]:
    """The terms that a person named; without any, the most frequent split ones."""
    return list(given) or [one.term for one in fit.terms[:most]]
