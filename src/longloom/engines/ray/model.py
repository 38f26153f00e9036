"""A chat model whose calls an actor makes (`endpoint_actor.py`).

The actor runs on the node of this process: an address such as 127.0.0.1 means the same there, and
the cache is a file of this machine. If it dies another one goes on: what was answered is in the
cache, and the calls that were under way are made again.
"""

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import Any

from longloom.engines.ray.cluster import load_ray
from longloom.engines.ray.endpoint_actor import EndpointActor
from longloom.errors import EngineError, LongloomError
from longloom.models.endpoint.config import EndpointConfig, read_api_key
from longloom.models.endpoint.messages import ChatReply, ChatRequest
from longloom.models.endpoint.usage import EndpointUsage

_MOST_DEATHS = 5
_CLOSING_SECONDS = 10.0
_CALLS_PER_SLOT = 2
"""Calls that an actor holds for each that its client may make: the next ones are at hand, and
thousands of long prompts do not pile up between two processes."""


class RayModel:
    """The model of one endpoint; `joined_cluster` (or `ray.init`) comes first."""

    def __init__(self, config: EndpointConfig, folder: Path) -> None:
        """Start the actor, with its cache in `folder` and the key of this process's environment.

        Raises:
            LongloomError: the cache cannot be used, or no cluster was joined.
            MissingDependencyError: Ray is not installed.
        """
        self.config = config
        self._folder = folder.absolute()
        self._ray = load_ray()
        if not self._ray.is_initialized():
            raise EngineError("no Ray cluster was joined; expected `joined_cluster()` before")
        self._num_deaths = 0
        self._ended_usage = EndpointUsage()
        self._usage = EndpointUsage()
        self._slots = asyncio.Semaphore(_CALLS_PER_SLOT * config.concurrency)
        self._actor, opening = self._start()
        problem = self._ray.get(opening)
        if problem is not None:
            raise problem

    @property
    def name(self) -> str:
        """How the model is called in records."""
        return self.config.model

    @property
    def usage(self) -> EndpointUsage:
        """What the calls have cost so far."""
        return _sum(self._ended_usage, self._usage)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Return the reply to one request; see `ChatModel`.

        Raises:
            EngineError: actors die one after the other.
        """
        async with self._slots:
            while True:
                actor = self._actor
                try:
                    answer, usage = await actor.complete.remote(request)
                except self._ray.exceptions.RayActorError as error:
                    self._replace(actor, error)
                    continue
                self._count(actor, usage)
                if isinstance(answer, LongloomError):
                    raise answer
                assert isinstance(answer, ChatReply)
                return answer

    async def close(self) -> None:
        """End calls under way, close the connections and the cache, end the actor."""
        actor = self._actor
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                self._count(actor, await actor.close.remote())
        except (TimeoutError, self._ray.exceptions.RayError):
            pass  # it is ended all the same, and its connections with it
        self._ray.kill(actor)

    def _start(self) -> tuple[Any, Any]:
        """Start an actor; return it and what comes of its opening."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = self._ray.get_runtime_context().get_node_id()
        actor_class = self._ray.remote(
            num_cpus=0,
            max_restarts=0,
            # The calls and the one that closes.
            max_concurrency=_CALLS_PER_SLOT * self.config.concurrency + 1,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
        )(EndpointActor)
        actor = actor_class.remote(self.config, str(self._folder))
        # As an argument of a call, the key is in the memory of two processes and nowhere else.
        return actor, actor.open.remote(read_api_key())

    def _replace(self, actor: Any, error: Exception) -> None:
        """Start another actor for one that died, unless another call has done so."""
        if actor is not self._actor:
            return
        self._num_deaths += 1
        if self._num_deaths > _MOST_DEATHS:
            raise EngineError(
                f"the actor that calls {self.config.url} died {self._num_deaths} times, last: "
                f"{str(error).strip()}; what was answered is kept: run again"
            ) from error
        self._ended_usage, self._usage = self.usage, EndpointUsage()
        self._actor, _ = self._start()

    def _count(self, actor: Any, usage: EndpointUsage) -> None:
        """Take newer counts of the living actor; replies may overtake each other."""
        if actor is self._actor and _total(usage) >= _total(self._usage):
            self._usage = usage


def _sum(first: EndpointUsage, second: EndpointUsage) -> EndpointUsage:
    names = [field.name for field in fields(EndpointUsage)]
    return EndpointUsage(**{name: getattr(first, name) + getattr(second, name) for name in names})


def _total(usage: EndpointUsage) -> int:
    return sum(getattr(usage, field.name) for field in fields(EndpointUsage))
