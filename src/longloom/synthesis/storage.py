"""Examples and contexts on disk: Parquet, written atomically, validated row by row.

examples.parquet    verl's columns; the document is left out of the prompt
contexts.parquet    each context once
summary.json        what was read, made and refused
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from longloom.errors import DataError
from longloom.records import (
    Context,
    ContextPart,
    Evidence,
    Example,
    RewardRule,
    Split,
    TaskType,
)
from longloom.runlog import atomic_path
from longloom.synthesis.prompt_length import CONTEXT_SLOT, user_message
from longloom.synthesis.schemas import CONTEXTS_SCHEMA, EXAMPLES_SCHEMA, SCHEMA_VERSION
from longloom.text.prompts import prompt_version

EXAMPLES_FILE = "examples.parquet"
CONTEXTS_FILE = "contexts.parquet"
SUMMARY_FILE = "summary.json"

SUMMARY_SCHEMA_NAME = "longloom.synthesis_summary"

Row = dict[str, Any]
RecordT = TypeVar("RecordT")
ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


def example_id_of(context_id: str, question: str, answer: str) -> str:
    """Return the id of an example: a digest of context, question and answer."""
    key = "\0".join([context_id, question, answer])
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def write_examples(
    folder: Path,
    examples: Sequence[Example],
    contexts: Mapping[str, Context],
    summary: Mapping[str, object] | None = None,
    *,
    template: str = "plain",
) -> None:
    """Write examples.parquet, contexts.parquet and summary.json into `folder`.

    Raises:
        DataError: the folder cannot be written, or an example's context is missing.
    """
    used = dict.fromkeys(example.context_id for example in examples)
    missing = [context_id for context_id in used if context_id not in contexts]
    if missing:
        raise DataError(
            f"context {missing[0]} of an example is not among the {len(contexts)} contexts given"
        )
    rows = [example_row(example, place, template) for place, example in enumerate(examples)]
    # Examples last: whoever finds them finds their contexts too.
    _write_table(folder / CONTEXTS_FILE, [asdict(contexts[key]) for key in used], CONTEXTS_SCHEMA)
    if summary is not None:
        write_summary(folder / SUMMARY_FILE, summary)
    _write_table(folder / EXAMPLES_FILE, rows, EXAMPLES_SCHEMA)


def example_row(
    example: Example, index: int, template: str, *, context_text: str = CONTEXT_SLOT
) -> Row:
    """Return the row of an example in verl's columns, its document replaced by a slot."""
    message = user_message(
        template, example.task_type, context=context_text, question=example.question
    )
    return {
        "data_source": example.task_type.value,
        "prompt": [{"role": "user", "content": message}],
        "ability": example.ability,
        "reward_model": {"style": "rule", "ground_truth": example.answer},
        "extra_info": {
            "index": index,
            "split": example.split.value,
            "example_id": example.example_id,
            "context_id": example.context_id,
            "question": example.question,
            "program": example.program,
            "evidence": [asdict(evidence) for evidence in example.evidence],
            "reward_rule": example.reward_rule.value,
            "template": template,
            "prompt_version": prompt_version(),
            "num_context_tokens": example.num_context_tokens,
            "num_prompt_tokens": example.num_prompt_tokens,
            "licences": list(example.licences),
            "provenance": list(example.provenance),
            "num_hops": example.num_hops,
            "gold_documents": list(example.gold_documents),
            "genres": list(example.genres),
            "shape": example.shape,
            "depths": list(example.depths),
        },
    }


def _write_table(target: Path, rows: Sequence[Row], schema: pa.Schema) -> None:
    with atomic_path(target) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary)


def write_summary(target: Path, summary: Mapping[str, object]) -> None:
    """Write summary.json, atomically."""
    fields = {"schema": SUMMARY_SCHEMA_NAME, "version": SCHEMA_VERSION, **summary}
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(fields, indent=1, ensure_ascii=False), "utf-8")


def read_examples(folder: Path) -> tuple[tuple[Example, ...], dict[str, Context]]:
    """Read what `write_examples` wrote.

    Raises:
        DataError: a file is missing, damaged or of another version, or a row cannot be used; the
            message names file, row, column and value.
    """
    contexts_path = folder / CONTEXTS_FILE
    contexts = {
        context.context_id: context
        for context in _read_rows(contexts_path, CONTEXTS_SCHEMA, _context)
    }
    examples_path = folder / EXAMPLES_FILE
    examples = _read_rows(
        examples_path, EXAMPLES_SCHEMA, lambda row, fail: _example(row, contexts, fail)
    )
    return tuple(examples), contexts


Fail = Callable[[str, object, str], DataError]
"""Makes the error for (column, value, what was expected)."""


def _read_rows(
    path: Path, schema: pa.Schema, parse: Callable[[Row, Fail], RecordT]
) -> list[RecordT]:
    table = _read_table(path, schema)
    records = []
    for number, row in enumerate(table.to_pylist()):

        def fail(column: str, value: object, expected: str, number: int = number) -> DataError:
            return DataError(
                f"{path}, row {number}, column {column}: {str(value)[:80]!r}; expected {expected}"
            )

        absent = next((column for column in schema.names if row[column] is None), "")
        if absent:
            raise fail(absent, None, "a value")
        try:
            records.append(parse(row, fail))
        except (KeyError, TypeError, AttributeError) as error:
            raise fail("any", error, "no empty values inside lists and groups") from None
    return records


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; expected a folder written by `longloom synthesize`"
        )
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} is not readable Parquet ({str(error).splitlines()[0]}); write it again with "
            "`longloom synthesize`"
        ) from None
    stated = table.schema.metadata or {}
    wanted = schema.metadata
    if stated.get(b"schema") != wanted[b"schema"] or stated.get(b"version") != wanted[b"version"]:
        name = stated.get(b"schema", b"unnamed").decode()
        version = stated.get(b"version", b"?").decode()
        raise DataError(
            f"{path} holds schema {name} version {version}; expected "
            f"{wanted[b'schema'].decode()} version {wanted[b'version'].decode()}"
        )
    for field in schema:
        place = table.schema.get_field_index(field.name)
        found = "nothing" if place < 0 else _type_name(table.schema.field(place).type)
        if found != _type_name(field.type):
            raise DataError(f"{path}, column {field.name} is {found}; expected {field.type}")
    return table


def _type_name(column_type: pa.DataType) -> str:
    return str(column_type).replace("list<element:", "list<item:")  # Parquet renames entries


def _context(row: Row, fail: Fail) -> Context:
    text = row["text"]
    if hashlib.sha256(text.encode()).hexdigest()[:32] != row["context_id"]:
        raise fail("context_id", row["context_id"], "the hash of the row's text")
    parts = tuple(ContextPart(**part) for part in row["parts"])
    for part in parts:
        length = part.doc_end - part.doc_start
        if length < 0 or not 0 <= part.context_start <= len(text) - length:
            raise fail("parts", part, f"a span within {len(text)} characters")
    return Context(context_id=row["context_id"], text=text, parts=parts)


def _example(row: Row, contexts: Mapping[str, Context], fail: Fail) -> Example:
    extra = row["extra_info"]
    context = contexts.get(extra["context_id"])
    if context is None:
        raise fail("extra_info.context_id", extra["context_id"], f"a context of {CONTEXTS_FILE}")
    if not row["reward_model"]["ground_truth"]:
        raise fail("reward_model.ground_truth", "", "an answer")
    if not _is_program(extra["program"]):
        raise fail("extra_info.program", extra["program"], "the JSON object of a program")
    evidence = tuple(Evidence(**fields) for fields in extra["evidence"])
    for span in evidence:
        if not 0 <= span.context_start < span.context_end <= len(context.text):
            expected = f"a span within {len(context.text)} characters"
            raise fail("extra_info.evidence", span, expected)
    return Example(
        example_id=extra["example_id"],
        task_type=_choice(TaskType, row["data_source"], "data_source", fail),
        ability=row["ability"],
        context_id=extra["context_id"],
        question=extra["question"],
        answer=row["reward_model"]["ground_truth"],
        reward_rule=_choice(RewardRule, extra["reward_rule"], "extra_info.reward_rule", fail),
        program=extra["program"],
        evidence=evidence,
        num_context_tokens=extra["num_context_tokens"],
        num_prompt_tokens=extra["num_prompt_tokens"],
        split=_choice(Split, extra["split"], "extra_info.split", fail),
        licences=tuple(extra["licences"]),
        provenance=tuple(extra["provenance"]),
        num_hops=extra["num_hops"],
        gold_documents=tuple(extra["gold_documents"]),
        genres=tuple(extra["genres"]),
        shape=extra["shape"],
        depths=tuple(extra["depths"]),
    )


def _is_program(text: str) -> bool:
    try:
        program = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(program, dict) and isinstance(program.get("op", program.get("kind")), str)


def _choice(choices: type[ChoiceT], value: str, column: str, fail: Fail) -> ChoiceT:
    try:
        return choices(value)
    except ValueError:
        raise fail(column, value, f"one of {', '.join(choices)}") from None
