"""Everything the API can answer besides success. Each class carries its status and stable code.

TouchstoneError
├── InvalidRequestError      400 invalid_request       (param names the field)
│   ├── ContextOverflowError 400 context_length_exceeded
│   └── UnknownModelError    404 model_not_found
├── UnauthenticatedError     401 invalid_api_key
│   └── SignatureError       401 invalid_signature
├── ForbiddenError           403 insufficient_scope
├── NotFoundError            404 not_found
├── MethodError              405 method_not_allowed
├── RequestTimeoutError      408 request_timeout
├── BodyTooLargeError        413 request_too_large
├── ConflictError            409 conflict
├── DocumentRefusedError     422 document_refused
├── RateLimitError           429 rate_limit_exceeded   (Retry-After)
├── BusyError                503 busy                  (Retry-After)
├── NotReadyError            503 not_ready             (Retry-After)
├── StoppingError            503 stopping              (Retry-After)
├── GeneratorError           502 generator_failed
│   └── GeneratorInterruptedError  502 generator_interrupted
├── SecretError              500 secret_refused        (at start)
└── InternalError            500 internal_error
"""

from typing import Any

_MOST_CHARS, _HEAD_CHARS, _TAIL_CHARS = 480, 240, 200


class TouchstoneError(Exception):
    """An error that a client may see. The message names the value and the remedy."""

    status = 500
    code = "internal_error"
    type = "server_error"
    retry_after_s: int | None = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def body(self, request_id: str) -> dict[str, Any]:
        """OpenAI's error object."""
        return {
            "error": {
                "message": readable(self.message),
                "type": self.type,
                "code": self.code,
                "param": self.param,
                "request_id": request_id,
            }
        }


def readable(message: str) -> str:
    """A message of bounded length that can be encoded: it may quote what was sent. The remedy stands at its end."""
    if len(message) > _MOST_CHARS:
        left_out = len(message) - _HEAD_CHARS - _TAIL_CHARS
        message = f"{message[:_HEAD_CHARS]}… ({left_out} characters) …{message[-_TAIL_CHARS:]}"
    return message.encode("utf-8", "backslashreplace").decode()


class InvalidRequestError(TouchstoneError):
    """The request is wrong in itself."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class ContextOverflowError(InvalidRequestError):
    """The question and its history don't fit into the generator's context."""

    code = "context_length_exceeded"


class UnknownModelError(InvalidRequestError):
    """No assistant of that name."""

    status = 404
    code = "model_not_found"


class UnauthenticatedError(TouchstoneError):
    """No key, or one that isn't valid."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class SignatureError(UnauthenticatedError):
    """A webhook whose signature is missing, wrong or too old."""

    code = "invalid_signature"


class ForbiddenError(TouchstoneError):
    """The key is valid, but not for this."""

    status = 403
    code = "insufficient_scope"
    type = "permission_error"


class NotFoundError(TouchstoneError):
    """Nothing there."""

    status = 404
    code = "not_found"
    type = "invalid_request_error"


class MethodError(TouchstoneError):
    """The path exists, the method doesn't."""

    status = 405
    code = "method_not_allowed"
    type = "invalid_request_error"


class RequestTimeoutError(TouchstoneError):
    """The request did not come as fast as it must."""

    status = 408
    code = "request_timeout"
    type = "invalid_request_error"


class BodyTooLargeError(TouchstoneError):
    """The body is larger than allowed."""

    status = 413
    code = "request_too_large"
    type = "invalid_request_error"


class ConflictError(TouchstoneError):
    """It contradicts what is there already."""

    status = 409
    code = "conflict"
    type = "invalid_request_error"


class DocumentRefusedError(TouchstoneError):
    """A document can't be read, isn't cleared, or holds what a policy keeps out."""

    status = 422
    code = "document_refused"
    type = "invalid_request_error"


class RateLimitError(TouchstoneError):
    """More than a limit of the scope file allows."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"

    def __init__(self, message: str, *, retry_after_s: int, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.retry_after_s = retry_after_s


class BusyError(TouchstoneError):
    """Somebody else is writing just now."""

    status = 503
    code = "busy"
    retry_after_s = 5


class NotReadyError(TouchstoneError):
    """Something the request needs is not there yet."""

    status = 503
    code = "not_ready"
    retry_after_s = 5


class StoppingError(TouchstoneError):
    """The process ends; another one, or its successor, answers."""

    status = 503
    code = "stopping"
    retry_after_s = 5


class GeneratorError(TouchstoneError):
    """The generator can't be reached, is too slow or answers nonsense."""

    status = 502
    code = "generator_failed"


class GeneratorInterruptedError(GeneratorError):
    """The generator went away in the middle of an answer."""

    code = "generator_interrupted"


class SecretError(TouchstoneError):
    """The secret of the installation is missing, cut off or open to others: nothing starts."""

    code = "secret_refused"


class InternalError(TouchstoneError):
    """A fault of ours; the log has it under the request id."""
