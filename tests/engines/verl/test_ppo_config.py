"""What verl is told of a stage of reinforcement learning."""

import math

import pytest
import yaml

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.ppo_config import stage_lengths
from longloom.engines.verl.prefix_settings import SHARING_SETTINGS
from longloom.engines.verl.stage_file import stage_file
from longloom.engines.verl.stage_settings import VerlStageSettings, stage_settings_of
from longloom.errors import ConfigError
from longloom.memory import MemoryConfig
from longloom.models.endpoint.config import EndpointConfig
from longloom.recipes.planning.known_models import model_sizes
from longloom.recipes.qwenlong_l1 import qwenlong_l1
from longloom.recipes.qwenlong_l15 import qwenlong_l15
from longloom.recipes.tiny_cpu import tiny_cpu
from longloom.rewards import JudgeConfig
from longloom.training.loss_config import LossConfig
from longloom.training.losses import MAX_LOG_RATIO
from verl_stages import settings_of, verl_stage

L15 = qwenlong_l15()
SIZES = model_sizes("Qwen3-4B")
EIGHT = ClusterConfig(num_gpus=8)


def made(stage, cluster, sizes):
    return stage_file(stage, cluster, sizes, optimizer=OptimizerConfig())


def first_stage(**changes) -> VerlStageSettings:
    stage = verl_stage(L15, L15.stages[0])
    return stage.replace(training=stage.training.replace(**changes)) if changes else stage


def test_one_stage_by_hand():
    found = settings_of(first_stage(), EIGHT, SIZES)
    expected = {
        "trainer.v1.trainer_mode": "longloom",
        "trainer.total_training_steps": 105,
        "trainer.nnodes": 1,
        "trainer.n_gpus_per_node": 8,
        "trainer.default_local_dir": "/runs/stage/verl",
        "trainer.test_freq": -1,
        "data.train_files": "/runs/examples/examples.parquet",
        "data.train_batch_size": 128,
        "data.max_prompt_length": 20_000,
        "data.max_response_length": 12_000,
        "data.shuffle": False,
        "algorithm.adv_estimator": "grpo",
        "algorithm.filter_groups.enable": False,
        "algorithm.rollout_correction.bypass_mode": False,
        "actor_rollout_ref.actor.strategy": "fsdp2",
        "actor_rollout_ref.actor.ppo_mini_batch_size": 128,
        "actor_rollout_ref.actor.loss_agg_mode": "token-mean",
        "actor_rollout_ref.actor.use_kl_loss": False,
        "actor_rollout_ref.actor.optim.lr": 2e-6,
        "actor_rollout_ref.actor.optim.betas": [0.9, 0.95],
        "actor_rollout_ref.actor.optim.override_optimizer_config.eps": 1e-8,
        "actor_rollout_ref.actor.fsdp_config.use_no_sync_for_gradient_accumulation": False,
        "actor_rollout_ref.model.use_fused_kernels": True,
        "actor_rollout_ref.rollout.name": "vllm",
        "actor_rollout_ref.rollout.n": 8,
        "actor_rollout_ref.rollout.max_model_len": 32_000,
        "actor_rollout_ref.rollout.calculate_log_probs": True,
        "actor_rollout_ref.rollout.agent.default_agent_loop": "longloom_single_pass",
        "reward.reward_manager.name": "HybridRewardManager",
        "critic.enable": False,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_verls_cut_of_failed_answers_never_acts():
    bound = settings_of(first_stage(), EIGHT, SIZES).get("actor_rollout_ref.actor.clip_ratio_c")
    assert bound > math.exp(MAX_LOG_RATIO)


def test_the_section_is_read_back_as_it_was():
    stage = first_stage()
    text = made(stage, EIGHT, SIZES).text
    assert stage_settings_of(yaml.safe_load(text)["longloom"]) == stage


def test_the_file_holds_the_settings_and_the_arithmetic():
    file = made(first_stage(), EIGHT, SIZES)
    found = yaml.safe_load(file.text)
    assert {name: found[name] for name in file.settings} == file.settings
    assert "# 32,000 tokens x 36 layers x 2,560 x 2 B = 5.9 GB" in file.text
    assert found["defaults"] == ["ppo_trainer", "_self_"]


def test_a_call_of_the_memory_agent_is_a_section_a_memory_and_a_question():
    memory = next(stage for stage in L15.stages if stage.kind == "memory")
    lengths = stage_lengths(verl_stage(L15, memory))
    assert lengths.prompt_tokens == 32_000 + 15_000 + 4_000
    assert lengths.response_tokens == 20_000  # the answer's, more than an update's 15,000
    found = settings_of(verl_stage(L15, memory), EIGHT, SIZES)
    assert found.get("actor_rollout_ref.rollout.agent.default_agent_loop") == "longloom_memory"


def test_calls_of_the_memory_agent_keep_to_the_stage_and_hold_all_memories():
    tiny = tiny_cpu()
    stage = verl_stage(tiny, next(stage for stage in tiny.stages if stage.kind == "memory"))
    assert stage_lengths(stage).prompt_tokens == 1_000
    many = verl_stage(L15, L15.stages[3]).replace(memory=MemoryConfig(segments=6))
    assert stage_lengths(many).prompt_tokens == 6 * 15_000 + 4_000


def test_kl_and_aggregation_are_verls_names():
    loss = LossConfig(aggregation="sequence_mean", kl_coefficient=0.01, clip_high=0.28)
    found = settings_of(first_stage(loss=loss), EIGHT, SIZES)
    actor = "actor_rollout_ref.actor"
    assert found.get(f"{actor}.loss_agg_mode") == "seq-mean-token-mean"
    assert found.get(f"{actor}.use_kl_loss") is True
    assert found.get(f"{actor}.kl_loss_coef") == 0.01
    assert found.get(f"{actor}.kl_loss_type") == "low_var_kl"
    assert found.get(f"{actor}.clip_ratio_high") == 0.28


def test_several_updates_a_batch_leave_verls_mini_batch_whole():
    training = qwenlong_l1().stages[1].training
    found = settings_of(first_stage().replace(training=training), EIGHT, SIZES)
    assert training.updates_per_batch == 4
    assert found.get("actor_rollout_ref.actor.ppo_mini_batch_size") == 128


def test_adapters_are_merged_for_the_sampler():
    lora = LoraConfig(rank=32, alpha=64.0)
    found = settings_of(first_stage(), EIGHT, SIZES, lora=lora)
    assert found.get("actor_rollout_ref.model.lora_rank") == 32
    assert found.get("actor_rollout_ref.model.lora_alpha") == 64
    assert found.get("actor_rollout_ref.model.lora.merge") is True
    with pytest.raises(ConfigError, match=r"alpha is 0.5; verl takes whole numbers"):
        settings_of(first_stage(), EIGHT, SIZES, lora=LoraConfig(alpha=0.5))


def test_a_judge_has_gpus_of_its_own_and_stays_awake():
    cluster = EIGHT.replace(judge_model="openai/gpt-oss-120b", num_judge_gpus=12)
    judge = JudgeConfig(endpoint=EndpointConfig(url="http://127.0.0.1:1/v1", model="judge"))
    found = settings_of(first_stage().replace(judge=judge), cluster, SIZES)
    server = "reward.reward_model"
    assert found.get(f"{server}.enable_resource_pool") is True
    assert (found.get(f"{server}.nnodes"), found.get(f"{server}.n_gpus_per_node")) == (2, 6)
    assert found.get(f"{server}.rollout.tensor_model_parallel_size") == 2
    assert found.get(f"{server}.rollout.max_model_len") == 8_192 + 4_096
    assert found.get(f"{server}.rollout.free_cache_engine") is False
    assert found.get("reward.custom_reward_function.path")  # or verl takes it for a scoring model
    assert found.get("trainer.n_gpus_per_node") == 8


def test_without_a_judge_there_is_no_reward_model():
    found = settings_of(first_stage(), EIGHT, SIZES)
    assert found.get("reward.reward_model.enable", None) is None
    assert found.get("reward.custom_reward_function.path", None) is None


def test_on_a_cpu_everything_is_fp32():
    tiny = tiny_cpu()
    cluster = ClusterConfig(num_gpus=2, device="cpu")
    found = settings_of(verl_stage(tiny, tiny.stages[0]), cluster, model_sizes("tiny-base"))
    engine = "actor_rollout_ref.actor.fsdp_config"
    for part in ("param_dtype", "reduce_dtype", "buffer_dtype"):
        assert found.get(f"{engine}.mixed_precision.{part}") == "fp32"
    assert found.get("actor_rollout_ref.rollout.name") == "longloom_cpu"
    assert found.get("actor_rollout_ref.rollout.dtype") == "float32"
    assert found.get("actor_rollout_ref.model.use_remove_padding") is False
    assert found.get("ray_kwargs.ray_init.num_gpus") == 2


def test_a_ray_cluster_is_joined_by_its_address():
    options = {"ray_init": {"_temp_dir": "/tmp/ray"}}
    found = settings_of(first_stage(), EIGHT.replace(ray_address="auto"), SIZES, **options)
    assert found.get("ray_kwargs.ray_init.address") == "auto"
    assert found.get("ray_kwargs.ray_init._temp_dir") == "/tmp/ray"
    assert found.get("ray_kwargs.ray_init.num_gpus", None) is None


def test_overrides_come_last():
    overrides = {
        "trainer.balance_batch": False,
        "actor_rollout_ref.rollout.engine_kwargs.vllm": {"a": 1},
    }
    file = made(first_stage(), EIGHT.replace(overrides=overrides), SIZES)
    assert file.settings["trainer"]["balance_batch"] is False
    assert "balance_batch: false  # cluster.overrides" in file.text
    with pytest.raises(ConfigError, match="contradicts"):
        made(first_stage(), EIGHT.replace(overrides={"trainer.nnodes.x": 1}), SIZES)


def test_shared_prompts_name_their_engine():
    found = settings_of(first_stage(), EIGHT.replace(shares_prompts=True), SIZES)
    assert SHARING_SETTINGS.items() <= {name: found.get(name) for name in SHARING_SETTINGS}.items()


def test_megatron_has_its_own_base_and_degrees():
    cluster = ClusterConfig(num_gpus=32, train_backend="megatron")
    file = made(first_stage(warmup_steps=4), cluster, model_sizes("Qwen3-30B-A3B"))
    actor = file.settings["actor_rollout_ref"]["actor"]
    assert "defaults: [ppo_megatron_trainer, _self_]" in file.text
    assert actor["strategy"] == "megatron"
    assert actor["megatron"]["expert_model_parallel_size"] == 8
    # step s has (s + 1) / 5 of the peak: Megatron's init + (peak - init) s / 4
    init, peak = actor["optim"]["lr_warmup_init"], actor["optim"]["lr"]
    rates = [init + (peak - init) * step / actor["optim"]["lr_warmup_steps"] for step in range(4)]
    assert rates == pytest.approx([peak * (step + 1) / 5 for step in range(4)])


def test_decay_and_moments_are_the_runs():
    optimizer = OptimizerConfig(beta_second=0.99, epsilon=1e-6, weight_decay=0.1)
    found = settings_of(first_stage(), EIGHT, SIZES, optimizer=optimizer)
    optim = "actor_rollout_ref.actor.optim"
    assert found.get(f"{optim}.betas") == [0.9, 0.99]
    assert found.get(f"{optim}.override_optimizer_config.eps") == 1e-6
    assert found.get(f"{optim}.weight_decay") == 0.1
