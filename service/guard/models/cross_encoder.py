"""The cross-encoder, a MiniLM that reads two texts together: does evidence support a claim, does a passage answer?"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino
from tokenizers import Tokenizer

from ingestion.artifact import open_artifact
from ingestion.embed.builtin import BUILTIN_DIR
from ingestion.embed.runtime import compiled, infer, rounded
from ingestion.text.sentences import sentence_spans

CROSS_ENCODER_DIR = Path(__file__).parent / "cross-encoder-minilm-l6-v2-int8"
REBUILD = "python -m finetune.guards cross-encoder --data FOLDER --source FOLDER"
MAX_TOKENS = 320
SUPPORTS, ANSWERS = 0, 1
# Longer evidence is cut to the sentences that share most words with the claim, in reading order.
_MOST_WORDS = 220
_LEAST_EVIDENCE, _EVIDENCE_A_WORD = 60, 8
_WORD = re.compile(r"\w+")


class CrossEncoder:
    """Scores pairs of texts. Thread-safe: each thread has its own inference request.

    Where several answers are written at a time, one thread each is best: those that share an inference spin for each other.
    """

    def __init__(self, folder: Path = CROSS_ENCODER_DIR, *, threads: int = 0) -> None:
        self.digest = open_artifact(folder, rebuild=REBUILD).digest
        self._tokenizer = Tokenizer.from_file(str(BUILTIN_DIR / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")
        self._model = compiled(folder / "model.xml", self.digest, threads)
        self._local = threading.local()

    def supports(self, claim: str, evidence: str) -> float:
        """The probability that the evidence supports the claim; a short claim needs less of it."""
        most = min(_MOST_WORDS, _LEAST_EVIDENCE + _EVIDENCE_A_WORD * len(_WORD.findall(claim)))
        return self._score(claim, chosen_evidence(claim, evidence, most), SUPPORTS)

    def answers(self, question: str, passages: Sequence[str]) -> float:
        """The probability that one of the passages answers the question."""
        read = [chosen_evidence(question, passage) for passage in passages]
        return max((self._score(question, one, ANSWERS) for one in read), default=0.0)

    def _score(self, text: str, evidence: str, output: int) -> float:
        encoding = self._tokenizer.encode(text, evidence)
        size = rounded(len(encoding.ids))
        ids, mask, types = (np.zeros((1, size), np.int64) for _ in range(3))
        ids[0, : len(encoding.ids)] = encoding.ids
        mask[0, : len(encoding.ids)] = 1
        types[0, : len(encoding.ids)] = encoding.type_ids
        request: openvino.InferRequest | None = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._model.create_infer_request()
        infer(request, [ids, mask, types])
        logit = float(request.get_output_tensor(0).data[0, output])
        return float(1 / (1 + np.exp(-logit)))


def chosen_evidence(text: str, evidence: str, most_words: int = 0) -> str:
    """The evidence; of long evidence, the sentences that share most words with a text."""
    sentences = [evidence[start:end] for start, end in sentence_spans(evidence)] or [evidence]
    sizes = [len(_WORD.findall(sentence)) for sentence in sentences]
    most = most_words or _MOST_WORDS
    if sum(sizes) <= most:
        return " ".join(sentences)
    words = _bag(text)
    bags = [_bag(sentence) for sentence in sentences]
    order = sorted(range(len(sentences)), key=lambda i: -len(words & bags[i]) / (1 + len(bags[i]) ** 0.5))
    chosen: list[int] = []
    total = 0
    for i in order:
        if total and total + sizes[i] > most:
            break
        chosen.append(i)
        total += sizes[i]
    return " ".join(sentences[i] for i in sorted(chosen))


def _bag(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))
