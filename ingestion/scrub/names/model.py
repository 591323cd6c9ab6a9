"""The name model at work: people, places, organisations and dates in texts of any register."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino
from tokenizers import Encoding, Tokenizer

from ingestion.artifact import open_artifact
from ingestion.cache import LruCache
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.embed.runtime import PRECISION, compiled, infer
from ingestion.scrub.names.labels import LABELS, MAX_TOKENS, shapes_of
from ingestion.scrub.names.lexicon import Lexicon
from ingestion.scrub.names.plausible import is_a_thing, may_be_person, small_words

NAMES_DIR = Path(__file__).parent / "model"
REBUILD = "python -m finetune.names.train --source FOLDER --wnut17 FILE"
_BATCH = 8
_KNOWN_SENTENCES = 20_000
_WIDTH_STEP = 16
_OVERLAP_TOKENS = 16
_WORD = re.compile(r"\S+")
_PERSON = 2 * LABELS.index("PERSON") + 1
_PERSON_WEIGHT = 3.0
# In a text that uses capitals, a person in small letters must be surer than one in capitals.
_SMALL_LETTERS_SCORE = 0.85
_PARTICLES = frozenset("van von der den de la le du di da dos del bin ibn al el ten ter".split())
# Words that a name may hold within, and that the model at times takes in at an end.
_SMALL = _PARTICLES | frozenset(
    "a an and are as at but by for from has have he her his how i if in is it its my no not of on or our she so that the"
    " their then they this to was we were what when where who why will with you your s".split()
)


@dataclass(frozen=True, slots=True)
class NameSpan:
    """Something named at `start:end` (characters) and the model's probability for its first word."""

    label: str
    start: int
    end: int
    score: float


class NameModel:
    """Finds names in texts. Safe to use from several threads; loaded at first use."""

    def __init__(self, folder: Path = NAMES_DIR, *, threads: int = 1) -> None:
        self.digest = f"{open_artifact(folder, rebuild=REBUILD).digest}-{PRECISION}"
        self._tokenizer = Tokenizer.from_file(str(BUILTIN_DIR / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS, stride=_OVERLAP_TOKENS)
        self._model = compiled(folder / "model.xml", self.digest, threads)
        self._local = threading.local()
        self._lexicon = Lexicon(folder)
        self._known: LruCache[bytes, list[NameSpan]] = LruCache(_KNOWN_SENTENCES)

    def find_people(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """People and streets alone: sentences that can't name any are not read."""
        parts = [(number, *part) for number, text in enumerate(texts) for part in self._lexicon.parts(text)]
        found: list[list[NameSpan]] = [[] for _ in texts]
        sentences = [texts[number][start:end] for number, start, end in parts]
        known_words = small_words(texts)
        for (number, start, _), names in zip(parts, self._read_once(sentences), strict=True):
            placed = [replace(n, start=n.start + start, end=n.end + start) for n in names]
            found[number] += [n for n in placed if not self._is_a_thing(texts[number], n, known_words)]
        return found

    def _is_a_thing(self, text: str, named: NameSpan, known_words: frozenset[str]) -> bool:
        value = text[named.start : named.end]
        is_capital = named.label == "PERSON" and not value.islower()
        return is_capital and is_a_thing(value, known_words, self._lexicon)

    def _read_once(self, sentences: Sequence[str]) -> list[list[NameSpan]]:
        """What each sentence names. Corpora repeat themselves, so what was met before is not read again.

        Digests are remembered, not the sentences.
        """
        keys = [
            blake2b(sentence.encode("utf-8", "replace"), digest_size=16).digest() for sentence in sentences
        ]
        known = self._known.get_all(dict(zip(keys, sentences, strict=True)), self.find)
        return [known[key] for key in keys]

    def find(self, texts: Sequence[str]) -> list[list[NameSpan]]:
        """What is named in each text, from left to right. Long texts are read in overlapping windows."""
        windows: list[tuple[int, Encoding]] = []
        for number, encoding in enumerate(self._tokenizer.encode_batch(list(texts))):
            windows += [(number, part) for part in (encoding, *encoding.overflowing)]
        windows.sort(key=lambda window: len(window[1].ids))
        found: list[dict[int, NameSpan]] = [{} for _ in texts]
        for batch in _alike(windows):
            probabilities = self._infer([(texts[n], encoding) for n, encoding in batch])
            for (number, encoding), rows in zip(batch, probabilities, strict=True):
                for named in _spans(texts[number], encoding, rows):
                    for part in _trimmed(texts[number], named, self._lexicon):
                        if self._is_plausible(texts[number], part):
                            _keep(found[number], part)
        return [sorted(names.values(), key=lambda named: named.start) for names in found]

    def _is_plausible(self, text: str, named: NameSpan) -> bool:
        return named.label != "PERSON" or may_be_person(text, named.start, named.end, self._lexicon)

    def _infer(self, batch: Sequence[tuple[str, Encoding]]) -> npt.NDArray[np.float32]:
        width = _rounded(max(len(encoding.ids) for _, encoding in batch))
        ids = np.zeros((len(batch), width), dtype=np.int64)
        mask, shapes = np.zeros_like(ids), np.zeros_like(ids)
        for row, (text, encoding) in enumerate(batch):
            size = len(encoding.ids)
            ids[row, :size] = encoding.ids
            mask[row, :size] = 1
            shapes[row, :size] = shapes_of(text, encoding.offsets, encoding.word_ids)
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        request: openvino.InferRequest = self._local.request
        infer(request, [ids, mask, shapes])
        logits = request.get_output_tensor(0).data
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities: npt.NDArray[np.float32] = exponents / exponents.sum(axis=-1, keepdims=True)
        return probabilities


def _rounded(tokens: int) -> int:
    return -(-tokens // _WIDTH_STEP) * _WIDTH_STEP


def _alike(windows: Sequence[tuple[int, Encoding]]) -> Iterator[Sequence[tuple[int, Encoding]]]:
    """Windows of one width together, so that little is computed for padding."""
    for _, group in groupby(windows, key=lambda window: _rounded(len(window[1].ids))):
        same = list(group)
        yield from (same[begin : begin + _BATCH] for begin in range(0, len(same), _BATCH))


def _spans(text: str, encoding: Encoding, probabilities: npt.NDArray[np.float32]) -> Iterator[NameSpan]:
    """Words with one label in a row are one name, unless a tag says that another begins."""
    current: NameSpan | None = None
    seen = -1
    best = _favour_people(probabilities).argmax(axis=-1)
    for token, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets, strict=True)):
        if word is None:
            continue
        if word == seen:
            if current is not None and current.end >= start:
                current = NameSpan(current.label, current.start, max(end, current.end), current.score)
            continue
        seen = word
        tag = int(best[token])
        label = LABELS[(tag - 1) // 2] if tag else None
        continues = current is not None and label == current.label and tag % 2 == 0
        if current is not None and continues:
            current = NameSpan(current.label, current.start, end, current.score)
            continue
        if current is not None:
            yield current
        current = None
        if label is not None:
            index = LABELS.index(label)
            score = float(probabilities[token, 2 * index + 1] + probabilities[token, 2 * index + 2])
            current = NameSpan(label, start, end, score)
    if current is not None:
        yield current


def _favour_people(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A name that is missed costs more than a mask too many."""
    weighted = probabilities.copy()
    weighted[..., _PERSON : _PERSON + 2] *= _PERSON_WEIGHT
    return weighted


def _trimmed(text: str, named: NameSpan, lexicon: Lexicon) -> Iterator[NameSpan]:
    """A name without what is none of it: people end at commas, and no name begins or ends with small words."""
    value = text[named.start : named.end]
    if named.label == "PERSON" and value.islower() and named.score < _SMALL_LETTERS_SCORE:
        # A typing error looks like a name nobody has heard of.
        if not text.islower() or not lexicon.knows(value):
            return
    begin = 0
    for part in re.split(r"([,;:|\n\t]+)", value) if named.label == "PERSON" else [value]:
        start, end = named.start + begin, named.start + begin + len(part)
        begin += len(part)
        if named.label != "DATE_TIME" and not value.islower():
            words = [m for m in _WORD.finditer(part)]
            while words and words[-1][0] in _SMALL:
                words.pop()
            while words and words[0][0] in _SMALL - _PARTICLES:
                words.pop(0)
            if not words:
                continue
            start, end = start + words[0].start(), start + words[-1].end()
        stripped = text[start:end].strip(
            " \n\t.,;:!?()[]<>|\"'" if named.label == "PERSON" else " \n\t,;:!?|\"'"
        )
        if stripped:
            start = text.index(stripped, start)
            yield NameSpan(named.label, start, start + len(stripped), named.score)


def _keep(found: dict[int, NameSpan], named: NameSpan) -> None:
    """Windows overlap: of what two of them saw at one place, the longer stays."""
    for start, other in list(found.items()):
        if named.start < other.end and other.start < named.end:
            if named.end - named.start <= other.end - other.start:
                return
            del found[start]
    found[named.start] = named
