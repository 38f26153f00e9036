from collections.abc import Sequence
from pathlib import Path

import pytest

from longloom.evaluation.cells import EvaluationCell, write_cell
from longloom.records import TaskType
from longloom.report.run_contents import read_run
from longloom.report.summary import summarise
from longloom.report.tables import (
    Table,
    difference_table,
    long_table,
    main_table,
    other_table,
    pass_table,
    trained_checkpoint,
)
from longloom.runlog import MetricLog


def shown(table: Table, name: str) -> list[float | None]:
    (row,) = [row for row in table.rows if row.name == name]
    return [round(100 * cell.estimate.value, 1) if cell.estimate else None for cell in row.cells]


def best(table: Table, name: str) -> list[int]:
    (row,) = [row for row in table.rows if row.name == name]
    return [position for position, cell in enumerate(row.cells) if cell.is_best]


def write_cells(folder: Path, cells: Sequence[EvaluationCell]) -> None:
    for cell in cells:
        write_cell(folder / "evaluation", cell)


def test_main_table_by_hand(small_run: Path) -> None:
    table = main_table(read_run(small_run))
    assert [row.name for row in table.rows] == ["base", "stage-3", "memory"]
    # choice, hop, reading, dialogue, numerical | stage 1, 2, 3 | memory agent at 4, 8 windows
    nothing = [None, None, None]
    # base: hop (0 + .5) / 2, numerical 1/8, all (0 + .5 + .125) / 3
    assert shown(table, "base") == [None, 25.0, None, None, 12.5, 20.8, None, None, 0.0, 0.0]
    assert shown(table, "stage-3") == [None, 75.0, None, None, 12.5, 54.2, None, None, None, None]
    assert shown(table, "memory") == [*nothing, *nothing, None, None, 50.0, 100.0]
    assert best(table, "stage-3") == [1, 4, 5]
    assert best(table, "base") == [4]
    assert best(table, "memory") == [8, 9]


def test_pass_table_by_hand(small_run: Path) -> None:
    table = pass_table(read_run(small_run))
    assert table.groups == (("base", 2), ("stage-3", 2))
    # before: hop pass@8 is 0 and 1, numerical 1; after: all are solved once in eight tries
    assert shown(table, "Multi-hop") == [25.0, 50.0, 75.0, 100.0]
    assert shown(table, "Numerical") == [12.5, 100.0, 12.5, 100.0]
    assert shown(table, "All questions") == [20.8, 66.7, 54.2, 100.0]


def test_difference_table_by_hand(small_run: Path) -> None:
    table = difference_table(read_run(small_run))
    assert table.is_difference
    assert shown(table, "Multi-hop") == [50.0, None, None]
    assert shown(table, "Numerical") == [0.0, None, None]
    assert shown(table, "All questions") == [33.3, None, None]


def test_long_table_by_hand(small_run: Path) -> None:
    table = long_table(read_run(small_run))
    assert [name for name, _ in table.groups] == ["Memory agent", "Middle cut out", "No document"]
    assert shown(table, "memory") == [None, 50.0, 100.0, None, None, 100.0, None, 0.0, None]
    assert shown(table, "base")[1:3] == [0.0, 0.0]


def test_cells_that_no_table_shows_are_listed(small_run: Path, cell_maker) -> None:
    assert other_table(read_run(small_run)).rows == ()
    rewards = {TaskType.NUMERICAL: [(1.0,)]}
    write_cells(small_run, [cell_maker("base", "stage-1", "closed_book", rewards)])
    (row,) = other_table(read_run(small_run)).rows
    assert (row.name, row.note) == ("base", "stage-1, closed book")


def test_unknown_checkpoints_come_after_the_known_ones(small_run: Path, cell_maker) -> None:
    rewards = {TaskType.NUMERICAL: [(1.0,)]}
    write_cells(small_run, [cell_maker("ablation", "stage-1", "single_pass", rewards)])
    names = [row.name for row in main_table(read_run(small_run)).rows]
    assert names == ["base", "stage-3", "memory", "ablation"]


def test_summary_says_what_improved_and_what_did_not(small_run: Path, cell_maker) -> None:
    task = TaskType.MULTI_HOP
    zeros, ones = {task: [(0.0,)] * 9}, {task: [(1.0,)] * 9}
    write_cells(
        small_run,
        [
            cell_maker("base", "stage-2", "single_pass", zeros),
            cell_maker("stage-3", "stage-2", "single_pass", ones),
        ],
    )
    run = read_run(small_run)
    assert trained_checkpoint(run) == "stage-3"
    summary = summarise(run)
    improved = [claim.text for claim in summary.improved]
    not_improved = [claim.text for claim in summary.not_improved]
    assert "All tasks at stage-2 lengths: stage-3 against base" in improved
    for windows in (4, 8):
        text = f"{windows} windows: trained memory agent against the untrained one"
        assert text in improved
    assert "4 windows: trained memory agent against a guess without the document" in improved
    # +50 points of two questions, one of which did not change: not beyond chance
    assert "Multi-hop at stage-1 lengths: stage-3 against base" in not_improved
    assert "Numerical at stage-1 lengths: stage-3 against base" in not_improved
    assert "8 windows: trained memory agent against a single pass, middle cut out" in not_improved
    assert (
        "On documents of 4 windows, answered correctly: the trained memory agent 50.0%, the "
        "untrained one 0.0% and a guess without the document 0.0%. On documents of 8 windows, "
        "answered correctly: the trained memory agent 100.0%, the untrained one 0.0% and a single "
        "pass, middle cut out 100.0%."
    ) in summary.paragraph
    assert "did not change beyond chance: it went from 20.8% to 54.2%" in summary.paragraph
    assert "the base already answered 66.7%, the trained model 100.0%" in summary.paragraph
    assert (
        "AEPO left failed answers out of 2 of 6 updates and switched 2 times" in summary.paragraph
    )


def test_latch_counts_as_switched_when_a_stage_opens_without_failures(tmp_path: Path) -> None:
    with MetricLog(tmp_path / "metrics.jsonl") as log:
        for step, (stage, is_on) in enumerate(
            [("stage-1", 0.0), ("stage-1", 0.0), ("stage-2", 1.0), ("stage-3", 0.0)], start=1
        ):
            log.log(step, {"training/negatives_on": is_on}, stage=stage)
    assert "out of 3 of 4 updates and switched 2 times" in summarise(read_run(tmp_path)).paragraph


@pytest.mark.parametrize(("after", "verb"), [(1.0, "rose from 0.0%"), (0.0, "fell from 100.0%")])
def test_summary_says_rose_or_fell_only_beyond_chance(
    tmp_path: Path, cell_maker, after: float, verb: str
) -> None:
    task = TaskType.MULTI_HOP
    cells = [
        cell_maker("base", "stage-1", "single_pass", {task: [(1.0 - after,)] * 5}),
        cell_maker("stage-1", "stage-1", "single_pass", {task: [(after,)] * 5}),
    ]
    write_cells(tmp_path, cells)
    assert f"mean accuracy {verb}" in summarise(read_run(tmp_path)).paragraph
