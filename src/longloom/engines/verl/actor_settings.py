"""verl's group `actor_rollout_ref` of a stage: the model, its training, and its rollouts."""

from collections.abc import Mapping
from typing import Any

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import ClusterLayout, StageLengths
from longloom.engines.verl.hydra_file import Settings
from longloom.engines.verl.optimizer_settings import (
    adapter_settings,
    fsdp_optimizer,
    megatron_optimizer,
)
from longloom.engines.verl.stage_settings import VerlStageSettings

CPU_ROLLOUT = "longloom_cpu"
"""Name of the rollout backend on a CPU."""
DUAL_CLIP = 1e9
"""verl cuts the loss of a failed answer at this ratio; a ratio is at most e^20 = 4.9e8 there, so it
never does. The local engine has no such cut."""
_AGENTS = {"memory": "longloom_memory", "single_pass": "longloom_single_pass"}
_AGGREGATION = {"sequence_mean": "seq-mean-token-mean", "token_mean": "token-mean"}
_ALL_FP32 = {"param_dtype": "fp32", "reduce_dtype": "fp32", "buffer_dtype": "fp32"}
_ACTOR = "actor_rollout_ref.actor"
_MODEL = "actor_rollout_ref.model"
_ROLLOUT = "actor_rollout_ref.rollout"


def add_actor(
    settings: Settings,
    stage: VerlStageSettings,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    lengths: StageLengths,
    *,
    optimizer: OptimizerConfig,
    lora: LoraConfig | None,
) -> None:
    """Add the group `actor_rollout_ref`.

    Raises:
        ConfigError: verl cannot express a setting.
    """
    # A rank may wait for the longest micro-batches of another.
    settings.set("actor_rollout_ref.nccl_timeout", 7_200, "seconds")
    add_model(settings, _MODEL, stage.model, cluster, lora)
    _add_loss(settings, stage)
    settings.set(f"{_ACTOR}.strategy", strategy(cluster))
    settings.group(_ACTOR, {"ppo_mini_batch_size": lengths.num_prompts, "ppo_epochs": 1})
    settings.set(f"{_ACTOR}.use_dynamic_bsz", True)
    reason = layout.reasons.get("update_tokens_per_gpu", "")
    settings.set(f"{_ACTOR}.ppo_max_token_len_per_gpu", layout.update_tokens_per_gpu, reason)
    settings.set(f"{_ACTOR}.data_loader_seed", stage.seed)
    settings.set(f"{_ACTOR}.checkpoint.save_contents", ["model", "optimizer", "extra"])
    if layout.megatron is not None:
        _add_megatron(settings, stage, layout, optimizer)
    else:
        _add_fsdp(settings, stage, cluster, layout, optimizer)
    _add_rollout(settings, stage, cluster, layout, lengths)


def strategy(cluster: ClusterConfig) -> str:
    """Return the name of verl's engine."""
    if cluster.train_backend == "megatron":
        return "megatron"
    return "fsdp2"


def add_model(
    settings: Settings,
    group: str,
    folder: str,
    cluster: ClusterConfig,
    lora: LoraConfig | None,
) -> None:
    """Add verl's settings of the network.

    Raises:
        ConfigError: verl cannot express the adapters.
    """
    is_cuda = cluster.device == "cuda"
    settings.set(f"{group}.path", folder)
    settings.set(f"{group}.use_remove_padding", is_cuda, "rows are packed; needs flash attention")
    settings.set(
        f"{group}.use_fused_kernels", is_cuda, "no logits of whole rows: 120K x 151,936 are 36 GB"
    )
    settings.set(f"{group}.enable_gradient_checkpointing", is_cuda)
    if not is_cuda:
        settings.set(f"{group}.override_config.attn_implementation", "sdpa")
    for name, value in adapter_settings(lora).items():
        settings.set(f"{group}.{name}", value)


def fsdp_settings(
    cluster: ClusterConfig, layout: ClusterLayout, seed: int
) -> Mapping[str, tuple[Any, str]]:
    """Return verl's settings of FSDP2, each with its reason."""
    reasons = layout.reasons
    is_kept, offload = layout.offload == "none", reasons.get("offload", "")
    found: dict[str, tuple[Any, str]] = {
        "ulysses_sequence_parallel_size": (
            layout.sequence_parallel,
            reasons.get("sequence_parallel", ""),
        ),
        "param_offload": (layout.offload == "between_phases", offload),
        "optimizer_offload": (layout.offload == "between_phases", "" if is_kept else "as above"),
        "offload_policy": (layout.offload == "always", "" if is_kept else "as above"),
        "use_no_sync_for_gradient_accumulation": (
            False,
            "else each GPU holds the gradients of all weights between micro-batches",
        ),
        "model_dtype": ("fp32", ""),
        "seed": (seed, ""),
    }
    if cluster.device == "cpu":
        found["mixed_precision"] = (_ALL_FP32, "so that it equals the local engine to rounding")
        found["use_torch_compile"] = (False, "")
    return found


def _add_loss(settings: Settings, stage: VerlStageSettings) -> None:
    loss = stage.training.loss
    settings.set(f"{_ACTOR}.policy_loss.loss_mode", "vanilla", "all else is in the advantages")
    settings.set(f"{_ACTOR}.loss_agg_mode", _AGGREGATION[loss.aggregation], "QwenLong-L1.5, Eq. 4")
    settings.set(f"{_ACTOR}.clip_ratio_low", loss.clip_low)
    settings.set(f"{_ACTOR}.clip_ratio_high", loss.clip_high)
    settings.set(f"{_ACTOR}.clip_ratio_c", DUAL_CLIP, "never acts: ratios are at most e^20 = 4.9e8")
    settings.set(f"{_ACTOR}.entropy_coeff", 0)
    has_kl = loss.kl_coefficient > 0
    settings.set(f"{_ACTOR}.use_kl_loss", has_kl, "" if has_kl else "the paper has no KL term")
    if has_kl:
        settings.set(f"{_ACTOR}.kl_loss_coef", loss.kl_coefficient)
        settings.set(f"{_ACTOR}.kl_loss_type", "low_var_kl", "k3; verl cuts it at 10 nats a token")


def _add_fsdp(
    settings: Settings,
    stage: VerlStageSettings,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    optimizer: OptimizerConfig,
) -> None:
    training = stage.training
    optim = fsdp_optimizer(
        optimizer,
        peak=training.learning_rate,
        max_grad_norm=training.max_grad_norm,
        warmup_steps=training.warmup_steps,
        num_steps=training.num_steps,
    )
    settings.group(f"{_ACTOR}.optim", optim)
    settings.set(f"{_ACTOR}.grad_clip", training.max_grad_norm)
    engine = fsdp_settings(cluster, layout, stage.seed)
    for name, (value, reason) in engine.items():
        settings.set(f"{_ACTOR}.fsdp_config.{name}", value, reason)
    if layout.sequence_parallel > 1:
        settings.set(f"{_ACTOR}.ulysses_sequence_parallel_size", layout.sequence_parallel)
    reference = "actor_rollout_ref.ref.fsdp_config"
    degree = layout.sequence_parallel
    settings.set(f"{reference}.ulysses_sequence_parallel_size", degree)
    if cluster.device == "cpu":
        settings.set(f"{_ACTOR}.use_torch_compile", False)
        settings.set(f"{reference}.mixed_precision", _ALL_FP32)
        settings.set(f"{reference}.use_torch_compile", False)


def _add_megatron(
    settings: Settings,
    stage: VerlStageSettings,
    layout: ClusterLayout,
    optimizer: OptimizerConfig,
) -> None:
    megatron, training = layout.megatron, stage.training
    assert megatron is not None
    optim = megatron_optimizer(
        optimizer,
        peak=training.learning_rate,
        max_grad_norm=training.max_grad_norm,
        warmup_steps=training.warmup_steps,
        num_steps=training.num_steps,
    )
    settings.group(f"{_ACTOR}.optim", optim)
    group, reasons = f"{_ACTOR}.megatron", layout.reasons
    settings.set(
        f"{group}.tensor_model_parallel_size", megatron.tensor_parallel, reasons["megatron"]
    )
    settings.set(f"{group}.pipeline_model_parallel_size", megatron.pipeline_parallel)
    settings.set(
        f"{group}.context_parallel_size", megatron.context_parallel, reasons["sequence_parallel"]
    )
    settings.set(f"{group}.expert_model_parallel_size", megatron.expert_parallel)
    settings.set(f"{group}.expert_tensor_parallel_size", 1)
    moves = layout.offload == "between_phases"
    settings.set(f"{group}.param_offload", moves, reasons["offload"])
    settings.set(f"{group}.optimizer_offload", moves)
    settings.set(f"{group}.seed", stage.seed)
    settings.group(
        f"{group}.override_transformer_config",
        {
            "recompute_granularity": "full",
            "recompute_method": "uniform",
            "recompute_num_layers": 1,
        },
    )


def _add_rollout(
    settings: Settings,
    stage: VerlStageSettings,
    cluster: ClusterConfig,
    layout: ClusterLayout,
    lengths: StageLengths,
) -> None:
    training, reasons = stage.training, layout.reasons
    is_cuda = cluster.device == "cuda"
    settings.set(f"{_ROLLOUT}.name", cluster.rollout_backend if is_cuda else CPU_ROLLOUT)
    settings.set(f"{_ROLLOUT}.n", training.group_size, "G")
    settings.set(f"{_ROLLOUT}.temperature", training.temperature)
    settings.set(f"{_ROLLOUT}.top_p", training.top_p)
    settings.set(f"{_ROLLOUT}.top_k", -1)
    settings.set(f"{_ROLLOUT}.seed", stage.seed)
    settings.set(f"{_ROLLOUT}.prompt_length", lengths.prompt_tokens)
    settings.set(f"{_ROLLOUT}.response_length", lengths.response_tokens)
    settings.set(
        f"{_ROLLOUT}.max_model_len",
        lengths.row_tokens,
        f"{lengths.prompt_tokens:,} + {lengths.response_tokens:,}",
    )
    for name, value in {
        "tensor_model_parallel_size": layout.rollout_tensor_parallel,
        "gpu_memory_utilization": layout.rollout_memory_fraction,
        "max_num_batched_tokens": layout.max_batched_tokens,
        "max_num_seqs": layout.max_sequences,
    }.items():
        settings.set(f"{_ROLLOUT}.{name}", value, reasons.get(_REASON_BY_NAME[name], ""))
    settings.set(f"{_ROLLOUT}.enable_chunked_prefill", True)
    settings.set(f"{_ROLLOUT}.enable_prefix_caching", True, "a group has one prompt")
    settings.set(f"{_ROLLOUT}.calculate_log_probs", True, "the sampler's, for its mismatch")
    settings.set(f"{_ROLLOUT}.log_prob_use_dynamic_bsz", True)
    settings.set(
        f"{_ROLLOUT}.log_prob_max_token_len_per_gpu",
        layout.logprob_tokens_per_gpu,
        reasons.get("logprob_tokens_per_gpu", ""),
    )
    reference = "actor_rollout_ref.ref"
    settings.set(f"{reference}.log_prob_max_token_len_per_gpu", layout.logprob_tokens_per_gpu)
    settings.set(f"{_ROLLOUT}.agent.default_agent_loop", _AGENTS[stage.agent])
    reason = reasons.get("num_workers", "")
    settings.set(f"{_ROLLOUT}.agent.num_workers", layout.num_workers, reason)
    if not is_cuda:
        settings.set(f"{_ROLLOUT}.dtype", "float32")
        settings.set(f"{_ROLLOUT}.free_cache_engine", False)
        settings.set(f"{_ROLLOUT}.checkpoint_engine.update_weights_bucket_megabytes", 64)


_REASON_BY_NAME = {
    "tensor_model_parallel_size": "rollout_tensor_parallel",
    "gpu_memory_utilization": "rollout_memory_fraction",
    "max_num_batched_tokens": "max_batched_tokens",
    "max_num_seqs": "max_sequences",
}
