"""How calls of an endpoint fail.

    ModelError
      +-- EndpointRefusedError      this request cannot be answered (filtered): skip it
      |     +-- EndpointContextLengthError   it is too long; also a ContextLengthError
      +-- EndpointSetupError        no request can be answered (key, model, address): put it right
      +-- EndpointUnavailableError  retries are used up: run again later, the cache continues

Only the first two are about one request; the others end a run, and nothing is counted as dropped.
"""

from longloom.errors import ContextLengthError, ModelError


class EndpointRefusedError(ModelError):
    """The server will never answer this request."""


class EndpointContextLengthError(EndpointRefusedError, ContextLengthError):
    """Prompt and reply do not fit the window of the model behind an endpoint."""

    def __init__(self, message: str, window_tokens: int | None = None) -> None:
        """Take the message, and the window where the server names it."""
        super().__init__(message)
        self.window_tokens = window_tokens


class EndpointSetupError(ModelError):
    """The server answers no request at all as things are set up."""


class EndpointUnavailableError(ModelError):
    """The server could not be reached or gave no usable reply, after all retries."""
