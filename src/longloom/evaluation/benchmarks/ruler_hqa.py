"""RULER-HQA (MemAgent, arXiv 2507.02259): HotpotQA questions among 50 to 25,600 paragraphs.

Facts of BytedTsinghua-SIA/MemAgent, `taskutils/memory_eval` (Apache-2.0): "Document {i}:" and the
paragraph, blank lines between, in the order of `random.Random(4)`; the figure is L1's two-way cover
exact match. All published figures are multiples of 1/128, so 128 questions are asked.

Where MemAgent's own `eval_{n}.json` lies in the folder its contexts are taken. Else they are made
here from a HotpotQA development file: then the choice of questions and of other paragraphs is ours.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, find_optional, questions_of_rows
from longloom.evaluation.benchmarks.hotpot import HotpotQuestion, numbered, read_hotpot
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, sha256_digest, text_of, texts_of
from longloom.evaluation.scoring.long_answer import score_answer

NUM_QUESTIONS = 128
SIZES = (50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600)
"""Paragraphs of a context; 7K to 3.5M tokens."""
_ORDER_SEED = 4
_DEVELOPMENT = "*dev*.json*"
_BEFORE = "Please read the following text and answer the question below.\n\n<text>\n"
_FORM = 'Format your response as follows: "Therefore, the answer is (insert answer here)".'


def _reader(size: int) -> Callable[[Path, ReadSettings], QuestionSet]:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Read or make the questions; raises DataError."""
        benchmark = BENCHMARKS[f"ruler-hqa-{size}"]
        official = find_optional(folder, benchmark, f"eval_{size}.json")
        if official is not None:
            return questions_of_rows((official,), question=_official, ask=_ask_official)
        return _made(find_files(folder, benchmark)[0], size, settings)

    return read


def _official(row: Row, place: RowPlace) -> Question | None:
    golds = texts_of(row, "answers", place)
    if not isinstance(row.get("context"), str) or not golds:
        raise DataError(
            f"{describe(place)}: expected a context as text and its answers; files with paragraphs "
            "by number (12,800 and more) are not read: give a HotpotQA development file instead"
        )
    return Question(question_id=str(row.get("index", place.start)), golds=golds)


def _ask_official(row: Row, place: RowPlace) -> Asked:
    return _asked(text_of(row, "context", place).strip(), text_of(row, "input", place), ())


def _made(path: Path, size: int, settings: ReadSettings) -> QuestionSet:
    hotpot = read_hotpot(path)
    if len(hotpot.paragraphs) < size:
        raise DataError(
            f"{path} has {len(hotpot.paragraphs):,} paragraphs; ruler-hqa-{size} needs {size:,}; "
            "give the official development file (66,635) or take a smaller size"
        )
    chosen = [one for one in hotpot.questions if len(one.paragraphs) <= size]
    by_id = {one.question_id: one for one in chosen[: settings.max_questions or NUM_QUESTIONS]}

    def order(one: HotpotQuestion) -> list[int]:
        """Return the paragraphs of a context by number, as they stand in it."""
        own = set(one.paragraphs)
        others = random.Random(f"{settings.seed}/{size}/{one.question_id}").sample(
            range(len(hotpot.paragraphs)), size
        )
        kept = [number for number in others if number not in own]
        numbers = [*one.paragraphs, *kept[: size - len(one.paragraphs)]]
        random.Random(_ORDER_SEED).shuffle(numbers)
        return numbers

    def ask(question: Question) -> Asked:
        one = by_id[question.question_id]
        numbers = order(one)
        context, spans = numbered([hotpot.paragraphs[number] for number in numbers])
        golds = [spans[numbers.index(number)] for number in one.gold_paragraphs]
        return _asked(context, one.question, golds)

    return QuestionSet(
        questions=tuple(_question(one, order(one)) for one in by_id.values()),
        ask=ask,
        source={path.name: sha256_digest(path)},
        notes=(
            f"made from {path.name} with seed {settings.seed}: not the contexts of MemAgent's "
            f"eval_{size}.json, which is taken where it lies in the folder",
        ),
    )


def _question(one: HotpotQuestion, numbers: Sequence[int]) -> Question:
    return Question(
        question_id=one.question_id,
        golds=(one.answer,),
        depths=tuple(
            (numbers.index(number) + 0.5) / len(numbers) for number in one.gold_paragraphs
        ),
    )


def _asked(context: str, question: str, evidence: Sequence[tuple[int, int]]) -> Asked:
    stated = f"{question}\n\n{_FORM}"
    return Asked(
        before=_BEFORE,
        context=context,
        after=f"\n</text>\n\n{stated}",
        query=stated,
        evidence=tuple(sorted(evidence)),
    )


def _benchmark(size: int) -> Benchmark:
    return Benchmark(
        name=f"ruler-hqa-{size}",
        title=f"RULER-HQA, {size:,} paragraphs",
        measure="two-way cover exact match",
        source=Source(
            files=(_DEVELOPMENT,),
            address="https://hotpotqa.github.io (hotpot_dev_distractor_v1.json), or "
            f"https://huggingface.co/datasets/BytedTsinghua-SIA/hotpotqa (eval_{size}.json)",
            licence="CC-BY-SA-4.0",
            num_questions=NUM_QUESTIONS,
            optional_files=(f"eval_{size}.json",),
        ),
        read=_reader(size),
        score=lambda question, text: score_answer(text, question.golds),
    )


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark for benchmark in map(_benchmark, SIZES)
}
"""Every size by name."""
