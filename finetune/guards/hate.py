"""Texts that attack a protected group, and texts that only sound like it, some of them misspelt on purpose."""

import random

from finetune.guards.themes import theme
from service.guard.models.toxicity import lexicon

_LEETSPEAK = str.maketrans("aeios", "43105")


def hateful(rng: random.Random, count: int) -> list[str]:
    """Sentences that attack a protected group, one in four misspelt on purpose."""
    slurs = tuple(sorted(lexicon()["slurs"]))
    found = theme("hate").with_slots(slur=slurs).sample("hateful", count, rng)
    return [_misspelt_at_times(text, rng) for text in found]


def harmless(rng: random.Random, count: int) -> list[str]:
    """Sentences with groups, abuse or swearing that attack no protected group, and questions with alarming words."""
    found = theme("hate").sample("not_hateful", count, rng)
    found += theme("benign").sample("alarming_words", count // 4, rng)
    found += theme("hate").sample("questions", count // 8, rng)
    return [_misspelt_at_times(text, rng) if rng.random() < 0.3 else text for text in found]


def _misspelt_at_times(text: str, rng: random.Random) -> str:
    """The text, or in one of four cases the text with one long word misspelt to get past a filter."""
    words = text.split()
    long_words = [number for number, word in enumerate(words) if len(word) > 3]
    if rng.random() > 0.25 or not long_words:
        return text
    chosen = rng.choice(long_words)
    word = words[chosen]
    cut = rng.randrange(1, len(word) - 1)
    words[chosen] = rng.choice(
        (
            word[:cut] + word[cut + 1 :],
            word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :],
            " ".join(word),
            word.translate(_LEETSPEAK),
            # The next word is dropped whichever form is drawn: the shipped head has learned from such texts.
            word + words.pop(chosen + 1) if chosen + 1 < len(words) else word,
        )
    )
    return " ".join(words)
