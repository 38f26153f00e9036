"""Two runs paired by question: differences by hand, fairness, what is left out."""

import pytest

from evaluation_folder import benchmark, evaluation, question, scored
from longloom.errors import DataError
from longloom.evaluation.cells import EvaluationCell, ExampleScore
from longloom.evaluation.comparing import compare_evaluations, flattened, pair_values
from longloom.evaluation.comparing_cells import compare_cells
from longloom.records import TaskType


def one_benchmark(*scores: float, first: int = 0, **fields: object):
    return benchmark(
        [question(first + number, score) for number, score in enumerate(scores)], **fields
    )


def test_difference_wins_and_losses_are_those_of_the_shared_questions() -> None:
    before = evaluation(one_benchmark(1, 0, 0, 1, 0))  # q0 .. q4
    after = evaluation(one_benchmark(1, 1, 0, 1, 1, first=1))  # q1 .. q5
    found = compare_evaluations(before, after, names=("a", "b"))
    (one,) = found.paired
    # Shared: q1 .. q4 with 0, 0, 1, 0 against 1, 1, 0, 1.
    assert one.baseline.value == 0.25
    assert one.candidate.value == 0.75
    assert one.difference.value == 0.5
    assert one.difference.num_questions == 4
    assert (one.num_won, one.num_lost) == (3, 1)
    assert [change.question_id for change in one.changed] == ["q1", "q2", "q3", "q4"]
    assert one.only_baseline == ("q0",)
    assert one.only_candidate == ("q5",)
    assert not one.is_separated
    assert (found.baseline, found.candidate, found.mode) == ("a", "b", "strict")


def test_a_difference_of_every_question_is_separated() -> None:
    found = compare_evaluations(
        evaluation(one_benchmark(*[0.0] * 6)), evaluation(one_benchmark(*[1.0] * 6))
    )
    (one,) = found.paired
    assert (one.difference.low, one.difference.value, one.difference.high) == (1.0, 1.0, 1.0)
    assert one.is_separated


def test_largest_differences_come_first_and_answers_are_averaged() -> None:
    before = evaluation(benchmark([question(0, 1, 0), question(1, 0, 0), question(2, 1, 1)]))
    after = evaluation(benchmark([question(0, 1, 1), question(1, 1, 1), question(2, 1, 1)]))
    (one,) = compare_evaluations(before, after).paired
    assert [(change.question_id, change.difference) for change in one.changed] == [
        ("q1", 1.0),
        ("q0", 0.5),
    ]
    assert one.difference.value == pytest.approx(0.5)


def test_the_mode_chooses_the_scores() -> None:
    before = evaluation(benchmark([question(0, scored(0.0, parity=1.0))]))
    after = evaluation(benchmark([question(0, scored(1.0, parity=0.0))]))
    assert compare_evaluations(before, after).paired[0].difference.value == 1.0
    assert compare_evaluations(before, after, mode="parity").paired[0].difference.value == -1.0


def test_a_mean_of_means_gives_every_group_its_weight() -> None:
    def run(small: float, large: float):
        own = [question("s0", small, facets={"set": "small"})]
        own += [question(f"l{n}", large, facets={"set": "large"}) for n in range(3)]
        own.append(question("none", 1.0))  # without the facet it counts nowhere
        return evaluation(benchmark(own, mean_over="set"))

    (one,) = compare_evaluations(run(0.0, 1.0), run(1.0, 1.0)).paired
    assert one.baseline.value == 0.5  # not 3 of 4
    assert one.candidate.value == 1.0
    assert one.difference.value == 0.5  # not 1 of 4
    assert one.difference.num_questions == 4


def test_benchmarks_of_one_run_alone_are_named() -> None:
    before = evaluation(one_benchmark(1), one_benchmark(1, name="mrcr"))
    after = evaluation(one_benchmark(1), one_benchmark(1, name="docmath"))
    found = compare_evaluations(before, after)
    assert [one.name for one in found.paired] == ["frames"]
    assert found.only_baseline == ("mrcr",)
    assert found.only_candidate == ("docmath",)


def test_runs_without_a_shared_question_are_refused() -> None:
    with pytest.raises(DataError, match="share no question: frames and frames"):
        compare_evaluations(evaluation(one_benchmark(1)), evaluation(one_benchmark(1, first=9)))
    with pytest.raises(DataError, match="x: the two runs share no question"):
        pair_values("x", "x", {"a": 1.0}, {"b": 1.0})


def test_what_makes_a_comparison_unfair_is_listed_once() -> None:
    before = evaluation(
        one_benchmark(1, source={"f.json": "a" * 64}),
        one_benchmark(1, name="mrcr"),
        settings={"seed": 0, "asking": {"top_p": 0.95, "concurrency": 4}, "model": "one"},
    )
    after = evaluation(
        one_benchmark(1, source={"f.json": "b" * 64}, judge="judge-x", max_new_tokens=10),
        one_benchmark(1, name="mrcr", max_new_tokens=10),
        settings={"seed": 1, "asking": {"top_p": 0.9, "concurrency": 8}, "model": "two"},
        agent="memory",
    )
    unlike = {
        one.name: (one.baseline, one.candidate, one.places)
        for one in compare_evaluations(before, after).unlike
    }
    assert unlike == {
        "agent": ("single_pass", "memory", ()),
        "max_new_tokens": ("50,000", "10", ()),  # of both benchmarks
        "judge": ("none", "judge-x", ("frames",)),
        "file f.json": ("a" * 12, "b" * 12, ("frames",)),
        "seed": ("0", "1", ()),
        "asking.top_p": ("0.95", "0.9", ()),
    }


def test_number_of_samples_is_compared() -> None:
    found = compare_evaluations(
        evaluation(benchmark([question(0, 1)])), evaluation(benchmark([question(0, 1, 0)]))
    )
    assert [(one.name, one.baseline, one.candidate) for one in found.unlike] == [
        ("num_samples", "1", "2")
    ]


def test_settings_are_flattened_and_cut() -> None:
    assert flattened({"a": {"b": 1, "c": {}}, "d": "x" * 300}) == {
        "a.b": "1",
        "d": "x" * 200 + " ...",
    }


def cell(checkpoint: str, *rewards: float, agent: str = "single_pass", **fields: object):
    scores = tuple(
        ExampleScore(
            example_id=f"e{number}",
            task_type=TaskType.MULTI_HOP,
            rewards=(reward,),
            num_prompt_tokens=10,
            finish="stop",
        )
        for number, reward in enumerate(rewards)
    )
    return EvaluationCell(
        **{
            "checkpoint": checkpoint,
            "suite": "stage-1",
            "agent": agent,
            "num_samples": 1,
            "max_prompt_tokens": 100,
            "seconds": 1.0,
            "scores": scores,
            **fields,
        }
    )


def test_cells_are_compared_by_checkpoint_suite_and_agent() -> None:
    found = compare_cells(
        [cell("base", 0, 0), cell("final", 0, 1), cell("final", 1, agent="memory")],
        [cell("base", 0, 0), cell("final", 1, 1, max_prompt_tokens=200), cell("merged", 1)],
        names=("a", "b"),
    )
    assert [(one.name, one.difference.value) for one in found.paired] == [
        ("base, stage-1, single_pass", 0.0),
        ("final, stage-1, single_pass", 0.5),
    ]
    assert found.mode is None
    assert found.only_baseline == ("final, stage-1, memory",)
    assert found.only_candidate == ("merged, stage-1, single_pass",)
    (unlike,) = found.unlike
    assert unlike.places == ("final, stage-1, single_pass",)
    assert (unlike.baseline, unlike.candidate) == ("100", "200")


def test_runs_without_a_shared_cell_are_refused() -> None:
    with pytest.raises(DataError, match="no evaluated question: base, stage-1, single_pass and"):
        compare_cells([cell("base", 1)], [cell("final", 1)], names=("a", "b"))
