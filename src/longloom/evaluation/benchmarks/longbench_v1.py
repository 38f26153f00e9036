"""LongBench v1 (Bai et al., arXiv 2308.14508): 21 datasets of six kinds, and LongBench-E.

Facts of the official `pred.py`, `eval.py` and `config/` (THUDM/LongBench, MIT). Benchmarks:
all 21 datasets with their own measures (`longbench-v1`), the 13 of even lengths (`longbench-e`),
and the five that QwenLong-L1.5 reports (`longbench-v1-qa`), together and one by one, which are
asked and scored as QwenLong-L1 does. Departures: every question is a chat message, and only the
context is cut.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.files import (
    find_files,
    find_optional,
    official_number,
    questions_of_rows,
)
from longloom.evaluation.benchmarks.judges import QWENLONG
from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame
from longloom.evaluation.benchmarks.longbench_v1_sets import DATASETS
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of, texts_of
from longloom.evaluation.scoring.long_answer import score_answer
from longloom.evaluation.scoring.longbench_v1 import score_longbench
from longloom.evaluation.scoring.score import Score
from longloom.text.prompts import load_templates

QA_DATASETS = ("2wikimqa", "hotpotqa", "musique", "narrativeqa", "qasper")
"""LBV1-QA of the paper, 200 questions each."""
_PROMPTS = "dataset2prompt.json"
_PROMPT_FILES = f"{_PROMPTS}|config/{_PROMPTS}"
_EVEN = "_e"
_BINS = ((4_000, "0-4K"), (8_000, "4-8K"))
_OWN_WORDING = (
    f"the prompts are worded by Longloom: the official {_PROMPTS} is not beside the files"
)
_CHAT = (
    "asked as chat messages; the original sends "
    + ", ".join(sorted(name for name, dataset in DATASETS.items() if not dataset.is_chat))
    + " without a chat template"
)


def read_longbench_v1(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the 21 datasets.

    Raises:
        DataError: a file is missing, damaged or of another format.
    """
    return _read_all(folder, BENCHMARK)


def read_longbench_e(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the 13 datasets of even lengths.

    Raises:
        DataError: a file is missing, damaged or of another format.
    """
    return _read_all(folder, EVEN_BENCHMARK)


def _qa_reader(benchmark_name: str) -> Callable[[Path, ReadSettings], QuestionSet]:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Read datasets of the paper.

        Raises:
            DataError: a file is missing, damaged or of another format.
        """
        benchmark = next(one for one in QA_BENCHMARKS if one.name == benchmark_name)
        return questions_of_rows(
            find_files(folder, benchmark),
            question=_question,
            ask=_ask_in_l1_frame,
            num_official=official_number(benchmark),
        )

    return read


def _read_all(folder: Path, benchmark: Benchmark) -> QuestionSet:
    paths = find_files(folder, benchmark)
    official = _official_prompts(folder, benchmark)
    return questions_of_rows(
        paths,
        question=_question,
        ask=_asking(official),
        num_official=official_number(benchmark),
        notes=(_CHAT,) if official else (_CHAT, _OWN_WORDING),
    )


def _question(row: Row, place: RowPlace) -> Question:
    name = _dataset(place)
    golds = texts_of(row, "answers", place)
    if not golds:
        raise DataError(f"{describe(place)}: `answers` is empty; give the official file")
    for needed in ("context", "input"):
        text_of(row, needed, place)
    classes = row.get("all_classes")
    return Question(
        question_id=f"{name}/{text_of(row, '_id', place)}",
        golds=golds,
        facets={
            "task": name,
            "language": text_of(row, "language", place),
            "length": _length(row, place),
        },
        scoring={"dataset": name, "classes": list(classes) if isinstance(classes, list) else []},
        max_new_tokens=DATASETS[name].max_new_tokens,
    )


def _length(row: Row, place: RowPlace) -> str:
    """Return the bin of LongBench-E that a row's `length` (in words or characters) is in."""
    length = row.get("length")
    if not isinstance(length, int):
        raise DataError(
            f"{describe(place)}: `length` is {length!r}; expected a whole number; give the "
            "official file"
        )
    return next((name for most, name in _BINS if length < most), "8K+")


def _dataset(place: RowPlace) -> str:
    return place.path.stem.removesuffix(_EVEN)


def _ask_in_l1_frame(row: Row, place: RowPlace) -> Asked:
    return asked_in_l1_frame(text_of(row, "context", place), text_of(row, "input", place))


def _asking(official: Mapping[str, str]) -> Callable[[Row, RowPlace], Asked]:
    def ask(row: Row, place: RowPlace) -> Asked:
        name = _dataset(place)
        dataset = DATASETS[name]
        template = official.get(name) or load_templates()[f"longbench_v1_{dataset.template}"]
        question = text_of(row, "input", place)
        before, _, after = template.partition("{context}")
        after = after.replace("{input}", question)
        parts = (before, after) if dataset.asks_ahead else (after,)
        return Asked(
            before=before,
            context=text_of(row, "context", place),
            after=after,
            query="\n\n".join(part.strip() for part in parts if part.strip()),
            problem=question,
        )

    return ask


def _official_prompts(folder: Path, benchmark: Benchmark) -> Mapping[str, str]:
    """Return the official prompts by dataset; empty if their file is not there."""
    path = find_optional(folder, benchmark, _PROMPT_FILES)
    if path is None:
        return {}
    try:
        prompts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no JSON: {error}; give the official file") from None
    missing = [
        name
        for name in DATASETS
        if not isinstance(prompts, dict)
        or not isinstance(prompts.get(name), str)
        or "{context}" not in prompts[name]
    ]
    if missing:
        raise DataError(
            f"{path} has no prompt with {{context}} for {', '.join(missing)}; give the official "
            "file, or take it away to use Longloom's wording"
        )
    return dict(prompts)


def _score(question: Question, text: str) -> Score:
    return score_longbench(
        question.scoring["dataset"], text, question.golds, question.scoring["classes"]
    )


def _source(names: tuple[str, ...], num_questions: int, *, has_prompts: bool = True) -> Source:
    return Source(
        files=tuple(f"{name}.jsonl|data/{name}.jsonl" for name in names),
        address="https://huggingface.co/datasets/THUDM/LongBench (data.zip)",
        licence="MIT",
        num_questions=num_questions,
        hub=HubFiles(repository="THUDM/LongBench", files=("data.zip",)),
        optional_files=(_PROMPT_FILES,) if has_prompts else (),
        folder="longbench-v1",
        archives=("data.zip",),
    )


BENCHMARK = Benchmark(
    name="longbench-v1",
    title="LongBench v1",
    measure="mean of the datasets' own measures",
    source=_source(tuple(DATASETS), sum(dataset.num_questions for dataset in DATASETS.values())),
    read=read_longbench_v1,
    score=_score,
    facets=("task", "language", "length"),
    mean_over="task",
    temperature=0.0,
    uses=("jieba",),
)
"""All datasets, by their own prompts and measures."""

EVEN_BENCHMARK = Benchmark(
    name="longbench-e",
    title="LongBench-E",
    measure="mean of the datasets' own measures",
    source=_source(
        tuple(f"{name}{_EVEN}" for name, dataset in DATASETS.items() if dataset.num_even),
        sum(dataset.num_even for dataset in DATASETS.values()),
    ),
    read=read_longbench_e,
    score=_score,
    facets=("task", "length"),
    mean_over="task",
    temperature=0.0,
)
"""The datasets with about as many questions of each length."""


def _qa_benchmark(name: str, title: str, datasets: tuple[str, ...]) -> Benchmark:
    return Benchmark(
        name=name,
        title=title,
        measure="max(cover exact match, judge)",
        source=_source(
            datasets,
            sum(DATASETS[dataset].num_questions for dataset in datasets),
            has_prompts=False,
        ),
        read=_qa_reader(name),
        score=lambda question, text: score_answer(text, question.golds),
        judge=QWENLONG,
        facets=("task", "length") if len(datasets) > 1 else ("length",),
        mean_over="task" if len(datasets) > 1 else "",
        max_prompt_tokens=120_000,
        max_new_tokens=10_000,
    )


QA_BENCHMARK = _qa_benchmark("longbench-v1-qa", "LongBench v1 QA", QA_DATASETS)
"""LBV1-QA, as QwenLong-L1 asks it."""

QA_BENCHMARKS = (
    QA_BENCHMARK,
    _qa_benchmark("2wikimqa", "2WikiMultihopQA (LongBench)", ("2wikimqa",)),
    _qa_benchmark("hotpotqa", "HotpotQA (LongBench)", ("hotpotqa",)),
    _qa_benchmark("musique", "MuSiQue (LongBench)", ("musique",)),
    _qa_benchmark("narrativeqa", "NarrativeQA (LongBench)", ("narrativeqa",)),
    _qa_benchmark("qasper", "Qasper (LongBench)", ("qasper",)),
)
"""The same together, and one by one as in QwenLong-L1."""
