"""verl's plain engine and ours on the CPU, and what they compute of the same rows."""

import os
import tempfile
from functools import partial
from pathlib import Path

os.environ["VERL_PLATFORM"] = "cpu"

import torch
import torch.distributed as dist
import verl  # noqa: F401  # loads the plugin, which makes the platform known
from tensordict import TensorDict

from longloom.engines.verl.prefix_settings import SHARING_SETTINGS


def start_rank(store: Path, rank: int = 0, num_ranks: int = 1) -> None:
    """Join a process group over a file."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=num_ranks)


def make_engine(folder, *, shares, recomputes=False, dtype="fp32", lora_rank=0, **settings):
    """Return an engine as verl's worker makes it."""
    from verl.trainer.config import CheckpointConfig
    from verl.workers.config import FSDPEngineConfig, FSDPOptimizerConfig, HFModelConfig
    from verl.workers.engine import EngineRegistry

    torch.manual_seed(3)  # of new adapters
    model = model_settings() if shares else {"model_type": "language_model"}
    model |= {name: settings.pop(name) for name in ("use_fused_kernels",) if name in settings}
    model_config = HFModelConfig(
        path=str(folder),
        override_config={"attn_implementation": "eager"},
        enable_gradient_checkpointing=recomputes,
        use_remove_padding=False,  # verl's packed rows need flash attention
        lora_rank=lora_rank,
        **model,
    )
    engine_config = FSDPEngineConfig(
        **{
            "strategy": "fsdp2",
            "mixed_precision": {"param_dtype": dtype, "reduce_dtype": "fp32"},
            "use_torch_compile": False,
            **settings,
        }
    )
    engine = EngineRegistry.new(
        model_type=model_config.model_type,
        backend=engine_config.strategy,
        model_config=model_config,
        engine_config=engine_config,
        optimizer_config=FSDPOptimizerConfig(lr=1e-3, total_training_steps=10, clip_grad=1.0),
        checkpoint_config=CheckpointConfig(
            save_contents=["model", "optimizer", "extra", "hf_model"]
        ),
    )
    engine.initialize()
    return engine


def model_settings():
    """Return what verl is told of the model to share prompts."""
    prefix = "actor_rollout_ref.model."
    return {
        name.removeprefix(prefix): value
        for name, value in SHARING_SETTINGS.items()
        if name.startswith(prefix)
    }


def make_batch(rows, *, max_tokens=4_096, temperature=1.0, calculate_entropy=True, **settings):
    """Return rows of (prompt, response) as verl's trainer sends them."""
    from verl.utils import tensordict_utils

    generator = torch.Generator().manual_seed(5)

    def nested(values):
        return torch.nested.as_nested_tensor(list(values), layout=torch.jagged)

    def drawn(response):
        return torch.randn(len(response), generator=generator)

    both = [torch.tensor([*prompt, *response]) for prompt, response in rows]
    batch = TensorDict(
        {
            "prompts": nested(torch.tensor(prompt) for prompt, _ in rows),
            "responses": nested(torch.tensor(response) for _, response in rows),
            "input_ids": nested(both),
            "position_ids": nested(torch.arange(len(tokens)) for tokens in both),
            "response_mask": nested(torch.ones(len(response)) for _, response in rows),
            "loss_mask": nested(torch.ones(len(response)) for _, response in rows),
            "old_log_probs": nested(drawn(response) * 0.1 - 5 for _, response in rows),
            "advantages": nested(drawn(response) for _, response in rows),
        },
        batch_size=len(rows),
    )
    defaults = {
        "use_dynamic_bsz": True,
        "max_token_len_per_gpu": max_tokens,
        "temperature": temperature,
        "calculate_entropy": calculate_entropy,
        "global_batch_size": len(rows) * dist.get_world_size(),
        "use_remove_padding": False,
        "use_fused_kernels": False,
        "pad_token_id": 0,
    }
    for name, value in {**defaults, **settings}.items():
        if isinstance(value, torch.Tensor):
            batch[name] = value
        else:
            tensordict_utils.assign_non_tensor(batch, **{name: value})
    return batch


def actor_loss(**settings):
    """Return verl's loss, with clipping so wide that every token has a gradient."""
    from verl.workers.config import FSDPActorConfig
    from verl.workers.utils.losses import ppo_loss

    config = FSDPActorConfig(
        strategy="fsdp2",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        clip_ratio_low=1e6,
        clip_ratio_high=1e6,
        clip_ratio_c=1e9,
        **settings,
    )
    return partial(ppo_loss, config=config)


def full(tensor):
    """Return a sharded tensor whole."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def response_values(values, batch):
    """Return what verl's trainer takes of a nested result."""
    from verl.workers.utils.padding import response_from_nested

    return response_from_nested(values, batch["response_mask"]).values()


def scores_of(engine, batch):
    """Return log-probabilities and entropies of the response tokens, without gradient."""
    with engine.eval_mode():
        output = engine.infer_batch(batch.clone(), loss_function=None)["model_output"]
    return {name: response_values(values, batch) for name, values in output.items()}


def step_of(engine, batch, loss=None):
    """Take one step; return loss, gradients and the weights after it."""
    gradients = {}
    with engine.train_mode():
        output = engine.forward_backward_batch(batch.clone(), loss or actor_loss())
        for name, parameter in engine.module.named_parameters():
            if parameter.grad is not None:
                gradients[name] = full(parameter.grad).clone()
        norm = engine.optimizer_step()
    weights = {name: full(weight).clone() for name, weight in engine.module.state_dict().items()}
    return {
        "loss": torch.tensor(output["loss"]).sum(),
        "norm": torch.tensor(norm),
        "gradients": gradients,
        "weights": weights,
    }


def step_in_two_ranks(scratch, folder, rows_by_rank, *, shares, max_tokens):
    """Return what two processes found, each with rows of its own."""
    scratch = Path(tempfile.mkdtemp(dir=scratch))
    arguments = (str(scratch), str(folder), rows_by_rank, shares, max_tokens)
    torch.multiprocessing.spawn(_rank_main, arguments, nprocs=2)
    return torch.load(scratch / "found.pt")


def _rank_main(rank, scratch, folder, rows_by_rank, shares, max_tokens):
    start_rank(Path(scratch) / "store", rank, 2)
    engine = make_engine(folder, shares=shares)
    batch = make_batch(rows_by_rank[rank], max_tokens=max_tokens)
    scores: list[dict] = [{}, {}]
    dist.all_gather_object(scores, scores_of(engine, batch))
    found = {**step_of(engine, batch), "first": scores[0], "second": scores[1]}
    dist.all_reduce(found["loss"])
    if rank == 0:
        torch.save(found, Path(scratch) / "found.pt")
    dist.barrier()
    dist.destroy_process_group()
