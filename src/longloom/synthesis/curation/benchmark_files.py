"""Read benchmark files: their questions with answers, and the texts these are asked about.

Fields are found by name, so one walk reads TAT-QA (a table, paragraphs and a list of questions),
HotpotQA (paragraphs of titles and sentences), L-Eval (one context, parallel lists of questions and
answers), BFCL memory (conversations; answers in another file under the same id) and plain JSON,
JSON Lines or Parquet with question, answer and context columns. Gold programs, facts and options
are not looked at.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.errors import DataError

SUFFIXES = (".json", ".jsonl", ".parquet")

_QUESTION_FIELDS = (
    "question",
    "questions",
    "query",
    "queries",
    "qas",
    "problem",
    "instruction",
    "instructions",
    "input",
    "prompt",
)
_ANSWER_FIELDS = (
    "answer",
    "answers",
    "ground_truth",
    "gold",
    "golds",
    "reference",
    "references",
    "target",
    "output",
    "outputs",
    "possible_answer",
)
_CONTEXT_FIELDS = (
    "context",
    "contexts",
    "document",
    "documents",
    "passage",
    "passages",
    "article",
    "paragraph",
    "paragraphs",
    "para_a",
    "para_b",
    "distractors",
    "table",
    "text",
    "story",
)
_ID_FIELDS = ("id", "_id", "qid", "question_id", "uid")
_NO_TEXT_FIELDS = frozenset({*_ID_FIELDS, "order", "role"})
_CONVERSATION_TURNS = 3
"""A question of so many messages is a conversation that others are asked about."""
_MAX_DEPTH = 12
_MAX_FILE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkQuestion:
    """A question with its reference answers."""

    question: str
    """The question, with options where it has them."""
    answers: tuple[str, ...] = ()
    """Reference answers; empty if the file has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRecord:
    """One record of a benchmark file."""

    name: str
    """File and place or id in it: `dev.jsonl:quality-0`."""
    questions: tuple[BenchmarkQuestion, ...] = ()
    """What is asked."""
    contexts: tuple[str, ...] = ()
    """What it is asked about, a paragraph, table or document each."""


def read_benchmark(path: Path) -> list[BenchmarkRecord]:
    """Return the records of a file, or of all benchmark files below a folder.

    Raises:
        DataError: there is nothing, it cannot be read, or it holds neither questions nor texts.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    else:
        files = [path]
    records: list[BenchmarkRecord] = []
    answers_by_id: dict[str, tuple[str, ...]] = {}
    ids: list[str] = []
    for file in files:
        for place, row in enumerate(_rows(file)):
            row_id = next((str(row[name]) for name in _ID_FIELDS if row.get(name)), "")
            record = _record(f"{file.name}:{row_id or place + 1}", row)
            if record.questions or record.contexts:
                records.append(record)
                ids.append(row_id)
            elif row_id:
                answers_by_id[row_id] = _answers(row)
    if not records:
        raise DataError(
            f"benchmark {str(path)!r} holds no questions; expected .json, .jsonl or .parquet with "
            "fields such as question, answer and context"
        )
    return [
        _answered(record, answers_by_id.get(row_id, ()))
        for record, row_id in zip(records, ids, strict=True)
    ]


def _answered(record: BenchmarkRecord, answers: tuple[str, ...]) -> BenchmarkRecord:
    """Add the answers of another file to questions without any."""
    if not answers:
        return record
    questions = tuple(
        BenchmarkQuestion(question=asked.question, answers=asked.answers or answers)
        for asked in record.questions
    )
    return BenchmarkRecord(name=record.name, questions=questions, contexts=record.contexts)


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise DataError(f"benchmark {str(file)!r} is larger than {_MAX_FILE_BYTES} bytes")
        rows = _parquet_rows(file) if file.suffix.lower() == ".parquet" else _json_rows(file)
        for row in rows:
            if isinstance(row, dict):
                yield row
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"benchmark {str(file)!r} cannot be read: {error}") from None


def _parquet_rows(file: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches(batch_size=500):
        yield from batch.to_pylist()


def _json_rows(file: Path) -> Iterator[Any]:
    """Yield the records of JSON (a list, an object of lists, one object) or of JSON Lines."""
    text = file.read_text("utf-8-sig")
    try:
        content = json.loads(text)
    except ValueError:
        for line in text.split("\n"):
            if line.strip():
                yield json.loads(line)
        return
    if isinstance(content, list):
        yield from content
        return
    rows = content.get("data", content.get("rows")) if isinstance(content, dict) else None
    yield from rows if isinstance(rows, list) else [content]


def _record(name: str, row: Mapping[str, Any]) -> BenchmarkRecord:
    questions: list[BenchmarkQuestion] = []
    contexts: list[str] = []
    for field in _QUESTION_FIELDS:
        value = row.get(field)
        if value is None:
            continue
        if _is_conversation(value):
            contexts.append(" ".join(_strings(value)))
        else:
            questions += _questions(value, row)
    for field in _CONTEXT_FIELDS:
        if row.get(field):
            contexts += _contexts(row[field])
    contexts += _nested_contexts(row)
    return BenchmarkRecord(name=name, questions=tuple(questions), contexts=tuple(contexts))


def _nested_contexts(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts that SQuAD's kind of file keeps one level down."""
    for part in row.get("paragraphs") or ():
        if isinstance(part, dict) and isinstance(part.get("context"), str):
            yield part["context"]


def _is_conversation(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= _CONVERSATION_TURNS
        and all(isinstance(turn, list) for turn in value)
    )


def _questions(value: Any, row: Mapping[str, Any]) -> Iterator[BenchmarkQuestion]:
    """Yield the questions of a field: one, many beside their answers, or records of their own."""
    if isinstance(value, str):
        yield BenchmarkQuestion(question=value, answers=_answers(row))
        return
    if not isinstance(value, list):
        return
    if all(isinstance(entry, str) for entry in value):
        parallel: Any = next((row[name] for name in _ANSWER_FIELDS if row.get(name)), [])
        has_each = isinstance(parallel, list) and len(parallel) == len(value)
        for place, question in enumerate(value):
            answers = tuple(_strings(parallel[place])) if has_each else _answers(row)
            yield BenchmarkQuestion(question=question, answers=answers)
        return
    for entry in value:
        if isinstance(entry, dict) and isinstance(entry.get("question"), str):
            yield BenchmarkQuestion(question=entry["question"], answers=_answers(entry))
        elif text := " ".join(_strings(entry)):
            yield BenchmarkQuestion(question=text, answers=_answers(row))


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    found = (text for name in _ANSWER_FIELDS if name in row for text in _strings(row[name]))
    return tuple(dict.fromkeys(found))


def _contexts(value: Any) -> Iterator[str]:
    """Yield a text for each paragraph or document; rows of a table and sentences stay together."""
    parts: Sequence[Any] = [value]
    if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
        parts = value
    for part in parts:
        text = " ".join(_strings(part))
        if text:
            yield text


def _strings(value: Any) -> list[str]:
    """Return the strings in a value in order, numbers too; ids and roles left out."""
    found: list[str] = []
    stack: list[tuple[Any, int]] = [(value, 0)]
    while stack:
        part, depth = stack.pop()
        if isinstance(part, str):
            if part.strip():
                found.append(part)
        elif isinstance(part, int | float) and not isinstance(part, bool):
            found.append(str(part))
        elif depth < _MAX_DEPTH and isinstance(part, dict):
            kept = [inner for name, inner in part.items() if name not in _NO_TEXT_FIELDS]
            stack += [(inner, depth + 1) for inner in reversed(kept)]
        elif depth < _MAX_DEPTH and isinstance(part, list):
            stack += [(inner, depth + 1) for inner in reversed(part)]
    return found
