"""HotpotQA (Yang et al., arXiv 1809.09600): questions over two of ten Wikipedia paragraphs.

Asked and scored as QwenLong-L1 does with LongBench's questions of it; the paragraphs are numbered
as there. The layouts that are read are those of `hotpot_rows.py`.
"""

from pathlib import Path

from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.benchmarks.hotpot_rows import hotpot_id, hotpot_paragraphs
from longloom.evaluation.benchmarks.judges import QWENLONG
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame, depths, joined
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, text_of
from longloom.evaluation.scoring.long_answer import score_answer

NUM_QUESTIONS = 7_405
_SHUFFLED = "the file keeps the gold paragraphs apart: the order of the paragraphs is ours"


def read_hotpotqa(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions of a distractor file.

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    paths = find_files(folder, BENCHMARK)
    notes = (_SHUFFLED,) if any(path.name == "dev.jsonl" for path in paths) else ()
    return questions_of_rows(
        paths, question=_question, ask=_ask, num_official=NUM_QUESTIONS, notes=notes
    )


def _question(row: Row, place: RowPlace) -> Question:
    return Question(
        question_id=hotpot_id(row, place),
        golds=(text_of(row, "answer", place),),
        facets={name: str(row.get(name, "unstated")) for name in ("type", "level")},
        depths=depths(_ask(row, place)),
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    parts: list[str] = []
    facts: list[tuple[int, int, int]] = []
    for number, paragraph in enumerate(hotpot_paragraphs(row, place)):
        head = f"Passage {number + 1}:\n{paragraph.title}\n"
        text, spans = joined(paragraph.sentences, "")
        parts.append(head + text)
        facts += [
            (number, len(head) + spans[fact][0], len(head) + spans[fact][1])
            for fact in paragraph.facts
            # Some official facts name a sentence that is not there.
            if 0 <= fact < len(spans)
        ]
    context, starts = joined(parts, "\n\n")
    return asked_in_l1_frame(
        context,
        text_of(row, "question", place),
        evidence=[
            (starts[number][0] + start, starts[number][0] + end) for number, start, end in facts
        ],
    )


BENCHMARK = Benchmark(
    name="hotpotqa-distractor",
    title="HotpotQA (distractor)",
    measure="max(cover exact match, judge)",
    source=Source(
        files=(
            "hotpot_dev_distractor_v1.json|distractor/validation-*.parquet|validation-*.parquet"
            "|dev.jsonl",
        ),
        address="https://hotpotqa.github.io (hotpot_dev_distractor_v1.json)",
        licence="CC BY-SA 4.0",
        num_questions=NUM_QUESTIONS,
        hub=HubFiles(
            repository="hotpotqa/hotpot_qa",
            files=("distractor/validation-00000-of-00001.parquet",),
        ),
    ),
    read=read_hotpotqa,
    score=lambda question, text: score_answer(text, question.golds),
    judge=QWENLONG,
    facets=("type", "level"),
    max_prompt_tokens=120_000,
    max_new_tokens=10_000,
)
"""The whole development set; `hotpotqa` is LongBench's part of it, with longer contexts."""
