"""The benchmark of the planner asks for the sizes of its cases."""

from pathlib import Path

import pytest
from plan_accuracy import CASES, CUDA_CASES, recipe_of

from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.expected_work import expected_work
from longloom.recipes.run_config import check_lengths


@pytest.mark.parametrize(
    "case", [*CASES, *CUDA_CASES], ids=lambda case: f"{case.model} {case.name}"
)
def test_a_case_is_planned_with_its_own_sizes(case) -> None:
    config = recipe_of(case, Path("model"), "cpu")
    check_lengths(config)
    assumed = PlanAssumptions(answer_fraction=1.0, prompt_fraction=1.0)
    (work,) = expected_work(config, assumed)
    rows = case.num_prompts * case.group_size
    assert work.num_rollouts == rows
    assert work.prefilled_tokens == case.num_prompts * case.prompt_tokens
    assert work.drawn_tokens == rows * case.response_tokens
