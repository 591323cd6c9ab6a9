"""Which assistant and which variant answer a request: the one place where this is chosen."""

from dataclasses import dataclass

from service.answer.request import AnswerRequest
from service.errors import InvalidRequestError, UnknownModelError
from service.scope import Assistant, Scope, Variant


@dataclass(frozen=True, slots=True)
class Route:
    """The assistant that was addressed and the variant that answers; `experiment` names the one that chose it."""

    assistant_name: str
    assistant: Assistant
    variant_name: str
    variant: Variant
    experiment: str | None = None


def route(scope: Scope, request: AnswerRequest) -> Route:
    """The variant that the request names, else the assistant's own.

    Raises `UnknownModelError` for an unknown assistant and `InvalidRequestError` for an unknown variant.
    """
    assistant = scope.assistants.get(request.assistant)
    if assistant is None:
        known = sorted(scope.assistants)
        raise UnknownModelError(
            f"There is no assistant {request.assistant!r}. Choose one of {known}.", param="model"
        )
    name = request.variant or assistant.variant
    variant = scope.variants.get(name)
    if variant is None:
        raise InvalidRequestError(
            f"There is no variant {name!r}. Choose one of {sorted(scope.variants)}.", param="rag.variant"
        )
    return Route(request.assistant, assistant, name, variant)
