"""HotpotQA (Yang et al., arXiv 1809.09600): questions over two of ten Wikipedia paragraphs.

Three layouts are read: the official distractor file (`context` is a list of [title, sentences],
`supporting_facts` of [title, sentence]), the same on the hub (columns of titles and sentences), and
a sample that keeps the two gold paragraphs apart from the distractors. It is asked and scored as
QwenLong-L1 does with LongBench's questions of it; the paragraphs are numbered as there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.benchmarks.judges import QWENLONG
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame, depths, joined
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of
from longloom.evaluation.scoring.long_answer import score_answer

NUM_QUESTIONS = 7_405
_SHUFFLED = "the file keeps the gold paragraphs apart: the order of the paragraphs is ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paragraph:
    """One paragraph, and the numbers of its sentences that the answer rests on."""

    title: str
    sentences: tuple[str, ...]
    facts: tuple[int, ...]


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
        question_id=_id(row, place),
        golds=(text_of(row, "answer", place),),
        facets={name: str(row.get(name, "unstated")) for name in ("type", "level")},
        depths=depths(_ask(row, place)),
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    parts: list[str] = []
    facts: list[tuple[int, int, int]] = []
    for number, paragraph in enumerate(_paragraphs(row, place)):
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


def _id(row: Row, place: RowPlace) -> str:
    return text_of(row, "id" if "id" in row else "_id", place)


def _paragraphs(row: Row, place: RowPlace) -> list[_Paragraph]:
    try:
        if "para_a" in row:
            return _sample_paragraphs(row, place)
        context, facts = row["context"], row["supporting_facts"]
        if isinstance(context, dict):
            context = list(zip(context["title"], context["sentences"], strict=True))
            facts = list(zip(facts["title"], facts["sent_id"], strict=True))
        return [
            _paragraph(title, sentences, [fact for name, fact in facts if name == title])
            for title, sentences in context
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{describe(place)}: its paragraphs cannot be read ({type(error).__name__}: {error}); "
            "expected `context` as [title, sentences] and `supporting_facts` as [title, sentence]; "
            "give the official file"
        ) from None


def _sample_paragraphs(row: Row, place: RowPlace) -> list[_Paragraph]:
    gold = [
        _paragraph(row[f"title_{letter}"], row[f"para_{letter}"], facts)
        for letter, facts in zip("ab", row["supporting_facts"], strict=True)
    ]
    others = [_paragraph(entry[0], entry[1], ()) for entry in row["distractors"]]
    paragraphs = gold + others
    Random(_id(row, place)).shuffle(paragraphs)
    return paragraphs


def _paragraph(title: Any, sentences: Sequence[Any], facts: Iterable[Any]) -> _Paragraph:
    if not isinstance(title, str) or not all(isinstance(text, str) for text in sentences):
        raise ValueError("a title or a sentence is no text")
    return _Paragraph(
        title=title, sentences=tuple(sentences), facts=tuple(sorted({int(fact) for fact in facts}))
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
