"""What an executor does with tasks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)

Beat = Callable[[str], None]
"""Called by a task to say what it is about to do; restarts its clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a task has no result, beyond the errors it raises itself."""

    reason: str
    """`took longer than 60 s`, `its process died (signal 11)`."""
    last_beat: str
    """What the task was doing; empty if it had not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[ResultT_co]):
    """What became of one task."""

    place: int
    """Its place in the sequence of tasks."""
    result: ResultT_co | Failure
    """What the function returned, or why there is nothing."""


class Executor(Protocol):
    """Runs the tasks of one step."""

    def map(
        self,
        function: Callable[[TaskT, Beat], ResultT],
        tasks: Sequence[TaskT],
        *,
        silent_seconds: float | None = None,
    ) -> Iterator[Outcome[ResultT]]:
        """Yield the outcomes in the order in which they are done.

        Args:
            function: a function of a module; called with a task and a `Beat`.
            tasks: small and picklable.
            silent_seconds: a task that does not beat for so long is stopped.

        Raises:
            LongloomError: a task raised it; the other tasks of the step are stopped.
        """
        ...
