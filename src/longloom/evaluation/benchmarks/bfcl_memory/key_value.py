"""The back end `kv`: texts under keys in a small memory that is seen and a large one that is not.

Limits, messages and their order are bfcl_eval's memory_kv.py. Keys are found by BM25+ as rank_bm25
computes it (Lv and Zhai 2011; k1 1.5, b 0.75, delta 1). One repair: a key must not end in a line
break, which the official pattern lets through.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longloom.evaluation.benchmarks.bfcl_memory.functions import Function, Parameter
from longloom.evaluation.benchmarks.bfcl_memory.store import NO_CORE_CONTENT

_KEY = re.compile(r"[a-z]+(?:_[a-z0-9]+)*+")
_K1, _B, _DELTA = 1.5, 0.75, 1.0
_TOP = 5

_KEY_OF_NEW = Parameter(
    name="key", description="A new key of lower-case words joined by underscores, without spaces."
)
_KEY_OF_OLD = Parameter(name="key", description="A key that is there; case counts.")
_VALUE = Parameter(name="value", description="The text to keep.")
_QUERY = Parameter(name="query", description="Words to look for in the keys.")
_NUM_FOUND = Parameter(
    name="k", kind="integer", description="How many keys to return.", default=_TOP
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one memory holds, and what it says."""

    max_entries: int
    """Entries."""
    max_characters: int
    """Characters of one entry."""
    title: str
    """What it is called in messages: `Core`, `Long term`."""
    added: str
    """Said when an entry was added."""
    cleared: str
    """Said when all entries were removed."""


CORE = Limits(
    max_entries=7,
    max_characters=300,
    title="Core",
    added="Key-value pair added.",
    cleared="Short term memory cleared.",
)
ARCHIVAL = Limits(
    max_entries=50,
    max_characters=2_000,
    title="Long term",
    added="Key added.",
    cleared="Long term memory cleared.",
)


class KeyValueMemory:
    """One memory of texts under keys."""

    def __init__(self, limits: Limits) -> None:
        """Start empty."""
        self.entries: dict[str, str] = {}
        self._limits = limits

    def add(self, key: str, value: str) -> Mapping[str, Any]:
        """Keep `value` under a new key."""
        if len(self.entries) >= self._limits.max_entries:
            return {"error": f"{self._limits.title} memory is full. Please clear some entries."}
        if too_long := self._too_long(value):
            return too_long
        if _KEY.fullmatch(key) is None:
            return {"error": "Key must be in snake_case format and cannot contain spaces."}
        if key in self.entries:
            return {"error": "Key name must be unique."}
        self.entries[key] = value
        return {"status": self._limits.added}

    def remove(self, key: str) -> Mapping[str, Any]:
        """Forget a key."""
        if key not in self.entries:
            return {"error": "Key not found."}
        del self.entries[key]
        return {"status": "Key removed."}

    def replace(self, key: str, value: str) -> Mapping[str, Any]:
        """Keep another value under a key."""
        if key not in self.entries:
            return {"error": "Key not found."}
        if too_long := self._too_long(value):
            return too_long
        self.entries[key] = value
        return {"status": "Key replaced."}

    def clear(self) -> Mapping[str, Any]:
        """Forget all."""
        self.entries = {}
        return {"status": self._limits.cleared}

    def retrieve(self, key: str) -> Mapping[str, Any]:
        """Return the value of a key."""
        if key not in self.entries:
            return {"error": "Key not found."}
        return {"value": self.entries[key]}

    def list_keys(self) -> Mapping[str, Any]:
        """Return all keys in the order in which they were added."""
        return {"keys": list(self.entries)}

    def search_keys(self, query: str, k: int) -> Mapping[str, Any]:
        """Return the keys most like `query`, best first, with their scores."""
        return {"ranked_results": bm25_plus(query, list(self.entries))[: max(0, k)]}

    def retrieve_all(self) -> Mapping[str, Any]:
        """Return everything."""
        return dict(self.entries)

    def _too_long(self, value: str) -> Mapping[str, Any] | None:
        most = self._limits.max_characters
        if len(value) <= most:
            return None
        return {
            "error": f"Entry is too long. Please shorten the entry to less than {most} characters."
        }


class KeyValueStore:
    """Core and archival memory of texts under keys."""

    def __init__(self) -> None:
        """Start empty."""
        self._core, self._archival = KeyValueMemory(CORE), KeyValueMemory(ARCHIVAL)
        core, archival = _functions("core", self._core), _functions("archival", self._archival)
        retrieve_all = Function(
            name="core_memory_retrieve_all",
            description="Return all keys of the core memory with their texts.",
            run=self._core.retrieve_all,
        )
        self.functions: Sequence[Function] = (*core, retrieve_all, *archival)

    def visible(self) -> str:
        """Return the core memory as JSON."""
        return json.dumps(self._core.entries, indent=4) if self._core.entries else NO_CORE_CONTENT

    def content(self) -> Mapping[str, Any]:
        """Return both memories."""
        return {"core_memory": self._core.entries, "archival_memory": self._archival.entries}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over both memories."""
        self._core.entries = _texts(content["core_memory"])
        self._archival.entries = _texts(content["archival_memory"])


def bm25_plus(query: str, keys: Sequence[str]) -> list[tuple[float, str]]:
    """Return all keys with their scores, best first; equal ones stay in their order."""
    import bm25s

    words = _words(query)
    if not keys or not words:
        return [(0.0, key) for key in keys]
    index = bm25s.BM25(
        method="bm25+", idf_method="bm25+", k1=_K1, b=_B, delta=_DELTA, dtype="float64"
    )
    index.index([_words(key) for key in keys], show_progress=False)
    scores = map(float, index.get_scores(words))
    return sorted(zip(scores, keys, strict=True), key=lambda found: found[0], reverse=True)


def _words(text: str) -> list[str]:
    return text.replace("_", " ").lower().split()


def _functions(name: str, memory: KeyValueMemory) -> tuple[Function, ...]:
    return (
        Function(
            name=f"{name}_memory_add",
            description=f"Keep a text under a new key in the {name} memory.",
            parameters=(_KEY_OF_NEW, _VALUE),
            run=memory.add,
        ),
        Function(
            name=f"{name}_memory_remove",
            description=f"Remove a key and its text from the {name} memory.",
            parameters=(_KEY_OF_OLD,),
            run=memory.remove,
        ),
        Function(
            name=f"{name}_memory_replace",
            description=f"Put another text under a key of the {name} memory.",
            parameters=(_KEY_OF_OLD, _VALUE),
            run=memory.replace,
        ),
        Function(
            name=f"{name}_memory_clear",
            description=f"Remove all of the {name} memory. It cannot be brought back.",
            run=memory.clear,
        ),
        Function(
            name=f"{name}_memory_retrieve",
            description=f"Return the text of exactly this key of the {name} memory.",
            parameters=(_KEY_OF_OLD,),
            run=memory.retrieve,
        ),
        Function(
            name=f"{name}_memory_list_keys",
            description=f"Return all keys of the {name} memory.",
            run=memory.list_keys,
        ),
        Function(
            name=f"{name}_memory_key_search",
            description=f"Return the keys of the {name} memory that are most like a query (BM25+).",
            parameters=(_QUERY, _NUM_FOUND),
            run=memory.search_keys,
        ),
    )


def _texts(stated: object) -> dict[str, str]:
    if not isinstance(stated, dict) or not all(isinstance(one, str) for one in stated.values()):
        raise ValueError("expected texts under keys")
    return {str(key): value for key, value in stated.items()}
