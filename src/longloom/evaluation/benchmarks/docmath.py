"""DocMath-Eval (Zhao et al., arXiv 2311.09805), test-mini: numbers computed from long reports.

Facts of `eval/docmath.py` (QwenLong-L1, Apache-2.0): the paragraphs are joined by line breaks.
QwenLong-L1.5 uses all 800 questions (`docmath`); QwenLong-L1 the 200 that are in
`docmath_all_test_200.jsonl` (`docmath-l1`), whose prompts hold context and question, as there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import digests, find_files, questions_of_rows
from longloom.evaluation.benchmarks.judges import DOCMATH
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame, depths, joined
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import (
    Row,
    RowPlace,
    describe,
    read_places,
    rows_of,
    text_of,
    texts_of,
)
from longloom.evaluation.scoring.docmath import score_docmath

SUBSETS = ("complong", "compshort", "simplong", "simpshort")
NUM_QUESTIONS = 800
NUM_L1_QUESTIONS = 200
L1_FILE = "docmath_all_test_200.jsonl"
_MAX_FORM_CHARACTERS = 2_000
"""A prompt ends with the question and the form of its answer, which is no longer than this."""
_EVIDENCE = ("table_evidence", "paragraph_evidence")
_REPOSITORY = "Tongyi-Zhiwen/docmath"
_HUB_FILES = tuple(f"{subset}_testmini.jsonl" for subset in SUBSETS)


def read_docmath(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read all questions of test-mini.

    Raises:
        DataError: a file is missing, damaged or of another format.
    """
    return questions_of_rows(
        find_files(folder, BENCHMARK), question=_question, ask=_ask, num_official=NUM_QUESTIONS
    )


def read_docmath_l1(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of test-mini that QwenLong-L1 evaluates.

    Raises:
        DataError: a file is missing, damaged or of another format.
    """
    *paths, chosen_path = find_files(folder, L1_BENCHMARK)
    chosen = _chosen(chosen_path)
    found = questions_of_rows(paths, question=_question_among(chosen), ask=_ask)
    notes = found.notes
    if len(found.questions) != len(chosen):
        notes = (
            *notes,
            f"{len(found.questions)} of the {len(chosen)} questions of {L1_FILE} are in test-mini",
        )
    return QuestionSet(
        questions=found.questions,
        ask=found.ask,
        source={**found.source, **digests([chosen_path])},
        notes=notes,
    )


def _question(row: Row, place: RowPlace) -> Question:
    return Question(
        question_id=text_of(row, "question_id", place),
        golds=(_gold(row, place),),
        facets={"task": place.path.name.partition("_")[0], "source": _origin(row)},
        depths=depths(_ask(row, place)),
    )


def _question_among(chosen: Sequence[str]) -> Callable[[Row, RowPlace], Question | None]:
    def question(row: Row, place: RowPlace) -> Question | None:
        asked = _ask(row, place)
        context, problem = _bare(asked.context), _bare(asked.problem)
        is_chosen = any(
            prompt.find(problem, max(0, len(prompt) - len(problem) - _MAX_FORM_CHARACTERS)) >= 0
            and context in prompt
            for prompt in chosen
        )
        return _question(row, place) if is_chosen else None

    return question


def _chosen(path: Path) -> tuple[str, ...]:
    """Return the prompts of QwenLong-L1's file, without white space."""
    prompts: list[str] = []
    for place, row in read_places(path):
        messages = rows_of(row, "prompt", place)
        if not messages:
            raise DataError(f"{describe(place)}: `prompt` has no message; give the official file")
        prompts.append(_bare(text_of(messages[0], "content", place)))
    return tuple(prompts)


def _bare(text: str) -> str:
    """Return a text without white space, in which the files differ."""
    return "".join(text.split())


def _gold(row: Row, place: RowPlace) -> str:
    value = row.get("ground_truth")
    if not isinstance(value, bool | int | float):
        raise DataError(
            f"{describe(place)}: `ground_truth` is {value!r}; expected a number (those of the "
            "test split are hidden: give the files of test-mini)"
        )
    return str(value)


def _origin(row: Row) -> str:
    """Return the data set that a question was annotated anew from; complong has none."""
    value = row.get("source")
    return value if isinstance(value, str) and value else "own"


def _ask(row: Row, place: RowPlace) -> Asked:
    context, spans = joined(texts_of(row, "paragraphs", place), "\n")
    numbers = sorted(
        {
            number
            for name in _EVIDENCE
            for number in row.get(name) or ()
            if isinstance(number, int) and 0 <= number < len(spans)
        }
    )
    return asked_in_l1_frame(
        context,
        text_of(row, "question", place),
        evidence=[spans[number] for number in numbers],
    )


def _source(files: tuple[str, ...], hub_files: tuple[str, ...], num_questions: int) -> Source:
    return Source(
        files=files,
        address=(
            f"https://huggingface.co/datasets/{_REPOSITORY} (from "
            "https://huggingface.co/datasets/yale-nlp/DocMath-Eval)"
        ),
        licence="unstated",
        num_questions=num_questions,
        folder="docmath",
        hub=HubFiles(repository=_REPOSITORY, files=hub_files),
    )


_FILES = tuple(
    f"{subset}_testmini.jsonl|{subset}_testmini.json|{subset}_testmini*.parquet"
    for subset in SUBSETS
)

BENCHMARK = Benchmark(
    name="docmath",
    title="DocMath",
    measure="max(numbers agree, judge)",
    source=_source(_FILES, _HUB_FILES, NUM_QUESTIONS),
    read=read_docmath,
    score=lambda question, text: score_docmath(text, question.golds),
    judge=DOCMATH,
    facets=("task",),
    max_prompt_tokens=120_000,
    max_new_tokens=10_000,
)
"""All of test-mini, as in QwenLong-L1.5."""

L1_BENCHMARK = Benchmark(
    name="docmath-l1",
    title="DocMath (QwenLong-L1)",
    measure="max(numbers agree, judge)",
    source=_source((*_FILES, L1_FILE), (*_HUB_FILES, L1_FILE), NUM_L1_QUESTIONS),
    read=read_docmath_l1,
    score=lambda question, text: score_docmath(text, question.golds),
    judge=DOCMATH,
    facets=("task",),
    max_prompt_tokens=120_000,
    max_new_tokens=10_000,
)
"""The 200 of QwenLong-L1."""
