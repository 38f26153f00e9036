"""A run as a graph, carried out at toy size: reuse, parts of a run, folders of others."""

import json

import pytest

from longloom.errors import ConfigError, DataError
from longloom.recipes.catalogue import load_config
from longloom.recipes.graph.selection import Part
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.run_config import RunConfig
from longloom.recipes.run_listener import SilentListener
from longloom.recipes.verbs.clean import clean
from longloom.recipes.verbs.report import export
from longloom.recipes.verbs.run import run
from longloom.recipes.verbs.run_plan import plan_run
from longloom.report import results_markdown, write_report
from longloom.report.run_contents import read_run
from longloom.runlog import RunFolder, Status, describe_run, read_index, write_manifest
from tiny_folder import tiny_run, toy


class Told(SilentListener):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.steps: list[str] = []
        self.cells: list[str] = []

    def on_message(self, message: str) -> None:
        self.messages.append(message)

    def on_step(self, stage: str, num_steps: int, result) -> None:
        self.steps.append(stage)

    def on_cell(self, job, mean_reward: float) -> None:
        self.cells.append(job.checkpoint)


@pytest.fixture(scope="module")
def config() -> RunConfig:
    """Return three stages, two of them from the first, and a question a cell."""
    plain = load_config("tiny-cpu", overrides=tiny_run(toy()))
    first, second, third = plain.stages[:3]
    return plain.replace(
        stages=(third.replace(name="other", start="stage-1"), first, second),
        evaluation=plain.evaluation.replace(num_documents=0, num_questions=1, num_samples=1),
    )


@pytest.fixture(scope="module")
def done(config, tmp_path_factory):
    """Return the folder of a whole run, then of one with another setting, and back."""
    folder = tmp_path_factory.mktemp("graph") / "run"
    told = []
    for changed in (config, other_rate(config), config):
        listener = Told()
        run_recipe(changed, folder=folder, listener=listener)
        told.append((listener, read_index(folder)))
    return folder, told


def other_rate(config: RunConfig) -> RunConfig:
    stages = [
        stage.replace(training=stage.training.replace(learning_rate=0.123))
        if stage.name == "other"
        else stage
        for stage in config.stages
    ]
    return config.replace(stages=tuple(stages))


def test_stages_run_in_the_order_of_the_graph(done) -> None:
    _, ((first, index), *_) = done
    assert list(dict.fromkeys(first.steps)) == ["stage-1", "other", "stage-2"]
    assert [stage.name for stage in index.stages] == ["stage-1", "other", "stage-2"]
    assert all(node.status is Status.DONE for node in index.nodes)
    assert all(stage.cpu_seconds > 0 and stage.finished for stage in index.stages)


def test_another_setting_computes_what_depends_on_it_and_says_why(done) -> None:
    _, (_, (second, index), _) = done
    assert set(second.steps) == {"other"}
    assert set(second.cells) == {"other"}
    assert any(line.startswith("stage-1: done before (key ") for line in second.messages)
    (why,) = [line for line in second.messages if line.startswith("other: training.")]
    assert "training.learning_rate is 0.123, in other-" in why
    assert index.part == ""


def test_earlier_settings_find_their_results_again(done) -> None:
    _, ((_, first), _, (third, again)) = done
    assert third.steps == third.cells == []
    assert [node.key for node in again.nodes] == [node.key for node in first.nodes]


def test_report_counts_steps_over_the_stages_of_the_run(done) -> None:
    folder, _ = done
    rows = read_run(folder).rows
    assert [(row.step, row.stage) for row in rows] == [
        (1, "stage-1"), (2, "stage-1"), (3, "other"), (4, "stage-2"),
    ]  # fmt: skip
    assert "Not there yet" not in results_markdown(folder)


def test_events_can_be_read_by_another_process(done) -> None:
    folder, _ = done
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in lines[1:]]
    assert kinds.count("begun") == kinds.count("ended") == 3
    assert not (folder / "now.json").exists()


def test_questions_and_rollouts_of_a_run_are_exported(done, tmp_path) -> None:
    folder, _ = done
    num_questions = export(folder, output=tmp_path / "q.jsonl", kind="jsonl")
    assert num_questions == export(folder / "synthesis/questions", output=tmp_path / "same.parquet")
    assert export(folder, output=tmp_path / "r.jsonl", kind="rollouts") > 0
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert {line["step"] for line in lines} == {1, 2, 3, 4}


def test_cleaning_removes_what_other_settings_left(done, config) -> None:
    folder, _ = done
    found = clean(config, output=folder, is_dry=True)
    assert {result.place.split("/")[1].split("-")[0] for result in found} == {"other"}
    assert all(result.num_bytes > 0 for result in found)
    assert clean(config, output=folder) == found
    assert clean(config, output=folder) == []
    listener = Told()
    run_recipe(config, folder=folder, listener=listener)
    assert listener.steps == []


@pytest.mark.slow
def test_until_leaves_the_rest_out_and_the_report_says_so(config, tmp_path) -> None:
    listener = Told()
    outcome = run_until(config, tmp_path, "stage-1", listener)
    assert set(listener.steps) == {"stage-1"}
    assert set(listener.cells) == {"base", "stage-1"}
    assert outcome.startswith("Not there yet: stage other, stage stage-2, 6 of 12 evaluations.")
    assert "told --until stage-1" in (tmp_path / "run/report.html").read_text()

    later = Told()
    run_recipe(config, folder=tmp_path / "run", listener=later, part=Part(only="other"))
    assert set(later.steps) == {"other"}
    assert set(later.cells) == {"other"}
    again = Told()
    run_recipe(config, folder=tmp_path / "run", listener=again, part=Part(begin="other"))
    assert set(again.steps) == {"other", "stage-2"}
    assert any(line.startswith("other: computed again") for line in again.messages)
    assert not list((tmp_path / "run").glob("*/*.replaced"))


def run_until(config: RunConfig, tmp_path, stage: str, listener: Told) -> str:
    run_recipe(config, folder=tmp_path / "run", listener=listener, part=Part(end=stage))
    return results_markdown(tmp_path / "run").split("\n\n")[1]


def test_only_refuses_a_stage_whose_start_is_missing(config, tmp_path) -> None:
    with pytest.raises(ConfigError, match="starts from stage-1, which is not there"):
        run_recipe(config, folder=tmp_path / "run", listener=Told(), part=Part(only="stage-2"))
    assert not (tmp_path / "run" / "synthesis").exists()


def test_plan_says_how_far_each_part_is(done, config) -> None:
    folder, _ = done
    shown = "\n".join(plan_run(config, output=folder).graph_lines(is_unicode=False))
    assert "| o  other    full_context  done" in shown or "other    full_context  done" in shown
    assert "evaluation: 12 of 12 cells done" in shown
    again = plan_run(config, output=folder, part=Part(begin="stage-2"))
    shown = "\n".join(again.graph_lines(is_unicode=False))
    assert "stage-2  full_context  to do" in shown
    left_out = plan_run(config, output=folder, part=Part(end="stage-1"))
    assert "done, left out" in "\n".join(left_out.graph_lines(is_unicode=False))


def test_plan_without_the_model_draws_the_graph(tmp_path) -> None:
    planned = plan_run(load_config("qwenlong-l15"), output=tmp_path / "run")
    assert "what is there: not known" in planned.graph_lines(is_unicode=False)[-1]
    assert not (tmp_path / "run").exists()


@pytest.fixture
def old_run(config, tmp_path):
    """Return a folder as it was before results had keys."""
    settings = config.model_dump(mode="json")
    folder = tmp_path / "old"
    (folder / "checkpoints/stage-1/final").mkdir(parents=True)
    manifest = describe_run(recipe="tiny-cpu", seed=0, num_threads=1, config=settings)
    write_manifest(folder / "run.yaml", manifest)
    return folder


def test_a_folder_of_an_earlier_layout_is_refused_by_all_verbs(config, old_run) -> None:
    with pytest.raises(ConfigError, match="a run of an earlier Longloom"):
        run_recipe(config, folder=old_run, listener=Told())
    with pytest.raises(ConfigError, match="a run of an earlier Longloom"):
        clean(config, output=old_run)
    with pytest.raises(DataError, match="is a run of an earlier Longloom"):
        write_report(old_run)


def test_a_training_by_hand_is_no_run(config, tmp_path) -> None:
    manifest = describe_run(recipe="s", seed=0, num_threads=1, config={"stage": "stage-1"})
    write_manifest(tmp_path / "t/run.yaml", manifest)
    with pytest.raises(ConfigError, match="something else than a run"):
        run_recipe(config, folder=tmp_path / "t", listener=Told())


def test_two_runs_never_work_in_one_folder(config, tmp_path) -> None:
    with (
        RunFolder(tmp_path / "run").lock(),
        pytest.raises(ConfigError, match="is in use by process"),
    ):
        run_recipe(config, folder=tmp_path / "run", listener=Told())


@pytest.mark.slow
def test_tiny_counterpart_of_l1_learns_in_each_of_its_stages(tmp_path) -> None:
    outcome = run("tiny-cpu-l1", output=tmp_path / "run", overrides=["evaluation.num_questions=60"])
    contents = read_run(outcome.folder)
    means = [
        sum(score.mean_reward for score in cell.scores) / len(cell.scores)
        for name in ("base", "sft", "phase-1", "phase-2")
        if (cell := contents.cell(name, "phase-1", "single_pass"))
    ]
    assert means[1] > means[0] + 0.1
    assert means[2] > means[1] + 0.05
    returning = [row.metrics.get("selection/returning_examples", 0.0) for row in contents.rows]
    assert max(returning) > 0
    assert outcome.missing == ()
    assert any("phase-1 lengths: phase-2 against base" in line for line in outcome.improved)
