"""Back ends by name, and what a memory holds as text: one JSON object that can be kept."""

import json
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmarks.bfcl_memory.embedding import Embed, embed_triples, load_embedder
from longloom.evaluation.benchmarks.bfcl_memory.key_value import KeyValueStore
from longloom.evaluation.benchmarks.bfcl_memory.store import MemoryStore
from longloom.evaluation.benchmarks.bfcl_memory.summary import SummaryStore
from longloom.evaluation.benchmarks.bfcl_memory.vectors import VectorStore

BACKENDS = ("kv", "rec_sum", "vector")
"""In alphabetical order, named as bfcl_eval names them."""
EMBEDDER_FOLDER = "embedder"
"""Folder of a sentence transformer beside the official files."""

_SCHEMA = {"schema": "longloom.bfcl_memory", "version": 1}


def empty_store(backend: str, folder: Path) -> MemoryStore:
    """Return an empty memory; `folder` is where the benchmark's files lie.

    Raises:
        DataError: the folder's embedder cannot be loaded.
    """
    match backend:
        case "kv":
            return KeyValueStore()
        case "rec_sum":
            return SummaryStore()
        case "vector":
            return VectorStore(_embed(folder))
    raise ValueError(f"back end {backend!r} is unknown; expected one of {', '.join(BACKENDS)}")


def snapshot_of(store: MemoryStore, group: str) -> str:
    """Return all that a memory holds as one JSON text."""
    return json.dumps({**_SCHEMA, "group": group, "memory": store.content()})


def restored_store(snapshot: str, group: str, folder: Path) -> MemoryStore:
    """Return the memory of a snapshot.

    Raises:
        DataError: the text is no snapshot of this group.
    """
    try:
        stated = json.loads(snapshot)
        if any(stated[name] != value for name, value in {**_SCHEMA, "group": group}.items()):
            raise ValueError("it is of another group or version")
        store = empty_store(group.partition("/")[0], folder)
        store.restore(stated["memory"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"the memory of {group} cannot be taken up again: {error}; remove it, so that the "
            "conversations are played anew"
        ) from None
    return store


def has_embedder(folder: Path) -> bool:
    """Return whether a sentence transformer lies beside the files."""
    return (folder / EMBEDDER_FOLDER / "config.json").is_file()


def _embed(folder: Path) -> Embed:
    return load_embedder(folder / EMBEDDER_FOLDER) if has_embedder(folder) else embed_triples
