"""The benchmark of verl's engine compares what it says; its sides need verl and run by hand."""

from pathlib import Path

import pytest
import torch
import verl_prefix
from grpo_steps.made_prompts import StepShape
from safetensors.torch import save_file


def test_sides_differ_in_sharing_and_micro_batches_alone():
    sides = verl_prefix.sides_of(StepShape.parse("90/9/3"), Path("model"), 2)
    assert {name: plan.shares_prompts for name, plan in sides.items()} == {
        "shared": True, "verl": False, "verl_rows": False,
    }  # fmt: skip
    assert {name: plan.peer_micro_batch for name, plan in sides.items()} == {
        "shared": None, "verl": None, "verl_rows": 1,
    }  # fmt: skip
    assert {(plan.prompt_tokens, plan.response_tokens) for plan in sides.values()} == {(90, 9)}


def test_medians_are_over_all_passes_and_over_runs_for_memory():
    def run(seconds, peak):
        passes = [{"cpu_seconds": value, "wall_seconds": 2 * value} for value in seconds]
        memory = {"start_mb": 10.0, "peak_mb": peak, "above_start_mb": peak - 10.0}
        return {"engine": "one", "passes": passes, **memory}

    found = verl_prefix.median_side([run([1.0, 5.0], 30.0), run([2.0], 40.0), run([9.0], 90.0)])
    assert found["num_passes"] == 4
    assert (found["cpu_seconds"], found["wall_seconds"]) == (3.5, 7.0)
    assert found["above_start_mb"] == 30.0


def test_the_gap_is_that_of_all_weights_together(tmp_path):
    save_file({"a": torch.tensor([3.0, 4.0]), "b": torch.tensor([1.0])}, tmp_path / "ours")
    save_file({"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}, tmp_path / "theirs")
    assert verl_prefix.relative_gap(tmp_path / "ours", tmp_path / "theirs") == pytest.approx(1.0)
    save_file({"a": torch.tensor([3.0, 4.0])}, tmp_path / "fewer")
    with pytest.raises(SystemExit, match="other weights have gradients: \\['b'\\]"):
        verl_prefix.relative_gap(tmp_path / "ours", tmp_path / "fewer")
