"""GPQA-Diamond (Rein et al., arXiv 2311.12022): 198 questions of experts, asked four times each.

Facts of openai/simple-evals (MIT): options are permuted by one `random.Random(0)` over all
repetitions in a row, the right one being the first of the file; the answer is the first
"Answer: X". There is no long context.
"""

import random
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import (
    RowPlace,
    describe,
    read_places,
    read_row,
    sha256_digest,
    text_of,
)
from longloom.evaluation.scoring.choices import score_gpqa

NUM_ROWS = 198
NUM_REPEATS = 4
_LETTERS = "ABCD"
_ANSWERS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
_FORM = (
    "Answer the following multiple choice question. The last line of your response should be of "
    "the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think "
    "step by step before answering."
)


def read_gpqa(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of `gpqa_diamond.csv`, each in four orders of its options.

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    path = find_files(folder, BENCHMARK)[0]
    rows = list(read_places(path))
    shuffler = random.Random(0)
    places: dict[str, tuple[RowPlace, tuple[int, ...]]] = {}
    questions: list[Question] = []
    for repeat in range(1, NUM_REPEATS + 1):
        for number, (place, row) in enumerate(rows):
            order = tuple(shuffler.sample(range(len(_ANSWERS)), len(_ANSWERS)))
            options = [text_of(row, _ANSWERS[index], place) for index in order]
            record_id = row.get("Record ID") or f"row-{number}"
            question_id = f"{record_id}/{repeat}"
            if question_id in places:
                raise DataError(f"{describe(place)}: record {record_id!r} is there twice")
            places[question_id] = (place, order)
            questions.append(
                Question(
                    question_id=question_id,
                    golds=(_LETTERS[options.index(text_of(row, _ANSWERS[0], place))],),
                    facets={"domain": row.get("High-level domain") or "unstated"},
                )
            )

    def ask(question: Question) -> Asked:
        place, order = places[question.question_id]
        return _ask(place, order)

    return QuestionSet(questions=tuple(questions), ask=ask, source={path.name: sha256_digest(path)})


def _ask(place: RowPlace, order: tuple[int, ...]) -> Asked:
    row = read_row(place)
    options = [
        f"{letter}) {text_of(row, _ANSWERS[index], place)}"
        for letter, index in zip(_LETTERS, order, strict=True)
    ]
    question = text_of(row, "Question", place)
    stated = "\n\n".join([_FORM, question, "\n".join(options)]).strip()
    return Asked(context="", query=stated, after=stated)


BENCHMARK = Benchmark(
    name="gpqa-diamond",
    title="GPQA-Diamond",
    measure="accuracy, mean of 4 orders of the options",
    source=Source(
        files=("gpqa_diamond.csv",),
        address="https://huggingface.co/datasets/Idavidrein/gpqa (its terms must be accepted)",
        licence="CC-BY-4.0",
        num_questions=NUM_ROWS * NUM_REPEATS,
        hub=HubFiles(repository="Idavidrein/gpqa", files=("gpqa_diamond.csv",)),
    ),
    read=read_gpqa,
    score=lambda question, text: score_gpqa(text, question.golds),
    facets=("domain",),
)
