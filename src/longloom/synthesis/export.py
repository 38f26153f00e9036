"""Export examples as one self-contained file for other trainers.

verl    Parquet with verl's columns, the document inserted in the prompt
trl     Parquet with `prompt` (a chat), `answer` and the task's columns
jsonl   JSON Lines, one example a line, the prompt as text
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from longloom.errors import ConfigError
from longloom.records import Context, Example
from longloom.runlog import atomic_path
from longloom.synthesis.prompt_length import user_message
from longloom.synthesis.schemas import EXAMPLES_SCHEMA, MESSAGES, SCHEMA_VERSION
from longloom.synthesis.storage import Row, example_row, read_examples

_ROWS_AT_ONCE = 256  # documents are inserted, so rows may be large

_TRL_SCHEMA = pa.schema(
    [
        ("prompt", MESSAGES),
        ("answer", pa.string()),
        ("task_type", pa.string()),
        ("reward_rule", pa.string()),
        ("ability", pa.string()),
        ("example_id", pa.string()),
        ("split", pa.string()),
    ]
).with_metadata({"schema": "longloom.trl_examples", "version": str(SCHEMA_VERSION)})

RowWriter = Callable[[Path, Iterator[Row]], None]


def export_examples(folder: Path, target: Path, kind: str, *, template: str = "plain") -> int:
    """Write the examples of `folder` to the file `target`; return how many there are.

    Raises:
        ConfigError: `kind` is unknown.
        DataError: the folder cannot be read or the file cannot be written.
    """
    if kind not in EXPORT_KINDS:
        raise ConfigError(f"export kind {kind!r} is unknown; expected {', '.join(EXPORT_KINDS)}")
    make_row, write = _KINDS[kind]
    examples, contexts = read_examples(folder)
    with atomic_path(target) as temporary:
        write(temporary, _rows(examples, contexts, template, make_row))
    return len(examples)


RowMaker = Callable[[Example, int, str, str], Row]
"""Makes a row of (example, index, template, context text)."""


def _rows(
    examples: Sequence[Example],
    contexts: Mapping[str, Context],
    template: str,
    make_row: RowMaker,
) -> Iterator[Row]:
    for index, example in enumerate(examples):
        yield make_row(example, index, template, contexts[example.context_id].text)


def _verl_row(example: Example, index: int, template: str, text: str) -> Row:
    return example_row(example, index, template, context_text=text)


def _trl_row(example: Example, index: int, template: str, text: str) -> Row:
    message = user_message(template, example.task_type, context=text, question=example.question)
    return {
        "prompt": [{"role": "user", "content": message}],
        "answer": example.answer,
        "task_type": example.task_type.value,
        "reward_rule": example.reward_rule.value,
        "ability": example.ability,
        "example_id": example.example_id,
        "split": example.split.value,
    }


def _jsonl_row(example: Example, index: int, template: str, text: str) -> Row:
    message = user_message(template, example.task_type, context=text, question=example.question)
    return {
        "schema": "longloom.example",
        "version": SCHEMA_VERSION,
        "example_id": example.example_id,
        "task_type": example.task_type.value,
        "split": example.split.value,
        "prompt": message,
        "question": example.question,
        "answer": example.answer,
        "reward_rule": example.reward_rule.value,
        "ability": example.ability,
        "program": json.loads(example.program),
        "evidence": [text[span.context_start : span.context_end] for span in example.evidence],
        "licences": list(example.licences),
        "provenance": list(example.provenance),
    }


def _write_parquet(schema: pa.Schema) -> RowWriter:
    def write(path: Path, rows: Iterator[Row]) -> None:
        with pq.ParquetWriter(path, schema) as writer:
            while batch := list(islice(rows, _ROWS_AT_ONCE)):
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))

    return write


def _write_jsonl(path: Path, rows: Iterator[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


_KINDS: dict[str, tuple[RowMaker, RowWriter]] = {
    "jsonl": (_jsonl_row, _write_jsonl),
    "trl": (_trl_row, _write_parquet(_TRL_SCHEMA)),
    "verl": (_verl_row, _write_parquet(EXAMPLES_SCHEMA)),
}

EXPORT_KINDS = tuple(_KINDS)
"""Formats that can be exported."""
