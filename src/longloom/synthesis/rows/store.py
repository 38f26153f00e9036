"""Checked rows in one memory-mapped file, so that prompts are encoded once and held on the disk.

    RowStoreWriter.add(row, ...)  ->  rows.arrow  ->  RowStore: examples, contexts, prompt ids

A hundred thousand long prompts are gigabytes as Python objects. Here only the examples (questions
and answers) become objects; a prompt's text and tokens are read from the file when it is drawn.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from longloom.errors import DataError
from longloom.records import Context, Example, RewardRule, Split, TaskType
from longloom.synthesis.published.data_sources import NO_PROGRAM

STORE_FILE = "rows.arrow"
STORE_VERSION = 2
"""Counts what a store holds, and how rows are understood."""
_NAME = "longloom.training_rows"
_ROWS_AT_ONCE = 64
_TOKENS_AT_ONCE = 1 << 20

_SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("context_id", pa.string()),
        ("task_type", pa.string()),
        ("ability", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("reward_rule", pa.string()),
        ("split", pa.string()),
        ("provenance", pa.string()),
        ("prompt_text", pa.large_string()),
        ("prompt_ids", pa.large_list(pa.int32())),
    ],
    metadata={"schema": _NAME, "version": str(STORE_VERSION)},
)


class RowStoreWriter:
    """Writes a store row by row; holds at most 64 rows or a million tokens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._num_tokens = 0

    def __enter__(self) -> Self:
        try:
            self._writer = pa.ipc.new_file(str(self._path), _SCHEMA)
        except OSError as error:
            raise _unusable(self._path, error) from None
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()

    def add(self, example: Example, *, prompt_text: str, prompt_ids: list[int]) -> None:
        """Append one row; its context is its prompt.

        Raises:
            DataError: the disk is full.
        """
        self._rows.append(
            {
                "example_id": example.example_id,
                "context_id": example.context_id,
                "task_type": example.task_type.value,
                "ability": example.ability,
                "question": example.question,
                "answer": example.answer,
                "reward_rule": example.reward_rule.value,
                "split": example.split.value,
                "provenance": example.provenance[0],
                "prompt_text": prompt_text,
                "prompt_ids": np.asarray(prompt_ids, dtype=np.int32),
            }
        )
        self._num_tokens += len(prompt_ids)
        if len(self._rows) == _ROWS_AT_ONCE or self._num_tokens >= _TOKENS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        try:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, schema=_SCHEMA))
        except OSError as error:
            raise _unusable(self._path, error) from None
        self._rows, self._num_tokens = [], 0


class RowStore:
    """The rows of a store; prompts stay on the disk until they are asked for."""

    def __init__(self, path: Path) -> None:
        """Open a store.

        Raises:
            DataError: it is missing, damaged or of another version.
        """
        try:
            self._table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
        except (pa.ArrowException, OSError) as error:
            raise _unusable(path, error) from None
        stated = self._table.schema.metadata or {}
        found = (stated.get(b"schema"), stated.get(b"version"))
        if found != (_NAME.encode(), str(STORE_VERSION).encode()):
            raise _unusable(path, f"it holds {found}")
        self.examples = tuple(self._examples())
        self._place_by_context = {
            example.context_id: place for place, example in enumerate(self.examples)
        }
        self.contexts: Mapping[str, Context] = _Contexts(self)

    def prompt_text(self, context_id: str) -> str:
        """Return a prompt as the chat template rendered it."""
        return str(self._table["prompt_text"][self._place_by_context[context_id]].as_py())

    def prompt_ids(self, context_id: str) -> tuple[int, ...]:
        """Return a prompt's tokens."""
        ids = self._table["prompt_ids"][self._place_by_context[context_id]]
        return tuple(ids.values.to_pylist())

    def context_ids(self) -> Iterator[str]:
        """Return the ids of all contexts."""
        return iter(self._place_by_context)

    def _examples(self) -> Iterator[Example]:
        names = [name for name in _SCHEMA.names if name not in ("prompt_text", "prompt_ids")]
        num_tokens = pc.list_value_length(self._table["prompt_ids"]).to_pylist()
        for row, num_prompt_tokens in zip(
            self._table.select(names).to_pylist(), num_tokens, strict=True
        ):
            yield Example(
                example_id=row["example_id"],
                task_type=TaskType(row["task_type"]),
                ability=row["ability"],
                context_id=row["context_id"],
                question=row["question"],
                answer=row["answer"],
                reward_rule=RewardRule(row["reward_rule"]),
                program=NO_PROGRAM,
                evidence=(),
                num_context_tokens=num_prompt_tokens,
                num_prompt_tokens=num_prompt_tokens,
                split=Split(row["split"]),
                licences=(),
                provenance=(row["provenance"],),
                shape=NO_PROGRAM,
            )


class _Contexts(Mapping[str, Context]):
    """The contexts of a store, each made when it is asked for."""

    def __init__(self, store: RowStore) -> None:
        self._store = store

    def __getitem__(self, context_id: str) -> Context:
        return Context(context_id=context_id, text=self._store.prompt_text(context_id), parts=())

    def __contains__(self, context_id: object) -> bool:
        return context_id in self._store._place_by_context

    def __iter__(self) -> Iterator[str]:
        return self._store.context_ids()

    def __len__(self) -> int:
        return len(self._store._place_by_context)


def _unusable(path: Path, reason: object) -> DataError:
    return DataError(
        f"the stored rows {path} cannot be used: {str(reason).splitlines()[0]}; expected what an "
        "earlier call wrote there, and a disk with space; remove the file to read the rows again"
    )
