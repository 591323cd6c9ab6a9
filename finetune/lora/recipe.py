"""The recipe of an adapter: one YAML file, typed, with safe defaults. Unknown keys are refused; its digest names the run."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from finetune.yaml_file import Strict, TrainingDataError, read

Method = Literal["sft", "dpo", "kto", "text"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Base(Strict):
    """The model that is adapted."""

    path: str = Field(
        min_length=1, description="Folder in Hugging Face's format, relative to the working directory."
    )
    served_as: str = Field(min_length=1, description="What the vLLM that serves it calls it.")
    licence: str | None = Field(
        None, description="Licence of the weights, e.g. `Apache-2.0`; `unknown` needs an approval."
    )
    digest: str | None = Field(
        None,
        description="SHA-256 of its weights and tokenizer, as `touchstone finetune base` prints it; checked.",
    )


class Approval(Strict):
    """A person lets a licence pass that the list doesn't."""

    licence: str
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)


class Licences(Strict):
    """What may be learned from and built on."""

    allow: list[str] = Field(
        ["Apache-2.0", "MIT", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "internal"],
        description="Licences of the base model and of data that need nobody's approval.",
    )
    approved: list[Approval] = []


class QuestionFile(Strict):
    """Questions that people wrote, each with the sentence that answers it."""

    path: str = Field(min_length=1, description="JSON lines, relative to the working directory.")
    licence: str = Field(min_length=1, description="That of the questions, e.g. `internal`.")


class DocumentRows(Strict):
    """Rows from cleared documents: several questions about the same passages, some of which none of them answers."""

    contexts: Annotated[int, Field(ge=0)] = Field(
        400, description="How many sets of passages are drawn at most; 0 for none."
    )
    questions: Count = Field(6, description="Questions about each set of passages.")
    passages: Count = Field(5, description="Passages of a set, as many as serving shows.")
    sentences: Count = Field(
        1,
        description="Sentences of an answer at most: the one that answers and those behind it in its passage. A small model"
        " finds the place more surely than the sentence.",
    )
    unanswerable: Share = Field(0.2, description="Share of questions whose passage is taken out of the set.")
    ranked: Share = Field(
        0.5,
        description="Share of sets in the order of retrieval, most of whose questions are about the first passage, as when"
        " serving; in the others the order says nothing.",
    )
    questions_from: list[QuestionFile] = Field(
        [], description="Questions that people wrote; about other sentences rules ask."
    )
    languages: Annotated[list[str], Field(min_length=1)] = Field(
        ["en"], description="Languages that the base model knows; documents in others give no rows."
    )


class Data(Strict):
    """What rows are made from."""

    documents: DocumentRows = DocumentRows.model_validate({})
    curated: bool = Field(True, description="Whether curated answers become rows.")
    feedback: bool = Field(True, description="Whether corrections and judgements become rows.")
    files: list[str] = Field([], description="Further rows as JSON lines in the form of the dataset itself.")
    keep_out: list[str] = Field(
        [], description="Files of evaluation cases; what is equal or nearly equal to one of them is no row."
    )
    development: Share = Field(
        0.1, description="Share of groups (documents, conversations) that only measure."
    )


class Training(Strict):
    """How the adapter learns."""

    method: Method = "sft"
    rank: Annotated[int, Field(ge=1, le=256)] = 32
    alpha: Positive | None = Field(None, description="Twice the rank where it isn't given.")
    use_rslora: bool = Field(False, description="Divide by the root of the rank instead of the rank.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    modules: Annotated[list[str], Field(min_length=1)] = list(ALL_LINEAR)
    learning_rate: Positive = 2e-4
    warm_up: Share = 0.05
    epochs: Positive = 1.0
    rows_a_step: Annotated[int, Field(ge=1, le=32)] = Field(
        16, description="Rows whose losses are averaged in one step; small batches suit LoRA."
    )
    max_tokens: Count = Field(2_048, description="A longer row is refused before anything is trained.")
    choice: Share = Field(
        0.0,
        description="Part of a row's loss that the first four tokens of its answer have, which decide what is taken; 0 for"
        " the mean over all.",
    )
    share_prefixes: bool = Field(
        True, description="Read what rows have in common once; the loss is the same, the time is not."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="`auto` takes bfloat16 where the processor computes in it."
    )
    quantise: Literal["none", "4bit"] = Field(
        "none", description="`4bit` (QLoRA) needs bitsandbytes and a GPU."
    )
    clip: Positive = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    beta: Positive = Field(0.1, description="Of DPO and KTO: how far the model may go from the base.")
    evaluate_every: Count = Field(20, description="Steps between looks at the development rows.")
    evaluate_rows: Count = Field(
        48, description="Development rows at a look; all of them would cost as much as the steps between."
    )
    checkpoint_every: Count = Field(20, description="Steps between checkpoints.")
    patience: Count = Field(4, description="Looks without a better loss after which training stops.")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="Threads of the processor; 0 for all cores.")


class Gate(Strict):
    """What an adapter must show beside the base model before it is published. Shares from 0 to 1."""

    markers: Share = Field(0.95, description="Least share of answers that name a passage.")
    cited_right: Share = Field(
        0.65, description="Least share of citations of the passage that holds the answer."
    )
    abstention_recall: Share = 0.65
    abstention_false: Share = Field(0.25, description="Most answerable questions without an answer.")
    loops: Share = 0.01
    no_context: Share = Field(
        0.1, description="Most questions that are answered rightly without passages, beyond the base's share."
    )
    forgetting: Share = Field(
        0.05, description="Most that the log probability of general text may fall, relatively."
    )
    alpha: Share = Field(0.05, description="Level of the paired tests against the base.")


class Publication(Strict):
    """Where the adapter is served."""

    server: str = Field(
        "http://127.0.0.1:8001/v1", description="Base URL of the vLLM, on an internal address."
    )
    loading: Literal["runtime", "static", "none"] = Field(
        "runtime",
        description="`runtime` asks the server to load it; `static` prints its option; `none` does neither.",
    )
    max_rank: Annotated[int, Field(ge=1)] = Field(
        32,
        description="The server's --max-lora-rank, which it doesn't tell; a larger adapter is refused before.",
    )
    coverage: Annotated[int, Field(ge=1, le=100)] = Field(
        10, description="Per cent of subjects that the canary experiment may reach."
    )


class Recipe(Strict):
    """All that makes an adapter, but for the data itself."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="First part of the adapter's name.")
    assistant: str = Field(description="The assistant of the scope file whose model it is.")
    prompt: str = Field("brief", description="The prompt under which it is trained and served.")
    base: Base
    licences: Licences = Licences.model_validate({})
    data: Data = Data.model_validate({})
    training: Training = Training.model_validate({})
    gate: Gate = Gate.model_validate({})
    publication: Publication = Publication.model_validate({})
    seed: int = 7

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.training.quantise == "4bit" and self.training.precision == "float32":
            raise ValueError("`quantise: 4bit` computes in bfloat16: leave `precision` at auto")
        if self.training.choice and self.training.method != "sft":
            raise ValueError("`choice` is for answers: leave it out, or train with `method: sft`")
        return self

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of everything in it."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[
            :16
        ]

    @property
    def alpha(self) -> float:
        """LoRA's alpha."""
        return self.training.alpha or 2.0 * self.training.rank


def load_recipe(path: Path, **changes: Any) -> Recipe:
    """The recipe of a file; `changes` replace fields of `training` and `data.documents` that a command asks for.

    Raises `TrainingDataError`, which names the file, the key and the remedy.
    """
    try:
        recipe = read(path, Recipe)
    except OSError as exc:
        raise TrainingDataError(f"The recipe {str(path)!r} can't be read: {exc.strerror}.") from exc
    raw = recipe.model_dump()
    for key, value in changes.items():
        section = raw["training"] if key in Training.model_fields else raw["data"]["documents"]
        section[key] = value
    return Recipe.model_validate(raw)
