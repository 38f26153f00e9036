"""What of verl the plugin overrides or calls, as it was when the plugin was made for it.

verl changes such interfaces between releases: a plugin that is loaded into another one would train
something else in silence. So the release is checked at every start, and the signatures by a test.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from longloom.errors import EngineError, MissingDependencyError

TESTED_VERSION = "0.9.1"
"""The release of verl."""

_TRAINER = "verl.trainer.ppo.v1.trainer_base:PPOTrainer"
_ENGINE = "verl.workers.engine.fsdp.transformer_impl:FSDPEngineWithLMHead"
_SYNC = "verl.trainer.ppo.v1.trainer_sync:PPOTrainerSync"
SIGNATURES: Mapping[str, tuple[str, ...]] = {
    f"{_TRAINER}.__init__": ("self", "config"),
    f"{_TRAINER}._build_replay_buffer": ("self",),
    f"{_TRAINER}.fit": ("self", "agent_loop_manager"),
    f"{_TRAINER}.step": ("self", "metrics", "timing_raw"),
    f"{_TRAINER}.prepare_step": ("self",),
    f"{_TRAINER}._step_once": ("self", "metrics", "timing_raw", "sample_batch_size"),
    f"{_TRAINER}.on_train_begin": ("self",),
    f"{_TRAINER}._next_train_batch": ("self", "num_prompts"),
    f"{_TRAINER}._balance_batch": (
        "self", "batch", "metrics", "logging_prefix", "keep_minibatch",
    ),
    f"{_TRAINER}._compute_advantage": ("self", "batch", "metrics"),
    f"{_TRAINER}._update_actor": ("self", "batch", "metrics"),
    f"{_TRAINER}._save_checkpoint": ("self",),
    f"{_TRAINER}._load_checkpoint": ("self",),
    f"{_SYNC}.on_init_end": ("self",),
    f"{_SYNC}.on_sample_end": ("self",),
    f"{_SYNC}.on_step_end": ("self",),
    "verl.trainer.ppo.v1.replay_buffer:ReplayBuffer.__init__": (
        "self", "trainer_mode", "trainer_config", "max_off_policy_threshold",
        "max_off_policy_strategy", "sampler_kwargs", "poll_interval", "refill_fn",
        "filter_groups_metric", "train_batch_size", "gen_batch_size", "max_inflight_gen_batches",
        "sync_refill_failed_groups",
    ),
    "verl.trainer.ppo.v1.replay_buffer:ReplayBuffer.sample": (
        "self", "global_steps", "partition_id", "batch_size",
    ),
    "verl.trainer.ppo.padding_utils:upsample_batch_to_divisible_size": (
        "batch", "batch_multiple", "eos_token_id",
    ),
    "verl.workers.utils.padding:response_to_nested": ("tensor", "response_mask"),
    "verl.utils.seqlen_balancing:get_seqlen_balanced_partitions": (
        "seqlen_list", "k_partitions", "equal_size",
    ),
    "verl.experimental.agent_loop.agent_loop:AgentLoopBase.run": (
        "self", "sampling_params", "kwargs",
    ),
    "verl.workers.rollout.llm_server:LLMServerClient.generate": (
        "self", "request_id", "prompt_ids", "sampling_params", "image_data", "video_data",
        "audio_data", "mm_processor_kwargs", "kwargs",
    ),
    "verl.experimental.reward_loop.reward_manager.base:RewardManagerBase.run_single": (
        "self", "data",
    ),
    f"{_ENGINE}.__init__": (
        "self", "model_config", "engine_config", "optimizer_config", "checkpoint_config",
    ),
    f"{_ENGINE}._build_module": ("self",),
    f"{_ENGINE}._build_lora_module": ("self", "module"),
    f"{_ENGINE}.forward_backward_batch": ("self", "data", "loss_function", "forward_only"),
    "verl.workers.engine.utils:prepare_micro_batches": (
        "data", "dp_group", "num_batches_divided_by", "same_micro_num_in_dp",
        "min_num_micro_batch", "use_dynamic_bsz_balance",
    ),
    "verl.workers.engine.utils:postprocess_batch_func": ("output_lst", "indices", "data"),
    "verl.utils.seqlen_balancing:calculate_workload": ("seqlen_list",),
    "verl.experimental.reward_loop.reward_manager.base:RewardManagerBase.__init__": (
        "self", "config", "tokenizer", "compute_score",
    ),
    "verl.workers.engine.fsdp.transformer_impl:FSDPEngineWithLMHead.forward_step": (
        "self", "micro_batch", "loss_function", "forward_only",
    ),
    "verl.workers.engine.fsdp.transformer_impl:FSDPEngineWithLMHead.prepare_model_inputs": (
        "self", "micro_batch",
    ),
    "verl.workers.engine.fsdp.transformer_impl:FSDPEngineWithLMHead.prepare_model_outputs": (
        "self", "output", "output_args", "micro_batch", "logits_processor_func",
    ),
    "verl.workers.rollout.replica:RolloutReplica.launch_servers": ("self",),
    "verl.workers.rollout.base:BaseRollout.update_weights": (
        "self", "weights", "wire_format", "kwargs",
    ),
}  # fmt: skip
"""Parameters by `module:name`, in order."""


def check_version() -> None:
    """Refuse another release of verl.

    Raises:
        MissingDependencyError: verl is not installed.
        EngineError: it is another release.
    """
    try:
        found = version("verl")
    except PackageNotFoundError:
        raise MissingDependencyError(
            'training on a cluster needs verl; install it with: pip install "longloom[verl]"'
        ) from None
    if found != TESTED_VERSION:
        raise EngineError(
            f"verl is {found}; expected {TESTED_VERSION}, whose interfaces the plugin overrides; "
            f"install it with: pip install verl=={TESTED_VERSION}"
        )


def check_signatures(signatures: Mapping[str, tuple[str, ...]] = SIGNATURES) -> None:
    """Compare the interfaces of the installed verl with `signatures`.

    Raises:
        EngineError: one is gone or has other parameters; names all of them.
    """
    wrong = []
    for place, expected in signatures.items():
        found = _parameters(place)
        if found != expected:
            wrong.append(f"{place} has parameters {found}, expected {expected}")
    if wrong:
        raise EngineError(
            f"verl {version('verl')} is not as the plugin needs it: {'; '.join(wrong)}; install "
            f"verl=={TESTED_VERSION}"
        )


def _parameters(place: str) -> tuple[str, ...] | None:
    """Return the names of a callable's parameters; None if it is gone."""
    module, _, names = place.partition(":")
    try:
        found: Any = import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except (AttributeError, ImportError):
        return None
    callable_found: Callable[..., Any] = inspect.unwrap(found)
    return tuple(inspect.signature(callable_found).parameters)
