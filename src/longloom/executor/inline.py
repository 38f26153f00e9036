"""Run tasks one after the other in this process. Nothing is isolated and no clock runs."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from longloom.executor.protocol import Beat, Outcome

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class InlineExecutor:
    """The executor without processes, for debugging and for small work."""

    def map(
        self,
        function: Callable[[TaskT, Beat], ResultT],
        tasks: Sequence[TaskT],
        *,
        silent_seconds: float | None = None,
    ) -> Iterator[Outcome[ResultT]]:
        """Yield the outcomes in the order of the tasks; see `Executor.map`."""
        del silent_seconds  # a process cannot stop itself inside a library
        for place, task in enumerate(tasks):
            yield Outcome(place=place, result=function(task, lambda _: None))
