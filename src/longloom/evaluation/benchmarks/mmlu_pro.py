"""MMLU-Pro (Wang et al., arXiv 2406.01574): 12,032 questions of 14 subjects, up to ten options.

Facts of TIGER-AI-Lab/MMLU-Pro, `evaluate_from_api.py` (Apache-2.0): ahead of each question stand
the five solved ones of its subject from the validation file; options "N/A" are left out. There is
no long context.
"""

from collections import defaultdict
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, read_places, text_of, texts_of
from longloom.evaluation.scoring.choices import score_mmlu_pro

NUM_QUESTIONS = 12_032
NUM_SHOTS = 5
LETTERS = "ABCDEFGHIJ"
_TEST, _VALIDATION = "**/test*.parquet", "**/validation*.parquet"
_NO_OPTION = "N/A"
_THINK = "Let's think step by step."


def read_mmlu_pro(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions, and the solved ones that stand ahead of them.

    Raises:
        DataError: a file is missing, damaged or of another format, or a subject has no solved
            questions.
    """
    paths = find_files(folder, BENCHMARK)
    shots = _read_shots([path for path in paths if path.name.startswith("validation")])

    def question(row: Row, place: RowPlace) -> Question:
        subject, letter = text_of(row, "category", place), text_of(row, "answer", place)
        if subject not in shots:
            raise DataError(
                f"{describe(place)}: subject {subject!r} has no solved questions in the "
                "validation file; take both files from one revision"
            )
        num_options = len(_options(row, place))
        if not letter or letter not in LETTERS[:num_options]:
            raise DataError(
                f"{describe(place)}: answer {letter!r} is none of the options; give the official "
                "file"
            )
        return Question(
            question_id=str(row.get("question_id")),
            golds=(letter,),
            facets={"subject": subject},
            scoring={"num_options": num_options},
        )

    def ask(row: Row, place: RowPlace) -> Asked:
        header = (
            "The following are multiple choice questions (with answers) about "
            f"{text_of(row, 'category', place)}. Think step by step and then output the answer in "
            'the format of "The answer is (X)" at the end.\n\n'
        )
        stated = header + shots[text_of(row, "category", place)] + _stated(row, place, _THINK)
        return Asked(context="", query=stated, after=stated)

    tests = [path for path in paths if not path.name.startswith("validation")]
    return questions_of_rows(tests, question=question, ask=ask)


def _read_shots(paths: list[Path]) -> dict[str, str]:
    """Return the solved questions of every subject as one text."""
    stated: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for place, row in read_places(path):
            solution = text_of(row, "cot_content", place).removeprefix("A: ")
            stated[text_of(row, "category", place)].append(_stated(row, place, solution or _THINK))
    return {subject: "".join(texts[:NUM_SHOTS]) for subject, texts in stated.items()}


def _stated(row: Row, place: RowPlace, solution: str) -> str:
    options = "".join(
        f"{letter}. {option}\n"
        for letter, option in zip(LETTERS, _options(row, place), strict=False)
    )
    question = text_of(row, "question", place)
    return f"Question: {question}\nOptions: {options}Answer: {solution}\n\n"


def _options(row: Row, place: RowPlace) -> list[str]:
    return [option for option in texts_of(row, "options", place) if option != _NO_OPTION]


BENCHMARK = Benchmark(
    name="mmlu-pro",
    title="MMLU-Pro",
    measure="accuracy",
    source=Source(
        files=(_TEST, _VALIDATION),
        address="https://huggingface.co/datasets/TIGER-Lab/MMLU-Pro",
        licence="MIT",
        num_questions=NUM_QUESTIONS,
        hub=HubFiles(
            repository="TIGER-Lab/MMLU-Pro",
            files=(
                "data/test-00000-of-00001.parquet",
                "data/validation-00000-of-00001.parquet",
            ),
        ),
    ),
    read=read_mmlu_pro,
    score=lambda question, text: score_mmlu_pro(
        text, question.golds, num_options=question.scoring["num_options"]
    ),
    facets=("subject",),
    temperature=0.0,
    max_new_tokens=4_000,
)
