"""How calls of an endpoint fail.

    ModelError
      +-- EndpointRefusedError      this request cannot be answered (too long, filtered): skip it
      +-- EndpointSetupError        no request can be answered (key, model, address): put it right
      +-- EndpointUnavailableError  retries are used up: run again later, the cache continues

Only the first is about one request; the other two end a run, and nothing is counted as dropped.
"""

from longloom.errors import ModelError


class EndpointRefusedError(ModelError):
    """The server will never answer this request."""


class EndpointSetupError(ModelError):
    """The server answers no request at all as things are set up."""


class EndpointUnavailableError(ModelError):
    """The server could not be reached or gave no usable reply, after all retries."""
