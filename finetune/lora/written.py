"""Questions that people wrote, each with the sentence of a document that answers it.

What rules make of a sentence uses its words; people use others, and a small model has to learn to choose by meaning.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import Field, ValidationError

from finetune.lora.recipe import QuestionFile
from finetune.lora.rows import Source
from finetune.yaml_file import Strict, TrainingDataError


class _Line(Strict):
    answer: str = Field(min_length=1)
    questions: list[str] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Written:
    """Questions about one sentence, and the file that holds them."""

    questions: tuple[str, ...]
    source: Source


def read_written(files: Sequence[QuestionFile]) -> Mapping[str, Written]:
    """Questions by the sentence that answers them, folded as `folded` does.

    A line is `{"answer": a sentence as a document has it, "questions": [...]}`. Raises `TrainingDataError`, which names
    the file and the line.
    """
    found: dict[str, Written] = {}
    for file in files:
        path = file.path
        try:
            data = Path(path).read_bytes()
        except OSError as exc:
            raise TrainingDataError(
                f"The file of questions {path!r} can't be read: {exc.strerror}. Correct `data.documents.questions_from`."
            ) from exc
        source = Source("questions", path, hashlib.sha256(data).hexdigest(), licence=file.licence)
        for number, line in enumerate(data.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                one = _Line.model_validate(orjson.loads(line))
            except (orjson.JSONDecodeError, ValidationError) as exc:
                raise TrainingDataError(
                    f"Line {number} of {path!r} is not of the form"
                    f' {{"answer": "a sentence", "questions": ["...", ...]}}: {exc}'
                ) from exc
            key = folded(one.answer)
            before = found[key].questions if key in found else ()
            questions = tuple(dict.fromkeys((*before, *(text.strip() for text in one.questions))))
            found[key] = Written(tuple(filter(None, questions)), source)
    return found


def folded(text: str) -> str:
    """A text for comparing: in lower case, with single spaces."""
    return " ".join(text.casefold().split())
