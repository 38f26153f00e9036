"""How models behind endpoints are opened: in this process, unless somebody gives another way."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from longloom.models.endpoint.cache import EndpointCache
from longloom.models.endpoint.client import EndpointClient
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.messages import ChatModel
from longloom.models.endpoint.usage import EndpointUsage


class OpenedModel(ChatModel, Protocol):
    """A model whose calls are counted, until it is closed."""

    @property
    def usage(self) -> EndpointUsage:
        """What its calls have cost so far."""

    async def close(self) -> None:
        """End calls under way, close the connections and the cache."""


OpenModel = Callable[[EndpointConfig, Path], OpenedModel]
"""Opens the model of an endpoint, with its cache in a folder; outside of an event loop."""


class CachedClient(EndpointClient):
    """A client with a cache of its own; several may have the same folder."""

    def __init__(self, config: EndpointConfig, folder: Path, *, api_key: str | None = None) -> None:
        """Open the cache in `folder`; the key is that of the environment unless one is given.

        Raises:
            ModelError: the folder cannot be used, or holds something else.
        """
        self._own_cache = EndpointCache(folder)
        super().__init__(config, cache=self._own_cache, api_key=api_key)

    async def close(self) -> None:
        """End calls under way, close the connections and the cache."""
        try:
            await super().close()
        finally:
            self._own_cache.close()
