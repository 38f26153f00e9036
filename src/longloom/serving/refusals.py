"""How requests are refused: the status codes and error objects of OpenAI's API.

    400 malformed, too long, not supported here   401 no valid key   403 a foreign host
    404 unknown model or address                  413, 415 body      429 too much at a time
    500 a bug    502 the backend failed           503 stopping       504 took too long

Before the first byte of an answer an error is its status; in a stream it is a line of its own.
"""

from dataclasses import dataclass
from typing import Any

from longloom.errors import ConfigError, ContextLengthError, LongloomError, ModelError

_LONGEST_MESSAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    """HTTP status; the `openai` client makes a typed exception of it."""
    message: str
    """What was wrong, what was expected, what to do."""
    code: str | None = None
    """Word for programs: `context_length_exceeded`, `invalid_api_key`, ..."""
    param: str | None = None
    """The field of the request that is to blame."""
    retry_after_seconds: float | None = None
    """When it is worth asking again."""

    @property
    def body(self) -> dict[str, Any]:
        """The error object."""
        return {
            "error": {
                "message": self.message[:_LONGEST_MESSAGE],
                "type": _TYPES.get(self.status, "invalid_request_error"),
                "param": self.param,
                "code": self.code,
            }
        }

    @property
    def headers(self) -> dict[str, str]:
        """Headers beside it."""
        headers = {}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after_seconds)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}


class RefusedError(LongloomError, RuntimeError):
    """A request that is not answered; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal

    def __str__(self) -> str:
        return self.refusal.message


def refused(status: int, message: str, **details: Any) -> RefusedError:
    """Return the error for a refusal; `details` are further fields of `Refusal`."""
    return RefusedError(Refusal(status=status, message=message, **details))


def too_long(num_tokens: int, num_answer_tokens: int, window_tokens: int) -> RefusedError:
    """Return the usual refusal of a request that does not fit, in the words of OpenAI's."""
    return refused(
        400,
        f"This model's maximum context length is {window_tokens} tokens. However, you requested "
        f"{num_tokens + num_answer_tokens} tokens ({num_tokens} in the messages, "
        f"{num_answer_tokens} in the completion). Please reduce the length of the messages or "
        "completion.",
        code="context_length_exceeded",
        param="messages",
    )


def refusal_of(error: BaseException) -> Refusal | None:
    """Return how an error is told to the client; None if it is a bug."""
    match error:
        case RefusedError():
            return error.refusal
        case TimeoutError():
            return Refusal(status=504, message="the request took too long", code="timeout")
        case ContextLengthError():
            return Refusal(
                status=400,
                message=str(error),
                code="context_length_exceeded",
                param="messages",
            )
        case ModelError():
            return Refusal(status=502, message=str(error), code="backend_failed")
        case ConfigError():  # the window is too small for this question
            return Refusal(status=400, message=str(error))
        case LongloomError():
            return Refusal(status=500, message=str(error))
    return None


BUG = Refusal(
    status=500,
    message="internal error; the server's log names the request by the id in X-Request-Id",
    code="internal_error",
)
"""What a client is told of a bug: nothing that could hold a document's text."""
STOPPING = Refusal(
    status=503,
    message="the server is stopping; ask again when it runs: a reading goes on where it stopped",
    code="server_stopping",
    retry_after_seconds=5,
)
"""What a client is told when the server stops before the answer is complete."""
