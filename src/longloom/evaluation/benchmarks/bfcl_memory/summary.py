"""The back end `rec_sum`: one text of at most 10,000 characters, which the model keeps in order.

Limits and messages are bfcl_eval's memory_rec_sum.py. One repair: a replacement must leave the
whole text within its limit; the official one checks the new part alone, so that a text could grow
without end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from longloom.evaluation.benchmarks.bfcl_memory.functions import Function, Parameter
from longloom.evaluation.benchmarks.bfcl_memory.store import NO_CONTENT

MAX_CHARACTERS = 10_000
"""Characters of the whole memory."""


class SummaryStore:
    """One text."""

    def __init__(self) -> None:
        """Start empty."""
        self._text = ""
        self.functions: Sequence[Function] = self._functions()

    def visible(self) -> str:
        """Return all of it."""
        return self._text or NO_CONTENT

    def content(self) -> Mapping[str, Any]:
        """Return the text."""
        return {"memory": self._text}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over the text."""
        text = content["memory"]
        if not isinstance(text, str):
            raise TypeError("expected a text")
        self._text = text

    def append(self, text: str) -> Mapping[str, Any]:
        """Add to the end."""
        if len(self._text) + len(text) > MAX_CHARACTERS:
            return _too_long("appending")
        self._text += text
        return {"status": "Memory appended."}

    def update(self, text: str) -> Mapping[str, Any]:
        """Put another text in its place."""
        if len(text) > MAX_CHARACTERS:
            return _too_long("updating")
        self._text = text
        return {"status": "Memory updated."}

    def replace(self, old_text: str, new_text: str) -> Mapping[str, Any]:
        """Put another text in the place of a part, wherever it stands."""
        if old_text not in self._text:
            return {"error": f"Text '{old_text}' not found in memory."}
        # An empty part stands ahead of every character and at the end.
        num_places = self._text.count(old_text)
        num_characters = len(self._text) + num_places * (len(new_text) - len(old_text))
        if num_characters > MAX_CHARACTERS:
            return _too_long("replacing")
        self._text = self._text.replace(old_text, new_text)
        return {"status": "Memory updated."}

    def clear(self) -> Mapping[str, Any]:
        """Forget all."""
        self._text = ""
        return {"status": "Short term memory cleared."}

    def retrieve(self) -> Mapping[str, Any]:
        """Return all of it."""
        return {"memory_content": self._text} if self._text else {"error": "Memory is empty."}

    def _functions(self) -> tuple[Function, ...]:
        new = Parameter(name="text", description="The text to keep.")
        return (
            Function(
                name="memory_append",
                description="Add a text to the end of the memory.",
                parameters=(new,),
                run=self.append,
            ),
            Function(
                name="memory_update",
                description="Put a text in the place of the whole memory.",
                parameters=(new,),
                run=self.update,
            ),
            Function(
                name="memory_replace",
                description="Put a text in the place of a part of the memory.",
                parameters=(
                    Parameter(name="old_text", description="The part, exactly as it is there."),
                    Parameter(name="new_text", description="What takes its place."),
                ),
                run=self.replace,
            ),
            Function(
                name="memory_clear",
                description="Remove the whole memory. It cannot be brought back.",
                run=self.clear,
            ),
            Function(
                name="memory_retrieve",
                description="Return the whole memory.",
                run=self.retrieve,
            ),
        )


def _too_long(after: str) -> Mapping[str, Any]:
    return {
        "error": f"Entry will be too long after {after}. Please shorten the entry to less than "
        f"{MAX_CHARACTERS} characters."
    }
