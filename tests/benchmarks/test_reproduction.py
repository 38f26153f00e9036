import json

import pytest
from reproduction.measured import Measured, Seeds, agent_of, mean_of, measured_of
from reproduction.paper import PAPER_ROWS
from reproduction.pattern import statements
from reproduction.table import as_json, drawn, shown, written

from longloom.evaluation.cells import EvaluationCell, ExampleScore
from longloom.recipes.tiny_cpu_table import NAIVE_GRPO, tiny_cpu_table
from longloom.records import TaskType
from longloom.report.run_contents import RunContents

ABOUT = {
    "command": "make reproduce",
    "date": "2026-01-02",
    "machine": {"architecture": "x86_64", "python": "3.11"},
}


def measured(mean, agent):
    tasks = ("dialogue_memory", "multi_hop")
    return Measured(
        by_task={tasks[0]: mean - 0.1, tasks[1]: mean + 0.1},
        by_length={"stage-1": mean},
        agent=agent,
        num_questions=30,
        num_documents=16,
    )


def seeds_of(**figures_by_checkpoint):
    """Two seeds that differ by 2 points everywhere."""
    return Seeds(
        by_checkpoint={
            name.replace("_", "-"): [measured(mean, agent), measured(mean + 0.02, agent + 0.02)]
            for name, (mean, agent) in figures_by_checkpoint.items()
        },
        seeds=(1, 2),
        cpu_seconds=(60.0, 120.0),
    )


AS_IN_THE_PAPER = seeds_of(
    base=(0.40, 0.10),
    naive_grpo=(0.70, 0.15),
    stage_1=(0.80, 0.30),
    stage_2=(0.82, 0.30),
    stage_3=(0.84, 0.20),
    memory=(0.78, 0.50),
    merged=(0.83, 0.52),
    final=(0.85, 0.55),
)


def cell(suite, agent, rewards, *, task=TaskType.MULTI_HOP):
    return EvaluationCell(
        checkpoint="base",
        suite=suite,
        agent=agent,
        num_samples=1,
        max_prompt_tokens=96,
        seconds=1.0,
        scores=tuple(
            ExampleScore(
                example_id=f"{suite}-{task}-{place}",
                task_type=task,
                rewards=(reward,),
                num_prompt_tokens=50,
                finish="stop",
            )
            for place, reward in enumerate(rewards)
        ),
    )


def run_of(tmp_path, cells):
    return RunContents(path=tmp_path, manifest=None, date="", rows=(), cells=tuple(cells))


def test_a_checkpoint_is_measured_over_the_questions_of_all_lengths(tmp_path):
    cells = [
        cell("stage-1", "single_pass", [1.0, 0.0]),
        cell("stage-2", "single_pass", [1.0, 1.0]),
        cell("stage-3", "single_pass", [0.5], task=TaskType.DIALOGUE_MEMORY),
        cell("windows-8", "memory", [1.0, 0.0, 0.0, 0.0]),
    ]
    found = measured_of(run_of(tmp_path, cells), "base")
    assert found is not None
    assert found.by_task == {"dialogue_memory": 0.5, "multi_hop": 0.75}
    assert found.by_length == {"stage-1": 0.5, "stage-2": 1.0, "stage-3": 0.5}
    assert (found.mean, found.agent) == (0.625, 0.25)
    assert (found.num_questions, found.num_documents) == (5, 4)
    assert measured_of(run_of(tmp_path, cells[:-1]), "base") is None
    assert measured_of(run_of(tmp_path, cells[1:]), "base") is None


def test_changes_are_paired_seed_by_seed():
    # Both seeds gain the same, whatever they start from: no spread.
    change = AS_IN_THE_PAPER.change("stage-1", "base", mean_of)
    assert change.mean == pytest.approx(0.40)
    assert change.low == pytest.approx(0.40)
    alone = AS_IN_THE_PAPER.interval("base", agent_of)
    # Student's quantile for one degree of freedom, times the standard error of 0.10 and 0.12.
    assert alone.high - alone.mean == pytest.approx(12.706 * 0.01, rel=1e-3)


def test_the_papers_pattern_holds_where_it_was_planted():
    found = statements(AS_IN_THE_PAPER)
    assert {each.verdict for each in found} == {"holds"}
    points = {each.text: each.measured.mean for each in found}
    assert points["stage 1 is above naive GRPO"] == pytest.approx(10)
    # 2 x 40 points in stage 1, less 45 in all
    assert points["most of the gain comes in stage 1"] == pytest.approx(35)
    # 83 - 0.95 x 84 for the first seed, 85 - 0.95 x 86 for the second
    kept = "the merge keeps full context (within 5% of the better parent)"
    assert points[kept] == pytest.approx((83 - 0.95 * 84 + 85 - 0.95 * 86) / 2)


def test_the_pattern_is_denied_where_the_figures_deny_it():
    figures = {
        "base": (0.40, 0.10),
        "naive_grpo": (0.85, 0.15),
        "stage_1": (0.50, 0.30),
        "stage_2": (0.48, 0.30),
        "stage_3": (0.46, 0.40),
        "memory": (0.50, 0.20),
        "merged": (0.40, 0.10),
        "final": (0.39, 0.10),
    }
    verdicts = {each.text: each.verdict for each in statements(seeds_of(**figures))}
    assert verdicts.pop("most of the gain comes in stage 1") == "holds"
    assert set(verdicts.values()) == {"does not hold"}


def test_the_papers_own_figures_hold_its_pattern():
    paper = {each.text: each.paper for each in statements(AS_IN_THE_PAPER)}
    assert min(paper.values()) > 0
    assert paper["stage 3 hurts the agent"] == pytest.approx(17.05 - 12.66)


def test_table_page_and_picture_show_every_checkpoint():
    page, picture = written(AS_IN_THE_PAPER, ABOUT), drawn(AS_IN_THE_PAPER)
    assert "| base | 31.0 ± 12.7 | 51.0 ± 12.7 | 41.0 ± 12.7 | 11.0 ± 12.7 | 61.92 | 4.24 |" in page
    assert "3 CPU-minutes" in page
    for row in PAPER_ROWS.values():
        assert f"| {row.title} |" in page
        assert f">{row.title}<" in picture
    assert "holds          stage 1 is above naive GRPO: +10.0" in shown(AS_IN_THE_PAPER)
    stored = json.loads(json.dumps(as_json(AS_IN_THE_PAPER, ABOUT)))
    assert stored["checkpoints"]["final"]["by_seed"][1]["mean"] == pytest.approx(0.87)
    assert stored["pattern"][0]["points"] == pytest.approx([10, 10, 10])


def test_the_recipe_has_the_rows_of_the_table():
    config = tiny_cpu_table()
    assert {"base", *(stage.name for stage in config.stages)} == set(PAPER_ROWS)
    naive = next(stage for stage in config.stages if stage.name == NAIVE_GRPO).training
    first = config.stages[0].training
    assert naive is not None
    assert first is not None
    assert naive.num_steps == first.num_steps
    assert naive.sampling.kind == "uniform"
    assert naive.advantage.kind == "group_std"
    assert not naive.aepo.enabled
