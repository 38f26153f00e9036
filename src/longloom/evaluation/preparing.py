"""What a model does before the questions of a group are asked: done once, kept among the answers.

Groups are prepared at the same time, each where its first question comes. A preparation that fails
fails the questions of its group; one for which the server was away ends the run and goes on in the
next.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from longloom.errors import ModelError
from longloom.evaluation.answers import Answer, AnswerLog, failure_of
from longloom.evaluation.benchmark import Prepare
from longloom.evaluation.kept_calls import KeptChat
from longloom.models.endpoint.errors import EndpointSetupError, EndpointUnavailableError
from longloom.models.protocols import ChatSampler
from longloom.records import SamplingParams


@dataclass(slots=True, kw_only=True)
class Preparations:
    """The snapshots of a benchmark's groups."""

    benchmark: str
    """Name of the benchmark."""
    prepare: Prepare
    """Makes a snapshot."""
    folder: Path
    """Where the benchmark's files lie."""
    chat: ChatSampler
    """The model."""
    params: SamplingParams
    """How its replies are drawn."""
    log: AnswerLog
    """Keeps calls and snapshots."""
    key: str
    """Prefix of the random streams."""
    _tasks: dict[str, asyncio.Task[Answer]] = field(default_factory=dict)

    async def snapshot(self, group: str) -> Answer:
        """Return a group's snapshot as the text of a record; with `failure` if there is none.

        Raises:
            DataError: a file is missing or damaged.
            ModelError: the server is away or set up wrongly.
        """
        kept = (self.benchmark, f"/snapshots/{group}", 0)
        if kept in self.log:
            return self.log[kept]
        if group not in self._tasks:
            self._tasks[group] = asyncio.create_task(self._prepared(group, kept[1]))
        return await self._tasks[group]

    async def _prepared(self, group: str, name: str) -> Answer:
        text, failure, message = "", "", ""
        chat = KeptChat(self.chat, self.log, self.benchmark)
        try:
            text = await self.prepare(
                self.folder, group, sampler=chat, params=self.params, key=self.key
            )
        except (EndpointSetupError, EndpointUnavailableError):
            raise
        except ModelError as error:
            failure, message = failure_of(error), f"preparing {group} failed: {error}"
        snapshot = Answer(
            benchmark=self.benchmark,
            question_id=name,
            sample_index=0,
            text=text,
            failure=failure,
            error=message,
        )
        self.log.add(snapshot)
        return snapshot
