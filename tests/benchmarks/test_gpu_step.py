"""The GPU benchmark runs at toy size on the CPU, and says what it cannot do."""

import gpu_step
import pytest
from grpo_steps.made_prompts import StepShape


@pytest.mark.slow
def test_toy_runs_both_sides():
    result = gpu_step.main(["--toy", "--without-trl", "--steps", "1"])
    sides = result["shapes"]["96/8/2"]
    assert set(sides) == {"ours", "ours_unshared"}
    for figures in sides.values():
        assert "failure" not in figures, figures
        assert figures["answer_tokens"] == 8
        assert figures["row_tokens_per_second"] > figures["distinct_tokens_per_second"] > 0


def test_rates_count_the_prompt_for_every_row_or_once():
    shape = StepShape(prompt_tokens=100, response_tokens=10, group_size=4)
    figures = gpu_step.with_rates({"wall_seconds": 2.0}, shape)
    assert figures["row_tokens_per_second"] == 4 * 110 / 2
    assert figures["distinct_tokens_per_second"] == (100 + 4 * 10) / 2


def test_toy_figures_are_not_written():
    with pytest.raises(SystemExit, match="nothing worth keeping"):
        gpu_step.main(["--toy", "--write"])
