"""What every back end of a memory can do."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from longloom.evaluation.benchmarks.bfcl_memory.functions import Function

NO_CORE_CONTENT = "There is no content in the core memory at this point."
NO_CONTENT = "There is no content in the memory at this point."


class MemoryStore(Protocol):
    """A memory that outlives conversations."""

    @property
    def functions(self) -> Sequence[Function]:
        """What a model may do with it."""

    def visible(self) -> str:
        """Return the part that a model sees in its system message."""

    def content(self) -> Mapping[str, Any]:
        """Return all of it as JSON values."""

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over what `content` returned.

        Raises:
            KeyError, TypeError, ValueError: it is no such content.
        """
