"""Which assistant and which variant answer a request: the one place where this is chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from service.answer.request import AnswerRequest
from service.errors import InvalidRequestError, UnknownModelError
from service.experiments.book import Asker, Assignment
from service.scope import Assistant, Scope, Variant

# The arm of an experiment that an asker of an assistant gets at a moment.
Choose = Callable[[str, Asker, datetime], Assignment | None]


@dataclass(frozen=True, slots=True)
class Route:
    """The assistant that was addressed and the variant that answers; `assignment` is what an experiment chose."""

    assistant_name: str
    assistant: Assistant
    variant_name: str
    variant: Variant
    assignment: Assignment | None = None

    @property
    def variant_digest(self) -> str:
        """Of everything that the variant declares."""
        return self.variant.digest


def no_experiments(assistant: str, asker: Asker, now: datetime) -> None:
    """What chooses where no experiment runs."""


def route(
    scope: Scope, request: AnswerRequest, conversation_id: str = "", choose: Choose = no_experiments
) -> Route:
    """The variant that the request names, else that of an experiment's arm, else the assistant's own.

    Whoever names a variant tries it out, and is counted in no experiment. Raises `UnknownModelError` for an unknown
    assistant and `InvalidRequestError` for an unknown variant.
    """
    assistant = scope.assistants.get(request.assistant)
    if assistant is None:
        known = sorted(scope.assistants)
        raise UnknownModelError(
            f"There is no assistant {request.assistant!r}. Choose one of {known}.", param="model"
        )
    assignment = None
    if request.variant is None:
        asker = Asker(request.caller, conversation_id, request.subject, request.groups)
        assignment = choose(request.assistant, asker, datetime.now(UTC))
    name = request.variant or (assignment and assignment.variant) or assistant.variant
    variant = scope.variants.get(name)
    if variant is None:
        raise InvalidRequestError(
            f"There is no variant {name!r}. Choose one of {sorted(scope.variants)}.", param="rag.variant"
        )
    return Route(request.assistant, assistant, name, variant, assignment)
