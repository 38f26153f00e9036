"""TAT-QA (Zhu et al., ACL 2021): numbers and spans from a table of an annual report and its text.

Layout of the official `tatqa_dataset_dev.json` (NExTplusplus/TAT-QA, CC BY 4.0): an array of one
table, its paragraphs and several questions. It is asked in the frame of QwenLong-L1 and scored as
DocMath is, whose short questions were made of it; the official measure (F1 with the scale) is
another one. The table is written as Markdown ahead of the paragraphs, and a question about
thousands, millions, billions or a percentage says so: the scale is asked for, not guessed.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_in_rows
from longloom.evaluation.benchmarks.judges import QWENLONG
from longloom.evaluation.benchmarks.l1_template import (
    Spans,
    asked_in_l1_frame,
    depths,
    joined,
)
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, rows_of, text_of, whole_number_of
from longloom.evaluation.scoring.tatqa import score_tatqa

NUM_QUESTIONS = 1_668
ANSWER_TYPES = ("arithmetic", "count", "multi-span", "span")
_SCALES = {
    "": "",
    "thousand": "Give amounts in thousands.",
    "million": "Give amounts in millions.",
    "billion": "Give amounts in billions.",
    "percent": "Give a percentage.",
}
_NOTE = (
    "asked and scored as DocMath: the scale is named in the question, and not part of the answer"
)


def read_tatqa(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of the development set.

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    return questions_in_rows(
        find_files(folder, BENCHMARK),
        questions=_questions,
        ask=_ask,
        num_official=NUM_QUESTIONS,
        notes=(_NOTE,),
    )


def _questions(row: Row, place: RowPlace) -> Iterable[Question]:
    context, table, paragraphs = _context(row, place)
    for asked in rows_of(row, "questions", place):
        kind = text_of(asked, "answer_type", place)
        scale = text_of(asked, "scale", place)
        if kind not in ANSWER_TYPES or scale not in _SCALES:
            raise DataError(
                f"{describe(place)}: a question has the answer type {kind!r} and the scale "
                f"{scale!r}; expected one of {', '.join(ANSWER_TYPES)} and one of "
                f"{', '.join(repr(name) for name in _SCALES)}; give the official file"
            )
        answers = _answers(asked, place)
        framed = _framed(context, asked, place, (table, paragraphs))
        yield Question(
            question_id=text_of(asked, "uid", place),
            golds=("; ".join(answers),),
            facets={
                "task": kind,
                "scale": scale or "none",
                "answer_from": text_of(asked, "answer_from", place),
            },
            scoring={"answer_type": kind, "answers": list(answers)},
            depths=depths(framed),
        )


def _ask(row: Row, place: RowPlace, question: Question) -> Asked:
    context, table, paragraphs = _context(row, place)
    for asked in rows_of(row, "questions", place):
        if asked.get("uid") == question.question_id:
            return _framed(context, asked, place, (table, paragraphs))
    raise DataError(f"{place.path} was changed: question {question.question_id} is gone")


def _framed(
    context: str,
    asked: Row,
    place: RowPlace,
    spans: tuple[tuple[int, int], dict[int, tuple[int, int]]],
) -> Asked:
    scale = _SCALES[text_of(asked, "scale", place)]
    question = text_of(asked, "question", place).strip()
    return asked_in_l1_frame(
        context,
        f"{question} {scale}".strip(),
        evidence=_evidence(asked, place, *spans),
    )


def _evidence(
    asked: Row, place: RowPlace, table: tuple[int, int], paragraphs: dict[int, tuple[int, int]]
) -> Spans:
    """Return the spans of the table and of the paragraphs that a question rests on."""
    numbers = [str(order) for order in asked.get("rel_paragraphs") or ()]
    related = tuple(paragraphs[order] for order in sorted(paragraphs) if str(order) in numbers)
    return ((table,) if "table" in text_of(asked, "answer_from", place) else ()) + related


def _answers(asked: Row, place: RowPlace) -> tuple[str, ...]:
    """Return the spans of an answer, or its number. One official answer has an empty span."""
    answer = asked.get("answer")
    if isinstance(answer, list) and all(isinstance(span, str) for span in answer) and any(answer):
        return tuple(span for span in answer if span.strip())
    if isinstance(answer, str | int | float) and not isinstance(answer, bool):
        return (str(answer),)
    raise DataError(
        f"{describe(place)}: question {asked.get('uid')!r} has the answer {answer!r}; expected a "
        "number or a list of texts; give the official file"
    )


def _context(row: Row, place: RowPlace) -> tuple[str, tuple[int, int], dict[int, tuple[int, int]]]:
    """Return table and paragraphs as a text, with the span of the table and of each paragraph."""
    ordered = sorted(
        rows_of(row, "paragraphs", place),
        key=lambda paragraph: whole_number_of(paragraph, "order", place),
    )
    parts = [_table(row, place), *(text_of(paragraph, "text", place) for paragraph in ordered)]
    text, spans = joined(parts, "\n\n")
    orders = [whole_number_of(paragraph, "order", place) for paragraph in ordered]
    return text, spans[0], dict(zip(orders, spans[1:], strict=True))


def _table(row: Row, place: RowPlace) -> str:
    held = row.get("table")
    lines = held.get("table") if isinstance(held, dict) else None
    if (
        not isinstance(lines, list)
        or not lines
        or not all(isinstance(line, list) for line in lines)
    ):
        raise DataError(f"{describe(place)}: `table` holds no list of rows; give the official file")
    width = max(len(line) for line in lines)
    rows = [_cells(line, width) for line in lines]
    return "\n".join([rows[0], "|" + " --- |" * width, *rows[1:]])


def _cells(line: Sequence[Any], width: int) -> str:
    cells = [" ".join(str(cell).split()).replace("|", "\\|") for cell in line]
    return "| " + " | ".join(cells + [""] * (width - len(cells))) + " |"


BENCHMARK = Benchmark(
    name="tatqa",
    title="TAT-QA",
    measure="max(numbers agree or cover exact match, judge)",
    source=Source(
        files=("tatqa_dataset_dev.json|dataset_raw/tatqa_dataset_dev.json|dev.json",),
        address="https://github.com/NExTplusplus/TAT-QA (dataset_raw/tatqa_dataset_dev.json)",
        licence="CC BY 4.0",
        num_questions=NUM_QUESTIONS,
        hub=HubFiles(repository="next-tat/TAT-QA", files=("tatqa_dataset_dev.json",)),
    ),
    read=read_tatqa,
    score=lambda question, text: score_tatqa(
        text, question.scoring["answers"], answer_type=question.scoring["answer_type"]
    ),
    judge=QWENLONG,
    facets=("task", "scale", "answer_from"),
    max_prompt_tokens=120_000,
    max_new_tokens=10_000,
)
"""The development set."""
