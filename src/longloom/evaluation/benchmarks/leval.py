"""L-Eval (An et al., arXiv 2307.11088): exams and open questions on long documents.

Two layouts are read: the official one ({instructions, input, outputs, source}, one file a task,
OpenLMLab/LEval, GPL-3.0), and one file of all tasks ({task, id, context, questions, answers}).
Seven tasks have short references and are here; summaries and code are not. Multiple choice is
scored by letters, `sci_fi` by true or false (of the document, not of the world), the others by F1
as there, with cover exact match beside it. The prompts are those of QwenLong-L1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_in_rows
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of, texts_of
from longloom.evaluation.scoring.leval import (
    LEvalRule,
    score_leval_letters,
    score_leval_text,
    score_leval_truth,
)
from longloom.evaluation.scoring.score import Score

TASKS: dict[str, LEvalRule] = {
    "coursera": "letters",
    "financial_qa": "text",
    "multidoc_qa": "text",
    "quality": "letter",
    "sci_fi": "truth",
    "scientific_qa": "text",
    "tpo": "letter",
}
"""How the answers of each task are scored; `letters` where several options may be right."""
_FRAMES = {"letter": "l1_multiple_choice", "letters": "l1_multiple_choice"}
_SEVERAL = "There may be several correct options: then give all of their letters, such as ABD."
_NOTE = "prompts of QwenLong-L1; the tasks of L-Eval with short references"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """One row of either layout."""

    task: str
    name: str
    context: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


def read_leval(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of the seven tasks.

    Raises:
        DataError: a file is missing, damaged or of another format.
    """
    return questions_in_rows(
        find_files(folder, BENCHMARK), questions=_questions, ask=_ask, notes=(_NOTE,)
    )


def _questions(row: Row, place: RowPlace) -> Iterable[Question]:
    document = _document(row, place)
    for number, answer in enumerate(document.answers):
        yield Question(
            question_id=f"{document.name}-{number}",
            golds=(_gold(document.task, answer),),
            facets={"task": document.task},
            scoring={"rule": TASKS[document.task], "number": number},
        )


def _ask(row: Row, place: RowPlace, question: Question) -> Asked:
    document = _document(row, place)
    rule = TASKS[document.task]
    text = document.questions[question.scoring["number"]].strip()
    if rule == "letters":
        text = f"{text}\n\n{_SEVERAL}"
    return asked_in_l1_frame(document.context, text, template=_FRAMES.get(rule, "l1"))


def _document(row: Row, place: RowPlace) -> _Document:
    if "instructions" in row:
        task = place.path.stem
        # The rows have no ids: where one begins in its file is what tells it from the others.
        name = f"{task}-{place.start}"
        fields = ("input", "instructions", "outputs")
    else:
        task = text_of(row, "task", place)
        name = text_of(row, "id", place)
        fields = ("context", "questions", "answers")
    if task not in TASKS:
        raise DataError(
            f"{describe(place)}: task {task!r} is not read; expected one of {', '.join(TASKS)}; "
            "take its rows out of the file"
        )
    context, questions, answers = fields
    document = _Document(
        task=task,
        name=name,
        context=text_of(row, context, place),
        questions=texts_of(row, questions, place),
        answers=texts_of(row, answers, place),
    )
    _check_counts(document.questions, document.answers, place)
    return document


def _check_counts(questions: Sequence[str], answers: Sequence[str], place: RowPlace) -> None:
    if len(questions) != len(answers):
        raise DataError(
            f"{describe(place)}: {len(questions)} questions have {len(answers)} answers; expected "
            "one for each; download the file again"
        )


def _gold(task: str, answer: str) -> str:
    """Return the answer of the document alone: `True [fact: False]` also says what is true."""
    return answer.partition("[fact:")[0].strip() if TASKS[task] == "truth" else answer


def score_leval(question: Question, text: str) -> Score:
    """Score an answer by the rule of its task."""
    rule: LEvalRule = question.scoring["rule"]
    match rule:
        case "letter" | "letters":
            return score_leval_letters(text, question.golds, are_several=rule == "letters")
        case "truth":
            return score_leval_truth(text, question.golds)
        case "text":
            return score_leval_text(text, question.golds)


BENCHMARK = Benchmark(
    name="leval",
    title="L-Eval",
    measure="letters, or F1",
    source=Source(
        files=tuple(f"dev.jsonl|{task}.jsonl|**/{task}.jsonl" for task in TASKS),
        address="https://huggingface.co/datasets/L4NLP/LEval",
        licence="GPL-3.0",
        hub=HubFiles(
            repository="L4NLP/LEval",
            files=tuple(
                f"LEval/{'Generation' if rule == 'text' else 'Exam'}/{task}.jsonl"
                for task, rule in TASKS.items()
            ),
        ),
    ),
    read=read_leval,
    score=score_leval,
    facets=("task",),
    mean_over="task",
)
"""The tasks with short references."""
