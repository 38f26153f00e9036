"""The back end `vector`: texts that are found by the likeness of their embeddings.

Limits, messages and their order are bfcl_eval's memory_vector.py, where all-MiniLM-L6-v2 embeds and
faiss searches all vectors by inner product; so do plain products here. See `embedding.py` for what
embeds.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from longloom.evaluation.benchmarks.bfcl_memory.embedding import Embed
from longloom.evaluation.benchmarks.bfcl_memory.functions import Function, Parameter
from longloom.evaluation.benchmarks.bfcl_memory.key_value import ARCHIVAL, CORE, Limits
from longloom.evaluation.benchmarks.bfcl_memory.store import NO_CORE_CONTENT

_TOP = 5


class VectorMemory:
    """One memory of texts with ids."""

    def __init__(self, limits: Limits, embed: Embed) -> None:
        """Start empty."""
        self.texts: dict[int, str] = {}
        self._limits = limits
        self._embed = embed
        self._vectors: dict[int, np.ndarray] = {}
        self._next_id = 0

    def add(self, text: str) -> Mapping[str, Any]:
        """Keep a text."""
        if too_long := self._too_long(text):
            return too_long
        most = self._limits.max_entries
        if len(self.texts) >= most:
            return {"error": f"Memory size exceeds maximum size of {most} entries."}
        number, self._next_id = self._next_id, self._next_id + 1
        self._put(number, text)
        return {"id": number}

    def remove(self, vec_id: int) -> Mapping[str, Any]:
        """Forget a text."""
        if vec_id not in self.texts:
            return {"error": f"ID {vec_id} not present in store."}
        del self.texts[vec_id], self._vectors[vec_id]
        return {"status": f"ID {vec_id} removed from store."}

    def update(self, vec_id: int, new_text: str) -> Mapping[str, Any]:
        """Put another text in the place of one."""
        if vec_id not in self.texts:
            return {"error": f"ID {vec_id} not present in store."}
        if too_long := self._too_long(new_text):
            return too_long
        self._put(vec_id, new_text)
        return {"status": f"ID {vec_id} updated."}

    def clear(self) -> Mapping[str, Any]:
        """Forget all."""
        self.texts, self._vectors, self._next_id = {}, {}, 0
        return {"status": "Memory cleared."}

    def retrieve(self, query: str, top_k: int) -> Mapping[str, Any]:
        """Return the texts most like `query`, best first."""
        if not self.texts:
            return {"result": []}
        numbers = list(self.texts)
        matrix = np.stack([self._vectors[number] for number in numbers])
        scores = matrix @ self._embed([query])[0]
        best = np.argsort(-scores, kind="stable")[: max(0, top_k)]
        return {
            "result": [
                {
                    "id": numbers[place],
                    "similarity_score": float(scores[place]),
                    "text": self.texts[numbers[place]],
                }
                for place in best.tolist()
            ]
        }

    def retrieve_all(self) -> Mapping[str, Any]:
        """Return everything."""
        return {"result": [{"id": number, "text": text} for number, text in self.texts.items()]}

    def content(self) -> Mapping[str, Any]:
        """Return texts and the next id."""
        return {"next_id": self._next_id, "store": {str(n): t for n, t in self.texts.items()}}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over what `content` returned; the vectors are computed anew."""
        texts = {int(number): str(text) for number, text in content["store"].items()}
        self.texts, self._next_id = texts, int(content["next_id"])
        vectors = self._embed(list(texts.values())) if texts else ()
        self._vectors = dict(zip(texts, vectors, strict=True))

    def _put(self, number: int, text: str) -> None:
        self.texts[number] = text
        self._vectors[number] = self._embed([text])[0]

    def _too_long(self, text: str) -> Mapping[str, Any] | None:
        most = self._limits.max_characters
        if len(text) <= most:
            return None
        return {"error": f"Entry length exceeds maximum length of {most} characters."}


class VectorStore:
    """Core and archival memory of texts with ids."""

    def __init__(self, embed: Embed) -> None:
        """Start empty; `embed` makes the vectors."""
        self._core, self._archival = VectorMemory(CORE, embed), VectorMemory(ARCHIVAL, embed)
        self.functions: Sequence[Function] = (
            *_functions("core", self._core),
            *_functions("archival", self._archival),
        )

    def visible(self) -> str:
        """Return the core memory as JSON."""
        return json.dumps(self._core.texts, indent=4) if self._core.texts else NO_CORE_CONTENT

    def content(self) -> Mapping[str, Any]:
        """Return both memories."""
        return {"core_memory": self._core.content(), "archival_memory": self._archival.content()}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over both memories."""
        self._core.restore(content["core_memory"])
        self._archival.restore(content["archival_memory"])


def _functions(name: str, memory: VectorMemory) -> tuple[Function, ...]:
    number = Parameter(name="vec_id", kind="integer", description="The id of a kept text.")
    query = Parameter(name="query", description="What to look for.")
    top = Parameter(
        name="top_k", kind="integer", description="How many texts to return.", default=_TOP
    )
    return (
        Function(
            name=f"{name}_memory_add",
            description=f"Keep a text in the {name} memory; returns its id.",
            parameters=(Parameter(name="text", description="The text to keep."),),
            run=memory.add,
        ),
        Function(
            name=f"{name}_memory_remove",
            description=f"Remove a text from the {name} memory.",
            parameters=(number,),
            run=memory.remove,
        ),
        Function(
            name=f"{name}_memory_update",
            description=f"Put another text in the place of one in the {name} memory.",
            parameters=(number, Parameter(name="new_text", description="The text to keep.")),
            run=memory.update,
        ),
        Function(
            name=f"{name}_memory_clear",
            description=f"Remove all of the {name} memory. It cannot be brought back.",
            run=memory.clear,
        ),
        Function(
            name=f"{name}_memory_retrieve",
            description=f"Return the texts of the {name} memory that are most like a query.",
            parameters=(query, top),
            run=memory.retrieve,
        ),
        Function(
            name=f"{name}_memory_retrieve_all",
            description=f"Return all texts of the {name} memory with their ids.",
            run=memory.retrieve_all,
        ),
    )
