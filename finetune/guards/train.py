"""Trains the heads for injection and toxicity: rows of features, labels, weights."""

import random
from collections.abc import Sequence

import numpy as np

from finetune.guards import hate
from finetune.guards import material as texts
from finetune.guards.material import Material
from finetune.guards.network import Floats, Recipe, Weights, together, train
from finetune.guards.people import Sets
from finetune.guards.prompts import honest_prompts, hostile_prompts
from ingestion.detect.injection import document_rows, prompt_rows, units_of, windows_of
from ingestion.detect.sentences import pieces_of
from ingestion.embed.cached import SentenceEmbedder
from service.guard.models.toxicity import toxicity_rows

_ATTACKED = 7_000
_WEIGHT_OF_ATTACK = 3.0
_SENTENCES_OF_DOCUMENTS = 2_500
# Members of a committee: what they say on average is right more often where nothing was learned.
_PROMPT = tuple(Recipe(hidden=192, epochs=10, drop=0.6, seed=seed) for seed in (7, 8, 9))
_WEIGHT_OF_HOSTILE = 2.0


def train_document(embedder: SentenceEmbedder, material: Material, seed: int = 7) -> Weights:
    """The head that finds planted sentences in documents."""
    rng = random.Random(seed)
    planted = texts.planted(rng, material)
    clean = texts.documents(rng, material)
    cases: list[tuple[str, str]] = [(document, "") for document in clean]
    for _ in range(_ATTACKED):
        attack = rng.choice(planted)
        place = rng.choice(("start", "middle", "end"))
        cases.append((texts.plant(rng.choice(clean), attack, place), attack))
    for attack in material.attacks:
        for place in ("start", "middle", "end") * 2:
            cases.append((texts.plant(rng.choice(material.mails), attack, place), attack))
    rows, labels = _document_cases(cases, embedder)
    weights = np.where(labels > 0, _WEIGHT_OF_ATTACK, 1.0).astype(np.float32)
    return train(rows, labels, weights, Recipe(epochs=8))


def _document_cases(cases: Sequence[tuple[str, str]], embedder: SentenceEmbedder) -> tuple[Floats, Floats]:
    windows = [
        ([piece.text for piece in chosen], frozenset(piece.text for piece in pieces_of(attack)))
        for document, attack in cases
        for chosen in windows_of(pieces_of(document))
    ]
    embedder.embed([text for sentences, _ in windows for text in sentences])
    rows = [document_rows(sentences, embedder.embed(sentences)) for sentences, _ in windows]
    labels = [float(text in attack) for sentences, attack in windows for text in sentences]
    return np.concatenate(rows), np.array(labels, np.float32)


def train_prompt(
    embedder: SentenceEmbedder,
    material: Material,
    sets: Sets,
    foreign: Sequence[str] = (),
    seed: int = 7,
    recipes: Sequence[Recipe] = _PROMPT,
) -> Weights:
    """The head that tells hostile prompts from honest ones; `sets` are public sets of the latter, `foreign`
    sentences in other languages."""
    rng = random.Random(seed)
    hostile = [text for own in hostile_prompts(seed).values() for text in own]
    honest = [text for own in honest_prompts(seed, material, sets, foreign).values() for text in own]
    pool = [
        piece.text
        for page in (*material.help_pages, *material.guidelines, *material.passages[:300])
        for piece in pieces_of(page)
    ]
    honest += rng.sample(pool, min(_SENTENCES_OF_DOCUMENTS, len(pool)))
    # A prompt is as suspicious as its most suspicious part, so that each part of an honest one is honest.
    honest += [unit.text for prompt in honest for unit in units_of(prompt) if unit.text != prompt]
    honest = list(dict.fromkeys(honest))
    rows = prompt_rows(hostile + honest, embedder)
    labels = np.array([1.0] * len(hostile) + [0.0] * len(honest), np.float32)
    weights = np.where(labels > 0, _WEIGHT_OF_HOSTILE, 1.0).astype(np.float32)
    return together([train(rows, labels, weights, recipe) for recipe in recipes])


def train_toxicity(embedder: SentenceEmbedder, material: Material, seed: int = 7) -> Weights:
    """The head that finds hate against groups, from templates of our own and customers' questions."""
    rng = random.Random(seed)
    hateful = hate.hateful(rng, 6_000)
    customers = [text for questions in material.questions for text in questions]
    harmless = hate.harmless(rng, 8_000) + customers[::4]
    rows = toxicity_rows(hateful + harmless, embedder)
    labels = np.array([1.0] * len(hateful) + [0.0] * len(harmless), np.float32)
    return train(rows, labels, np.ones(len(labels), np.float32), Recipe(epochs=10))
