"""FRAMES (Krishna et al., arXiv 2409.12941): 824 questions over several Wikipedia articles each.

Facts of `eval/frames.py` (QwenLong-L1, Apache-2.0): the context is title and text of `wiki_items`,
article after article. The file of the original authors names the articles without their texts;
with it alone every answer is closed book.
"""

from itertools import count
from pathlib import Path

from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.benchmarks.judges import QWENLONG
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, rows_of, text_of
from longloom.evaluation.scoring.long_answer import score_answer

NUM_QUESTIONS = 824
_MANY_ARTICLES = 5
_CLOSED_BOOK = "test.tsv names the articles without their texts: every answer is closed book"


def read_frames(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of `test.jsonl` (with articles) or `test.tsv` (without).

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    paths = find_files(folder, BENCHMARK)
    numbers = count()
    return questions_of_rows(
        paths,
        question=lambda row, place: _question(row, place, next(numbers)),
        ask=_ask,
        num_official=NUM_QUESTIONS,
        notes=(_CLOSED_BOOK,) if paths[0].suffix.lower() == ".tsv" else (),
    )


def _question(row: Row, place: RowPlace, number: int) -> Question:
    """Return a question; the rows have no ids, so their numbers are the ids."""
    _ask(row, place)  # damage is said before the first question is asked
    num_articles = _num_articles(row, place)
    reasoning = row.get("reasoning_types")
    return Question(
        question_id=f"frames-{number}",
        golds=(text_of(row, "Answer", place),),
        facets={
            "reasoning": reasoning if isinstance(reasoning, str) and reasoning else "unstated",
            "articles": str(num_articles) if num_articles < _MANY_ARTICLES else "5 or more",
        },
    )


def _num_articles(row: Row, place: RowPlace) -> int:
    if place.path.suffix.lower() == ".tsv":
        return text_of(row, "wiki_links", place).count("://")
    return len(rows_of(row, "wiki_items", place))


def _ask(row: Row, place: RowPlace) -> Asked:
    articles = () if place.path.suffix.lower() == ".tsv" else rows_of(row, "wiki_items", place)
    context = "\n".join(
        f"{text_of(article, 'title', place)}\n{text_of(article, 'text', place)}"
        for article in articles
    )
    return asked_in_l1_frame(context, text_of(row, "Prompt", place))


BENCHMARK = Benchmark(
    name="frames",
    title="FRAMES",
    measure="max(cover exact match, judge)",
    source=Source(
        files=("test.jsonl|test.tsv",),
        address=(
            "https://huggingface.co/datasets/Tongyi-Zhiwen/frames (with the articles) or "
            "https://huggingface.co/datasets/google/frames-benchmark (without)"
        ),
        licence="Apache-2.0",
        num_questions=NUM_QUESTIONS,
        hub=HubFiles(repository="Tongyi-Zhiwen/frames", files=("test.jsonl",)),
    ),
    read=read_frames,
    score=lambda question, text: score_answer(text, question.golds),
    judge=QWENLONG,
    facets=("reasoning", "articles"),
    max_prompt_tokens=120_000,
    max_new_tokens=10_000,
)
"""As QwenLong-L1 asks it."""
