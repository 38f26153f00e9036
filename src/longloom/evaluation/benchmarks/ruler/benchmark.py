"""RULER at lengths from 4K to 4M tokens: `ruler-4k`, ..., `ruler-128k`, `ruler-1m`, `ruler-4m`.

Facts of NVIDIA/RULER (Apache-2.0): 13 tasks, 500 samples each, longest answers of 30 to 128
tokens, shares of expected words found. The headline is the mean over the tasks. The beginning of
the answer stands at the end of the user message, where a chat cannot begin the answer itself.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, ReadSettings
from longloom.evaluation.benchmarks.files import questions_of_rows
from longloom.evaluation.benchmarks.ruler.generate import (
    ANSWER_TOKENS,
    HAYSTACK_FILE,
    QA_FILES,
    Plan,
    generate,
    make_plan,
)
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of, texts_of
from longloom.evaluation.scoring.ruler import score_ruler_all, score_ruler_part
from longloom.evaluation.scoring.score import Score

OFFICIAL_SAMPLES = 500
"""Questions of each task in RULER's protocol."""
LENGTHS: Mapping[str, tuple[int, int]] = {
    "4k": (4_096, 50),
    "8k": (8_192, 50),
    "16k": (16_384, 50),
    "32k": (32_768, 50),
    "64k": (65_536, 20),
    "128k": (131_072, 20),
    "1m": (1_048_576, 5),
    "4m": (4_194_304, 2),
}
"""Tokens, and questions of each task where no number is given: about 1 GB of rows in all."""
_NUM_DEPTHS = 10


def _reader(label: str) -> Callable[[Path, ReadSettings], QuestionSet]:
    max_tokens, num_samples = LENGTHS[label]

    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Generate the questions, or take up those that are there; raises DataError."""
        plan = make_plan(folder, settings, max_tokens, num_samples)
        paths, left_out = generate(folder, plan, settings.count_tokens)
        if not paths:
            raise DataError(
                f"no task of RULER fits {max_tokens} tokens by this tokenizer; take a longer one"
            )
        task_by_path = {path: task for task, path in paths.items()}
        return questions_of_rows(
            tuple(paths.values()),
            question=lambda row, place: _question(row, place, task_by_path[place.path]),
            ask=_ask,
            notes=_notes(plan, left_out),
        )

    return read


def _question(row: Row, place: RowPlace, task: str) -> Question:
    start, end = _span(row, place)
    middles = [(first + last) / 2 for first, last in _evidence(row, place)]
    depths = tuple(middle / (end - start) for middle in middles)
    facets = {"task": task}
    if len(depths) == 1:
        low = min(int(depths[0] * _NUM_DEPTHS), _NUM_DEPTHS - 1) * 100 // _NUM_DEPTHS
        facets["depth"] = f"{low:02d}-{low + 100 // _NUM_DEPTHS}%"
    return Question(
        question_id=f"{task}/{row.get('index')}",
        golds=texts_of(row, "outputs", place),
        facets=facets,
        scoring={"task": task},
        depths=depths,
        max_new_tokens=ANSWER_TOKENS[task],
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    text, (start, end) = text_of(row, "input", place), _span(row, place)
    return Asked(
        before=text[:start],
        context=text[start:end],
        after=text[end:] + text_of(row, "answer_prefix", place),
        query=text_of(row, "question", place).strip().removeprefix("Question: "),
        evidence=tuple((first, last) for first, last in _evidence(row, place)),
    )


def _span(row: Row, place: RowPlace) -> tuple[int, int]:
    match row.get("context_span"):
        case [int(start), int(end)] if 0 <= start < end:
            return start, end
    raise DataError(
        f"{describe(place)}: field 'context_span' does not say where the context is; remove the "
        "folder, so that it is generated anew"
    )


def _evidence(row: Row, place: RowPlace) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for stated in row.get("evidence", ()):
        match stated:
            case [int(start), int(end)]:
                spans.append((start, end))
    return spans


def _notes(plan: Plan, left_out: list[str]) -> tuple[str, ...]:
    notes = [
        f"{plan.num_samples} questions of each task; RULER's protocol has {OFFICIAL_SAMPLES}",
        "noise, words and opening sentences are ours; the beginning of the answer ends the user "
        "message",
    ]
    if HAYSTACK_FILE not in plan.sources:
        notes.append(f"no {HAYSTACK_FILE}: generated sentences stand in the place of the essays")
    notes += [
        f"{task} is left out: there is no {name} in the folder"
        for task, name in QA_FILES.items()
        if name not in plan.sources
    ]
    notes += [f"{task} is left out: it does not fit the length" for task in left_out]
    return tuple(notes)


def _score(question: Question, text: str) -> Score:
    is_about_documents = question.scoring["task"] in QA_FILES
    score = score_ruler_part if is_about_documents else score_ruler_all
    return score(text, question.golds)


def _benchmark(label: str) -> Benchmark:
    return Benchmark(
        name=f"ruler-{label}",
        title=f"RULER {label.upper()}",
        measure="mean over the tasks of the share of expected words",
        source=None,
        read=_reader(label),
        score=_score,
        facets=("task", "depth"),
        mean_over="task",
        max_prompt_tokens=LENGTHS[label][0],
        max_new_tokens=max(ANSWER_TOKENS.values()),
    )


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark for benchmark in map(_benchmark, LENGTHS)
}
"""Every length by name."""
