"""A run killed with SIGKILL in any kind of part ends as the run that nobody killed."""

import json
from pathlib import Path

import pytest

from killed_run import kill_run
from longloom.evaluation.cells import read_cell
from longloom.recipes.catalogue import load_config
from longloom.recipes.pipeline import run_recipe
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_listener import SilentListener
from longloom.report.run_contents import read_run
from longloom.runlog import read_index
from longloom.training.sft import SftConfig
from tiny_folder import tiny_run, toy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config() -> RunConfig:
    """Return a recipe with every kind of stage, whose answers score so that steps teach."""
    plain = load_config(
        "tiny-cpu",
        overrides=[
            *tiny_run(toy()),
            "model=tiny-base",
            "synthesis.max_name_tokens=1",
            "evaluation.num_questions=2",
            "evaluation.num_documents=2",
            "stages.3.training.num_steps=2",
        ],
    )
    stage_1, _, _, memory, merged, _ = plain.stages
    warm_up = StageConfig(
        name="sft",
        kind="sft",
        start="base",
        sft=SftConfig(num_epochs=1, batch_size=4),
        num_worked_answers=5,
    )
    memory = memory.replace(start="stage-1")
    merged = merged.replace(merged_stages=("stage-1", "memory"))
    return plain.replace(stages=(warm_up, stage_1.replace(start="sft"), memory, merged))


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_recipe(config, folder=folder, listener=SilentListener())
    return content(folder)


def content(folder: Path) -> dict:
    """Return everything of a run that must not depend on when it was killed."""
    index = read_index(folder)
    found: dict = {"nodes": [(n.name, n.key, n.status, n.step, n.num_steps) for n in index.nodes]}
    for node in index.nodes:
        place = folder / node.place
        if place.suffix == ".json":
            found[node.place] = read_cell(place).scores
            continue
        for path in sorted(file for file in place.rglob("*") if file.is_file()):
            timed = ("node.json", "metrics.jsonl", "merge_report.json")
            if path.name not in timed:  # times, and the places of models
                found[str(path.relative_to(folder))] = path.read_bytes()
    found["metrics"] = [
        (row.step, row.stage, {n: v for n, v in row.metrics.items() if "seconds" not in n})
        for row in read_run(folder).rows
    ]
    return found


def test_steps_of_the_toy_run_teach(whole) -> None:
    taught = {stage for _, stage, metrics in whole["metrics"] if metrics.get("training/loss")}
    assert {"stage-1"} <= taught
    assert [row[0] for row in whole["metrics"]] == list(range(1, 9))


@pytest.mark.parametrize(
    "place",
    [
        ("progress", "writing train questions", 1),
        ("progress", "weaving windows-2", 2),
        ("step", "sft", 2),
        ("progress", "evaluating sft", 1),
        ("step", "stage-1", 2),
        ("step", "memory", 2),
        ("progress", "merging merged", 1),
        ("progress", "evaluating merged windows", 2),
    ],
    ids=lambda place: f"{place[1]} {place[2]}",
)
def test_run_killed_anywhere_ends_as_the_run_that_nobody_killed(
    config, whole, tmp_path, place
) -> None:
    kill_run(config, tmp_path / "run", place)
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert content(tmp_path / "run") == whole


def test_run_killed_again_and_again_ends_as_the_run_that_nobody_killed(
    config, whole, tmp_path
) -> None:
    places = [
        ("progress", "weaving memory", 1),
        ("step", "sft", 1),
        ("step", "stage-1", 1),
        ("step", "stage-1", 2),
        ("step", "memory", 1),
        ("progress", "merging", 2),
    ]
    for place in places:
        kill_run(config, tmp_path / "run", place)
    run_recipe(config, folder=tmp_path / "run", listener=SilentListener())
    assert content(tmp_path / "run") == whole


def test_recomputation_killed_in_between_goes_on_and_keeps_the_old_results_till_then(
    config, whole, tmp_path
) -> None:
    from longloom.recipes.graph.selection import Part

    folder = tmp_path / "run"
    run_recipe(config, folder=folder, listener=SilentListener())
    again = Part(begin="stage-1")

    class Stopper(SilentListener):
        def on_step(self, stage: str, num_steps: int, result) -> None:
            if (stage, result.step) == ("memory", 1):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(config, folder=folder, listener=Stopper(), part=again)
    aside = sorted(path.name for path in folder.glob("checkpoints/*.replaced"))
    assert [name.partition("-")[0] for name in aside] == ["memory", "merged", "stage"]

    steps = []

    class Told(SilentListener):
        def on_step(self, stage: str, num_steps: int, result) -> None:
            steps.append((stage, result.step))

    run_recipe(config, folder=folder, listener=Told(), part=again)
    assert steps == [("memory", 1), ("memory", 2)]
    assert not list(folder.glob("*/*.replaced"))
    assert content(folder) == whole
    written = json.loads(next(folder.glob("checkpoints/memory-*/node.json")).read_text())
    assert written["finished"]
    assert written["seconds"] > 0
