"""The actor that calls one endpoint: client, limits, cache and connections live in it.

It is asynchronous and takes no CPU, so it waits beside the tasks without keeping any from running.
"""

import asyncio
from pathlib import Path

from longloom.errors import LongloomError
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.messages import ChatReply, ChatRequest
from longloom.models.endpoint.opening import CachedClient
from longloom.models.endpoint.usage import EndpointUsage


class EndpointActor:
    """What Ray makes an actor of."""

    def __init__(self, config: EndpointConfig, folder: str) -> None:
        """Keep where the model is; nothing is opened, for arguments of actors are kept by Ray."""
        self._config = config
        self._folder = Path(folder)
        self._opened = asyncio.Event()
        self._client: CachedClient | None = None
        self._problem = LongloomError("not opened")

    async def open(self, api_key: str) -> LongloomError | None:
        """Open client and cache; the key stays in the memory of this process."""
        try:
            self._client = CachedClient(self._config, self._folder, api_key=api_key)
        except LongloomError as error:
            self._problem = error
        self._opened.set()
        return None if self._client is not None else self._problem

    async def complete(
        self, request: ChatRequest
    ) -> tuple[ChatReply | LongloomError, EndpointUsage]:
        """Return the reply or the error, and what all calls have cost by then.

        Errors are returned, for Ray would wrap what is raised. Calls may overtake the opening.
        """
        await self._opened.wait()
        if self._client is None:
            return self._problem, EndpointUsage()
        try:
            return await self._client.complete(request), self._client.usage
        except LongloomError as error:
            return error, self._client.usage

    async def close(self) -> EndpointUsage:
        """Close connections and cache; return what the calls have cost."""
        if self._client is None:
            return EndpointUsage()
        await self._client.close()
        return self._client.usage
