"""The tiny recipe's first stage under both engines: the same data, weights and random streams."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from longloom.recipes.cluster.stages import metrics_by_step
from longloom.recipes.model_source import resolve_model
from longloom.runlog import METRICS_FILE
from verl_runs import command, run, stage_folder

pytestmark = pytest.mark.distributed

_NUM_STEPS = 20
_MORE = (
    "--until", "stage-1", "--set", "logged_groups=all", "--set", "evaluation.num_questions=200",
    "--set", "evaluation.num_documents=0",
)  # fmt: skip
SEEDS_SPREAD = 0.024
"""Lowest to highest accuracy of this stage over five seeds (benchmarks/results/reproduce.json)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Under each engine the stage's folder, and its held-out cell."""

    verl: Path
    verl_cell: Path
    local: Path
    local_cell: Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Train by verl on one rank, then in one process, in one run folder."""
    folder = tmp_path_factory.mktemp("both") / "run"
    run(command("tiny-cpu", folder, ranks=1, more=_MORE))
    verl, (verl_cell,) = stage_folder(folder, "stage-1"), cells(folder)
    run([sys.executable, "-m", "longloom", "run", "tiny-cpu", "-o", str(folder), *_MORE])
    stages = {path for path in (folder / "checkpoints").glob("stage-1-*") if path.is_dir()}
    (local,) = stages - {verl}
    (local_cell,) = cells(folder) - {verl_cell}
    return Pair(verl=verl, verl_cell=verl_cell, local=local, local_cell=local_cell)


def cells(folder: Path) -> set[Path]:
    """Return what was measured of the stage on held-out questions of its own lengths."""
    return set((folder / "evaluation").glob("stage-1--stage-1--single_pass-*.json"))


def rollouts(stage: Path, step: int) -> dict[str, list[dict[str, object]]]:
    """Return the rollouts of a step by question, each as reward and texts."""
    lines = (stage / "rollouts.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines[1:]]
    return {
        record["question"] + record["context_text"]: [
            {
                "reward": rollout["reward"],
                "texts": [turn["response_text"] for turn in rollout["turns"]],
                "prompts": [turn["prompt_text"] for turn in rollout["turns"]],
            }
            for rollout in record["rollouts"]
        ]
        for record in records
        if record["step"] == step
    }


def test_first_rollouts_are_the_same_text(pair: Pair) -> None:
    by_verl, by_local = rollouts(pair.verl, 1), rollouts(pair.local, 1)
    assert len(by_verl) == 30
    assert by_verl == by_local


def test_every_step_draws_scores_and_masks_the_same(pair: Pair) -> None:
    by_verl, by_local = (metrics_by_step(path / METRICS_FILE) for path in (pair.verl, pair.local))
    assert list(by_verl) == list(by_local) == list(range(1, _NUM_STEPS + 1))
    names = ("reward/mean", "training/negatives_on", "training/learning_sequences")
    for step in range(1, 6):  # later, one token drawn otherwise by rounding may change a figure
        for name in names:
            assert by_verl[step][name] == by_local[step][name], (step, name)


def test_losses_and_gradients_are_equal_to_rounding(pair: Pair) -> None:
    """The loss is a sum of advantages times log-probabilities: other advantages would show."""
    by_verl, by_local = (metrics_by_step(path / METRICS_FILE) for path in (pair.verl, pair.local))
    for step in range(1, 6):
        for name, tolerance in (("training/loss", 1e-6), ("training/grad_norm", 1e-4)):
            expected = by_local[step][name]
            assert by_verl[step][name] == pytest.approx(expected, rel=tolerance, abs=1e-6), step


def test_the_entropy_latch_flips(pair: Pair) -> None:
    modes = {
        step["training/negatives_on"] for step in metrics_by_step(pair.verl / METRICS_FILE).values()
    }
    assert modes == {0.0, 1.0}


def test_final_weights_differ_by_rounding_alone(pair: Pair) -> None:
    start = load_file(resolve_model("tiny-base") / "model.safetensors")
    by_verl, by_local = (
        load_file(path / "final" / "model.safetensors") for path in (pair.verl, pair.local)
    )
    assert by_verl.keys() == by_local.keys()
    moved = sum(float((by_local[name] - start[name]).square().sum()) for name in start) ** 0.5
    apart = sum(float((by_verl[name] - by_local[name]).square().sum()) for name in start) ** 0.5
    assert moved > 0.1
    assert apart < 0.1 * moved


def test_the_checkpoint_loads_as_a_hugging_face_folder(pair: Pair) -> None:
    folder = pair.verl / "final"
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype is torch.float32
    assert AutoTokenizer.from_pretrained(folder).chat_template
    written = load_file(folder / "model.safetensors")
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in written.items())
    assert not (pair.verl / "verl").exists()  # verl's checkpoints are no longer needed


def test_held_out_accuracy_is_within_the_seeds_spread(pair: Pair) -> None:
    by_verl, by_local = held_out_accuracy(pair.verl_cell), held_out_accuracy(pair.local_cell)
    assert min(by_verl, by_local) > 0.8  # 0.45 before training
    assert abs(by_verl - by_local) <= SEEDS_SPREAD


def held_out_accuracy(cell: Path) -> float:
    """Return the mean reward over the questions of a cell."""
    scores = json.loads(cell.read_text("utf-8"))["scores"]
    assert len(scores) == 200
    return fmean(fmean(score["rewards"]) for score in scores)
