"""Compare the gradient of shared prompts with that of plain rows, and time both.

    python -m grpo_steps.gradient_gap PLAN.json RESULT.json

Three ways to the same gradient of the same policy-gradient loss over the same tokens, in fp32:

    shared       one prompt for the group (`score_sequences`), as the engine trains
    own rows     the same network, one whole row after another, nothing shared
    transformers Qwen3ForCausalLM over full rows as one batch, logits of the answers alone

The difference is that of all parameters as one vector: |ours - theirs| / |theirs|.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from grpo_steps.children import StepPlan, read_plan
from grpo_steps.made_prompts import read_prompts
from longloom.models.loading import load_network
from longloom.models.local_policy import score_sequences
from longloom.models.network import Network
from longloom.records import TrainingSequence
from longloom.text.tokenizer import FolderTokenizer
from longloom.training.loss_config import LossConfig, LossDenominators
from longloom.training.losses import policy_gradient_loss

FIRST_WORD_ID = 300
"""Answers are drawn from here on: past the special tokens and the bytes."""

Gradients = Mapping[str, Tensor]


def made_sequences(plan: StepPlan) -> list[TrainingSequence]:
    """Return a group of drawn answers with advantages that sum to 0."""
    prompt = read_prompts(Path(plan.prompts))[0]
    prompt_ids = tuple(FolderTokenizer(Path(plan.model)).encode(prompt.text))
    rng = Random(0)
    centre = (plan.group_size - 1) / 2
    return [
        TrainingSequence(
            prompt_ids=prompt_ids,
            response_ids=tuple(
                rng.randrange(FIRST_WORD_ID, 1_024) for _ in range(plan.response_tokens)
            ),
            rollout_logprobs=(0.0,) * plan.response_tokens,
            advantages=((index - centre) / plan.group_size,) * plan.response_tokens,
        )
        for index in range(plan.group_size)
    ]


def loss_of(logprobs: Tensor, sequences: list[TrainingSequence], num_tokens: int) -> Tensor:
    """Return the policy-gradient loss of packed response tokens."""
    advantages = torch.tensor([value for row in sequences for value in row.advantages])
    denominators = LossDenominators(num_tokens=num_tokens, num_sequences=len(sequences))
    return policy_gradient_loss(logprobs, None, advantages, LossConfig(), denominators)[0]


def shared_pass(network: Network, sequences: list[TrainingSequence]) -> None:
    """Leave the gradient of the whole group in the network."""
    num_tokens = sum(len(row.response_ids) for row in sequences)
    logprobs, _ = score_sequences(network, sequences, temperature=1.0)
    loss_of(logprobs, sequences, num_tokens).backward()


def own_rows_pass(network: Network, sequences: list[TrainingSequence]) -> None:
    """Leave the gradient of the whole group in the network, row by row."""
    num_tokens = sum(len(row.response_ids) for row in sequences)
    for row in sequences:
        logprobs, _ = score_sequences(network, [row], temperature=1.0)
        loss_of(logprobs, [row], num_tokens).backward()


def transformers_pass(model: torch.nn.Module, sequences: list[TrainingSequence]) -> None:
    """Leave the gradient of the whole group in a model of transformers."""
    num_tokens = sum(len(row.response_ids) for row in sequences)
    num_kept = len(sequences[0].response_ids)
    rows = torch.tensor([row.prompt_ids + row.response_ids for row in sequences])
    logits = model(input_ids=rows[:, :-1], logits_to_keep=num_kept, use_cache=False).logits
    logprobs = logits.float().log_softmax(-1).gather(-1, rows[:, -num_kept:, None])
    loss_of(logprobs.flatten(), sequences, num_tokens).backward()


def timed_gradients(
    model: torch.nn.Module, learn: Callable[[], None], repetitions: int
) -> tuple[Gradients, float]:
    """Return the gradient by name and the median CPU seconds of a forward and backward pass."""
    seconds = []
    for _ in range(repetitions + 1):
        model.zero_grad(set_to_none=True)
        begin = time.process_time()
        learn()
        seconds.append(time.process_time() - begin)
    found = {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return found, statistics.median(seconds[1:])


def relative_difference(ours: Gradients, theirs: Gradients) -> float:
    """Return |ours - theirs| / |theirs| over all parameters.

    Raises:
        ValueError: the parameters differ.
    """
    if ours.keys() != theirs.keys():
        raise ValueError(f"parameters differ: {sorted(ours.keys() ^ theirs.keys())[:5]}")
    difference = sum((ours[name] - theirs[name]).double().square().sum() for name in theirs)
    size = sum(part.double().square().sum() for part in theirs.values())
    return float((difference / size).sqrt())


def main() -> None:
    """Compare and write the result."""
    from transformers import AutoModelForCausalLM

    plan = read_plan(Path(sys.argv[1]))
    torch.set_num_threads(plan.threads)
    sequences = made_sequences(plan)
    network = load_network(Path(plan.model))
    model = AutoModelForCausalLM.from_pretrained(plan.model, dtype=torch.float32)
    repeats = plan.num_steps
    shared, shared_seconds = timed_gradients(
        network, lambda: shared_pass(network, sequences), repeats
    )
    own, own_seconds = timed_gradients(network, lambda: own_rows_pass(network, sequences), repeats)
    theirs, their_seconds = timed_gradients(
        model, lambda: transformers_pass(model, sequences), repeats
    )
    result = {
        "relative_difference_to_transformers_rows": relative_difference(shared, theirs),
        "relative_difference_to_own_rows": relative_difference(shared, own),
        "own_rows_to_transformers_rows": relative_difference(own, theirs),
        "shared_cpu_seconds": round(shared_seconds, 4),
        "own_rows_cpu_seconds": round(own_seconds, 4),
        "transformers_rows_cpu_seconds": round(their_seconds, 4),
    }
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main()
