"""Time forward and backward passes of verl's FSDP2 engine, or of ours under it.

    python -m grpo_steps.verl_passes PLAN.json RESULT.json GRADIENTS.safetensors

Runs in the environment of `make test-cluster`. The rows are drawn tokens, the same on both sides;
the loss is verl's. Nothing is sharded: there is one rank.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

os.environ["VERL_PLATFORM"] = "cpu"

import torch
import torch.distributed as dist
import verl
from safetensors.torch import save_file
from tensordict import TensorDict

from grpo_steps.children import StepPlan, read_plan
from grpo_steps.process_memory import MemoryMeter

FIRST_WORD_ID, VOCABULARY = 300, 1_024
"""Tokens are drawn from here on: past the special ones and the bytes."""


def made_engine(plan: StepPlan) -> Any:
    """Return the engine as verl's worker makes it."""
    from verl.trainer.config import CheckpointConfig
    from verl.workers.config import FSDPEngineConfig, FSDPOptimizerConfig, HFModelConfig
    from verl.workers.engine import EngineRegistry

    from longloom.engines.verl.prefix_settings import SHARING_SETTINGS

    kind = {
        name: SHARING_SETTINGS[f"actor_rollout_ref.model.{name}"]
        for name in ("external_lib", "model_type")
        if plan.shares_prompts
    }
    model_config = HFModelConfig(
        path=plan.model,
        override_config={"attn_implementation": "sdpa"},
        enable_gradient_checkpointing=plan.gradient_checkpointing,
        use_remove_padding=False,
        **kind,
    )
    engine = EngineRegistry.new(
        model_type=model_config.model_type,
        backend="fsdp2",
        model_config=model_config,
        engine_config=FSDPEngineConfig(
            strategy="fsdp2",
            mixed_precision={"param_dtype": "fp32", "reduce_dtype": "fp32"},
            use_torch_compile=False,
        ),
        optimizer_config=FSDPOptimizerConfig(lr=1e-6, total_training_steps=10),
        checkpoint_config=CheckpointConfig(),
    )
    engine.initialize()
    return engine


def made_batch(plan: StepPlan) -> TensorDict:
    """Return one group as verl's trainer sends it."""
    from verl.utils import tensordict_utils

    rng = Random(0)

    def drawn(num_tokens: int) -> list[int]:
        return [rng.randrange(FIRST_WORD_ID, VOCABULARY) for _ in range(num_tokens)]

    prompt = drawn(plan.prompt_tokens)
    responses = [drawn(plan.response_tokens) for _ in range(plan.group_size)]
    centre = (plan.group_size - 1) / 2
    ones = [torch.ones(plan.response_tokens)] * plan.group_size
    values = {
        "prompts": [torch.tensor(prompt)] * plan.group_size,
        "responses": [torch.tensor(response) for response in responses],
        "input_ids": [torch.tensor(prompt + response) for response in responses],
        "position_ids": [torch.arange(plan.prompt_tokens + plan.response_tokens)] * plan.group_size,
        "response_mask": ones,
        "loss_mask": ones,
        "old_log_probs": [one * -7.0 for one in ones],
        "advantages": [one * (row - centre) for row, one in enumerate(ones)],
    }
    batch = TensorDict(
        {
            name: torch.nested.as_nested_tensor(rows, layout=torch.jagged)
            for name, rows in values.items()
        },
        batch_size=plan.group_size,
    )
    row_tokens = plan.prompt_tokens + plan.response_tokens
    tensordict_utils.assign_non_tensor(
        batch,
        use_dynamic_bsz=True,
        max_token_len_per_gpu=row_tokens * (plan.peer_micro_batch or plan.group_size),
        temperature=1.0,
        calculate_entropy=False,
        global_batch_size=plan.group_size,
        use_remove_padding=False,
        use_fused_kernels=False,
        pad_token_id=0,
    )
    return batch


def made_loss() -> Any:
    """Return verl's loss, unclipped: the probabilities before are made up."""
    from verl.workers.config import FSDPActorConfig
    from verl.workers.utils.losses import ppo_loss

    config = FSDPActorConfig(
        strategy="fsdp2",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        clip_ratio_low=1e6,
        clip_ratio_high=1e6,
        clip_ratio_c=1e9,
    )
    return partial(ppo_loss, config=config)


def measured(plan: StepPlan, gradients_path: Path) -> dict[str, Any]:
    """Take the passes; return their figures and write the last gradients."""
    torch.set_num_threads(plan.threads)
    engine, batch, loss = made_engine(plan), made_batch(plan), made_loss()
    passes = []
    with engine.train_mode():
        meter = MemoryMeter("cpu")
        for _ in range(plan.num_steps + 1):
            engine.optimizer_zero_grad()
            wall, cpu = time.perf_counter(), time.process_time()
            engine.forward_backward_batch(batch.clone(), loss)
            seconds = {
                "wall_seconds": time.perf_counter() - wall,
                "cpu_seconds": time.process_time() - cpu,
            }
            passes.append(seconds)
        memory = meter.figures()
        gradients = {
            name: parameter.grad.full_tensor()
            for name, parameter in engine.module.named_parameters()
        }
        save_file(gradients, gradients_path)
    return {
        "engine": f"verl {verl.__version__}, torch {torch.__version__}",
        "passes": passes[1:],  # the first warms up
        **memory,
    }


def main(plan_path: Path, result_path: Path, gradients_path: Path) -> None:
    """Measure one side in one rank."""
    store = result_path.with_suffix(".store")
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    result_path.write_text(json.dumps(measured(read_plan(plan_path), gradients_path)), "utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
