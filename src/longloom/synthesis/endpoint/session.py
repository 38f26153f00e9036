"""One run's models: one event loop, one folder of replies, at most two models.

    with EndpointSession(config, folder, notify=print) as session:
        session.announce(documents)           # once, before the first call
        session.run(judge_documents(session.model, documents))

Ctrl-C cancels what is on its way and closes the connections; every reply that was received is in
the cache, so the next run goes on there.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from longloom.models.endpoint.config import EndpointConfig, read_api_key
from longloom.models.endpoint.messages import ChatModel
from longloom.models.endpoint.opening import CachedClient, OpenedModel, OpenModel
from longloom.records import Document
from longloom.synthesis.endpoint.config import EndpointSynthesisConfig
from longloom.synthesis.endpoint.destinations import describe_destinations
from longloom.synthesis.endpoint.plan import endpoint_by_use
from longloom.synthesis.endpoint.prompts import prompt_version
from longloom.synthesis.steps import digest_of

CALLS_FOLDER = "calls"
"""Folder of the cache below the steps of a run."""

ResultT = TypeVar("ResultT")
Notify = Callable[[str], None]
"""Told what a person should read, in whole lines."""


class EndpointSession:
    """Models that are asked during one run; nothing is opened before it is entered."""

    def __init__(
        self,
        config: EndpointSynthesisConfig,
        steps_folder: Path,
        *,
        notify: Notify = lambda message: None,
        open_model: OpenModel = CachedClient,
    ) -> None:
        """Take the settings, the folder of the run's steps, and how models are opened."""
        self.config = config
        self._folder = steps_folder / CALLS_FOLDER
        self._notify = notify
        self._open_model = open_model
        self._open = ExitStack()
        self._is_announced = False

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._runner = opening.enter_context(asyncio.Runner())
            self._clients: list[OpenedModel] = []
            for connection in filter(None, (self.config.connection, self.config.second)):
                client = self._open_model(connection, self._folder)
                opening.callback(self._close, client)
                self._clients.append(client)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()
        self._notify(f"model calls: {self.cost_line()}")

    @property
    def model(self) -> ChatModel:
        """The model that proposes, judges and reads."""
        return self._clients[0]

    @property
    def other(self) -> ChatModel:
        """The model that checks the first; the same where there is no second."""
        return self._clients[-1]

    @property
    def models(self) -> tuple[ChatModel, ...]:
        """All models, each once."""
        return tuple(self._clients)

    def run(self, asked: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine to its end on the loop of this session."""
        return self._runner.run(asked)

    def announce(self, documents: Iterable[Document]) -> None:
        """Say which documents may be sent where; the second time nothing is said."""
        if self._is_announced:
            return
        self._is_announced = True
        uses = endpoint_by_use(self.config)
        self._notify(describe_destinations(uses, documents, has_key=bool(read_api_key())))

    def key_of(self, *parts: object) -> str:
        """Return a digest of `parts`, of the models and of the wording of the prompts."""
        models = [_identity(self.config.connection), _identity(self.config.other)]
        return digest_of(prompt_version(), models, *parts)

    def cost_line(self) -> str:
        """Return what the calls have cost so far."""
        if len(self._clients) == 1:
            return self._clients[0].usage.cost_line()
        return "; ".join(f"{client.name}: {client.usage.cost_line()}" for client in self._clients)

    def _close(self, client: OpenedModel) -> None:
        self._runner.run(client.close())


def _identity(config: EndpointConfig) -> object:
    """Return what decides replies; how hard a server is driven does not."""
    return [config.cache_identity, config.extra_body]
