"""Figures worked by hand, and what is written is what is read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.results import (
    RESULTS_FILE,
    SCORES_FILE,
    BenchmarkResults,
    EvaluationResults,
    QuestionResult,
    ScoredAnswer,
    read_results,
    write_results,
)
from longloom.evaluation.summary import (
    depth_bins,
    headline,
    length_bins,
    summarise,
    summarise_benchmark,
)
from longloom.records import TokenUsage


def question(number: int, *strict: float, **changes: object) -> QuestionResult:
    answers = tuple(ScoredAnswer(parity=1.0, strict=value) for value in strict)
    settings = {"facets": {"task": "a" if number < 3 else "b"}, "golds": ("x",)}
    return QuestionResult(
        benchmark="sums", question_id=f"q{number}", answers=answers, **{**settings, **changes}
    )


def benchmark(*questions: QuestionResult, **changes: object) -> BenchmarkResults:
    settings = {"name": "sums", "title": "Sums", "measure": "accuracy", "facets": ("task",)}
    return BenchmarkResults(questions=questions, **{**settings, **changes})


FOUR = (question(0, 1.0), question(1, 1.0), question(2, 0.0), question(3, 0.0))


def test_the_headline_is_the_mean_over_questions() -> None:
    found = headline(benchmark(*FOUR), "strict")
    assert found.value == 0.5
    assert found.low < 0.5 < found.high
    assert headline(benchmark(*FOUR), "parity").value == 1.0


def test_questions_that_all_score_alike_have_wilsons_interval() -> None:
    found = headline(benchmark(*[question(number, 1.0) for number in range(4)]), "strict")
    # Wilson for 4 of 4 at z = 1.96: the lower end is n / (n + z^2) = 4 / 7.8416.
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(4 / 7.8416, abs=1e-4)


def test_the_mean_over_a_facet_gives_its_values_equal_weight() -> None:
    found = headline(benchmark(*FOUR, mean_over="task"), "strict")
    assert found.value == pytest.approx((2 / 3 + 0) / 2)
    assert found.num_questions == 4


def test_several_answers_to_a_question_count_as_one_question() -> None:
    found = summarise_benchmark(benchmark(question(0, 1.0, 0.0, 0.0, 0.0), question(1, *[1.0] * 4)))
    assert found.headline["strict"].value == pytest.approx((0.25 + 1.0) / 2)
    assert found.num_answers == 8
    # pass@2 of one right in four: 1 - C(3, 2) / C(4, 2) = 1/2.
    assert found.pass_at == pytest.approx({1: 0.625, 2: 0.75, 4: 1.0})


def test_figures_stand_by_facet_length_and_depth() -> None:
    placed = [
        replace(FOUR[0], num_prompt_tokens=3_000, depths=(0.05, 0.9)),
        replace(FOUR[1], num_prompt_tokens=4_001, depths=(0.95,)),
        replace(FOUR[2], num_prompt_tokens=4_001, depths=(1.0,)),
        replace(FOUR[3], num_prompt_tokens=5_000_000),
    ]
    found = summarise_benchmark(benchmark(*placed))
    by_task = found.by_facet["task"]
    assert (by_task["a"].num_questions, by_task["a"].strict) == (3, pytest.approx(2 / 3))
    assert {name: one.strict for name, one in found.by_length.items()} == {
        "2K-4K": 1.0,
        "4K-8K": 0.5,
        "over 4M": 0.0,
    }
    assert found.by_depth["2K-4K"]["0-10%"].strict == 1.0
    assert found.by_depth["4K-8K"]["90-100%"].num_questions == 2
    assert "over 4M" not in found.by_depth


def test_bins_have_names_in_order() -> None:
    assert length_bins()[:2] == ("0-250", "250-500")
    assert length_bins()[-2:] == ("1M-4M", "over 4M")
    assert depth_bins()[0] == "0-10%"


def test_failures_and_cuts_are_counted_apart() -> None:
    answers = (
        ScoredAnswer(parity=0.0, strict=0.0, failure="refused"),
        ScoredAnswer(parity=1.0, strict=0.0, failure="unfinished_thinking", finish_reason="length"),
        ScoredAnswer(parity=0.0, strict=0.0, verdict="unclear", parts={"judge": 0.0}),
        ScoredAnswer(parity=1.0, strict=1.0, verdict="yes", parts={"judge": 1.0}),
    )
    questions = [replace(FOUR[n], answers=(one,)) for n, one in enumerate(answers)]
    found = summarise_benchmark(benchmark(*questions))
    assert found.failures == {"refused": 1, "unfinished_thinking": 1}
    assert (found.num_cut_answers, found.num_unclear_verdicts) == (1, 1)
    assert found.num_unequal == 1
    assert found.parts == {"judge": 0.5}
    assert found.headline["strict"].value == 0.25


def results() -> EvaluationResults:
    return EvaluationResults(
        model="m",
        agent="single_pass",
        suite="sums",
        settings={"asking": {"seed": 0}},
        benchmarks=(
            benchmark(
                *FOUR,
                source={"a.jsonl": "00"},
                notes=("a note",),
                usage=TokenUsage(num_prompt_tokens=5, num_calls=4),
            ),
        ),
        seconds=1.5,
    )


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    write_results(tmp_path, results(), summarise(results()))
    assert read_results(tmp_path) == results()
    stated = json.loads((tmp_path / RESULTS_FILE).read_text("utf-8"))
    assert stated["summary"]["sums"]["headline"]["strict"]["value"] == 0.5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (RESULTS_FILE, "{", "holds no finished evaluation"),
        (RESULTS_FILE, '{"schema": "other", "version": 1}', "has schema 'other'"),
        (SCORES_FILE, "{}\n", "expected 'longloom.evaluation_scores'"),
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    write_results(tmp_path, results(), {})
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        read_results(tmp_path)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `longloom evaluate`"):
        read_results(tmp_path)
