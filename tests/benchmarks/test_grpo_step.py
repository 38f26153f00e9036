"""The step benchmark measures what it says: equal work, plain ratios, gradients that can differ."""

from dataclasses import replace
from pathlib import Path

import grpo_step
import pytest
import torch
from grpo_steps import gradient_gap
from grpo_steps.children import ChildFigures, StepPlan, median_figures
from grpo_steps.made_model import END, SPECIALS, ModelSizes, write_model
from grpo_steps.made_prompts import StepShape, make_prompts, read_prompts, write_prompts
from grpo_steps.our_steps import Steps

from longloom.text.tokenizer import FolderTokenizer

SIZES = ModelSizes(
    vocab_size=1_200,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=256,
)
SHAPE = StepShape(prompt_tokens=90, response_tokens=9, group_size=3)


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> StepPlan:
    folder = tmp_path_factory.mktemp("grpo-step")
    write_model(folder, SIZES)
    write_prompts(folder / "prompts.json", make_prompts(folder, SHAPE.prompt_tokens, 6))
    return StepPlan(
        model=str(folder),
        prompts=str(folder / "prompts.json"),
        prompt_tokens=SHAPE.prompt_tokens,
        response_tokens=SHAPE.response_tokens,
        group_size=SHAPE.group_size,
        num_steps=1,
    )


def test_prompts_have_the_asked_length_and_differ(plan):
    tokenizer = FolderTokenizer(Path(plan.model))
    prompts = read_prompts(Path(plan.prompts))
    assert {len(tokenizer.encode(prompt.text)) for prompt in prompts} == {SHAPE.prompt_tokens}
    assert len({prompt.text for prompt in prompts}) == len(prompts)


def test_prompt_without_room_is_refused(plan):
    with pytest.raises(ValueError, match="no room"):
        make_prompts(Path(plan.model), 10, 1)


def test_end_token_cannot_be_drawn(plan):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(plan.model)
    tokenizer = FolderTokenizer(Path(plan.model))
    assert tokenizer.end_id == SPECIALS.index(END)
    token_ids = tokenizer.encode(read_prompts(Path(plan.prompts))[0].text)
    with torch.no_grad():
        probabilities = model(torch.tensor([token_ids])).logits[0].softmax(-1)
    assert float(probabilities[:, tokenizer.end_id].max()) == 0
    assert float(probabilities[:, 300:].min()) > 0


@pytest.mark.parametrize("shares_prompts", [True, False])
def test_every_answer_has_the_asked_length(plan, shares_prompts):
    prompts = read_prompts(Path(plan.prompts))
    chosen = prompts[:1] * SHAPE.group_size if shares_prompts else prompts[: SHAPE.group_size]
    steps = Steps(plan)
    figures = steps.take(0, chosen)
    assert figures.answer_tokens == SHAPE.response_tokens
    assert figures.sampler_gap_nats < 1e-5
    assert figures.cpu_seconds > figures.rollout_cpu_seconds > 0
    assert len(steps.digests) == (1 if shares_prompts else SHAPE.group_size)


def test_gradients_of_the_three_ways_agree(plan):
    from transformers import AutoModelForCausalLM

    from longloom.models.loading import load_network

    sequences = gradient_gap.made_sequences(plan)
    network = load_network(Path(plan.model))
    model = AutoModelForCausalLM.from_pretrained(plan.model)

    def gradients(learner, learn, rows):
        return gradient_gap.timed_gradients(learner, lambda: learn(learner, rows), 1)[0]

    shared = gradients(network, gradient_gap.shared_pass, sequences)
    own = gradients(network, gradient_gap.own_rows_pass, sequences)
    theirs = gradients(model, gradient_gap.transformers_pass, sequences)
    assert gradient_gap.relative_difference(shared, theirs) < 1e-5
    assert gradient_gap.relative_difference(own, theirs) < 1e-5
    # A token moved to another answer must show.
    first = replace(sequences[0], response_ids=(999, *sequences[0].response_ids[1:]))
    changed = gradients(network, gradient_gap.shared_pass, [first, *sequences[1:]])
    assert gradient_gap.relative_difference(changed, theirs) > 1e-2


def test_relative_difference_is_of_all_parameters_as_one_vector():
    theirs = {"a": torch.tensor([3.0]), "b": torch.tensor([0.0, 4.0])}
    ours = {"a": torch.tensor([3.0]), "b": torch.tensor([0.0, 3.0])}
    assert gradient_gap.relative_difference(ours, theirs) == pytest.approx(1 / 5)
    with pytest.raises(ValueError, match="parameters differ"):
        gradient_gap.relative_difference({"a": theirs["a"]}, theirs)


def child(cpu: float, rollout: float, memory: float) -> dict:
    step = {
        "wall_seconds": 2 * cpu,
        "cpu_seconds": cpu,
        "rollout_wall_seconds": 2 * rollout,
        "rollout_cpu_seconds": rollout,
        "answer_tokens": 32.0,
    }
    return {
        "engine": "made",
        "steps": [step],
        "prompt_digests": ["a"],
        "start_mb": 100.0,
        "peak_mb": 100.0 + memory,
        "above_start_mb": memory,
    }


def test_medians_are_over_all_steps_and_runs():
    figures = median_figures([child(1.0, 0.5, 10.0), child(5.0, 1.0, 30.0), child(2.0, 0.5, 20.0)])
    assert figures["cpu_seconds"] == 2.0
    assert figures["update_cpu_seconds"] == 1.5
    assert figures["least_cpu_seconds"] == 1.0
    assert figures["above_start_mb"] == 20.0


def test_ratios_and_targets_follow_from_the_figures():
    shape = StepShape(prompt_tokens=1024, response_tokens=32, group_size=8)
    gradients = {
        "relative_difference_to_transformers_rows": 2e-5,
        "shared_cpu_seconds": 1.0,
        "own_rows_cpu_seconds": 3.0,
        "transformers_rows_cpu_seconds": 4.0,
    }
    found = {
        "ours": [ChildFigures(figures=child(1.0, 0.5, 10.0))],
        "ours_unshared": [ChildFigures(figures=child(2.0, 1.0, 10.0))],
        "trl": [ChildFigures(figures=child(5.0, 1.0, 30.0))],
    }
    result = grpo_step.summarised(shape, found, ChildFigures(figures=gradients))
    assert result["ratios"]["trl_cpu_seconds"] == 5.0
    assert result["ratios"]["trl_memory"] == 3.0
    assert result["ratios"]["own_rows_forward_backward"] == 3.0
    assert result["targets_met"] == {
        "4 times less CPU time than TRL": True,
        "a quarter of TRL's memory above start": False,
        "gradient within 1e-5 of plain rows": False,
    }


def test_failed_side_is_reported_and_gives_no_ratio():
    found = {
        "ours": [ChildFigures(figures=child(1.0, 0.5, 10.0))],
        "ours_unshared": [],
        "trl": [ChildFigures(figures=None, failure="out of memory")],
    }
    failed = ChildFigures(figures=None, failure="no result within 1 s")
    result = grpo_step.summarised(replace(SHAPE, response_tokens=32), found, failed)
    assert result["trl"] == {"failure": "out of memory"}
    assert result["ratios"] == {}
    assert result["targets_met"] == {}


def test_sides_that_read_different_prompts_are_refused():
    other = {**child(1.0, 0.5, 10.0), "prompt_digests": ["b"]}
    found = {
        "ours": [ChildFigures(figures=child(1.0, 0.5, 10.0))],
        "trl": [ChildFigures(figures=other)],
    }
    with pytest.raises(SystemExit, match="different prompts"):
        grpo_step.check_alike(replace(SHAPE, response_tokens=32), found)
