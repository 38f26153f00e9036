"""Supervised fine-tuning by verl's trainer on two FSDP2 ranks, as a stage of a recipe."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from longloom.recipes.cluster.stages import metrics_by_step
from longloom.recipes.model_source import resolve_model
from longloom.recipes.tiny_cpu_l1 import tiny_cpu_l1
from longloom.runlog import METRICS_FILE
from longloom.training.sft import SftConfig
from verl_runs import command, run, stage_folder, write_recipe

pytestmark = pytest.mark.distributed


def test_the_warm_up_learns_and_leaves_a_model_folder(tmp_path: Path) -> None:
    recipe = tiny_cpu_l1()
    sft, *others = recipe.stages
    assert sft.kind == "sft"
    sft = sft.replace(
        num_worked_answers=16,
        sft=SftConfig(num_epochs=2, batch_size=8, max_tokens=400, learning_rate=1e-3),
    )
    path = write_recipe(recipe.replace(stages=(sft, *others)), tmp_path / "warm-up.yaml")
    more = ("--only", sft.name, "--set", "evaluation.num_questions=0")
    run(command(path, tmp_path / "run", ranks=2, more=more))
    stage = stage_folder(tmp_path / "run", sft.name)
    steps = sorted(metrics_by_step(stage / METRICS_FILE).items())
    losses = [step["training/nll_nats"] for _, step in steps]
    assert len(losses) >= 4
    assert min(losses[-2:]) < 0.9 * losses[0]
    start = load_file(resolve_model("tiny-base") / "model.safetensors")
    final = load_file(stage / "final" / "model.safetensors")
    assert final.keys() == start.keys()
    assert max(float((final[name] - start[name]).abs().max()) for name in start) > 1e-3
