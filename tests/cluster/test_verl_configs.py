"""verl takes the configuration of every stage of every recipe at every size."""

import json
from pathlib import Path

import pytest

pytest.importorskip("verl")

import torch
from verl.trainer.ppo.core_algos import kl_penalty
from verl.utils.torch_functional import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
)
from verl.workers.config import FSDPActorConfig, HFModelConfig, McoreActorConfig

from longloom.engines.local_config import LoraConfig, OptimizerConfig
from longloom.engines.model_sizes import sizes_of
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.file_checks import check_file
from longloom.engines.verl.hydra_file import Settings, hydra_text
from longloom.engines.verl.longer_window import write_longer_folder
from longloom.engines.verl.optimizer_settings import fsdp_optimizer
from longloom.engines.verl.sft_config import SftStage
from longloom.engines.verl.stage_file import sft_file, stage_file
from longloom.errors import ConfigError, EngineError
from longloom.models.rotary import read_scaling
from longloom.models.yarn_config import YarnConfig
from longloom.recipes.model_source import resolve_model
from longloom.recipes.one_gpu_weekend import one_gpu_weekend
from longloom.recipes.planning.known_models import KNOWN_MODELS
from longloom.recipes.qwenlong_l1 import qwenlong_l1, qwenlong_l1_120k
from longloom.recipes.qwenlong_l15 import qwenlong_l15
from longloom.recipes.tiny_cpu import tiny_cpu
from longloom.recipes.tiny_cpu_l1 import tiny_cpu_l1
from longloom.recipes.tiny_cpu_table import tiny_cpu_table
from longloom.training.losses import k3_kl
from longloom.training.schedule import learning_rate_at
from verl_stages import verl_stage, write_model_folder

pytestmark = pytest.mark.distributed

MODELS = ("Qwen3-4B", "Qwen3-8B", "Qwen3-30B-A3B")
RECIPES = {
    "one-gpu-weekend": one_gpu_weekend(),
    "qwenlong-l1": qwenlong_l1(),
    "qwenlong-l1-120k": qwenlong_l1_120k(),
    "qwenlong-l15": qwenlong_l15(),
    "tiny-cpu": tiny_cpu(),
    "tiny-cpu-l1": tiny_cpu_l1(),
    "tiny-cpu-table": tiny_cpu_table(),
}
BASES = {"fsdp2": "ppo_trainer", "megatron": "ppo_megatron_trainer"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Model folders by name: config.json of the real size, tiny-base's tokenizer, no weights."""
    root = tmp_path_factory.mktemp("models")
    names = {name: KNOWN_MODELS[f"Qwen/{name}"] for name in MODELS}
    made = {name: write_model_folder(root / name, settings) for name, settings in names.items()}
    return {**made, "tiny-base": resolve_model("tiny-base")}


def sizes_in(folder):
    path = folder / "config.json"
    return sizes_of(json.loads(path.read_text("utf-8")), path)


def checked(config, stage, cluster, folder, tmp_path, *, reads_model=True, **options):
    """Write the file of a stage and have verl take it; return the composed settings."""
    path = tmp_path / f"{stage.name}.yaml"
    options.setdefault("optimizer", config.engine.optimizer)
    if stage.kind == "sft":
        sft = SftStage(
            stage=stage.name,
            seed=config.seed,
            config=stage.sft,
            model=str(folder),
            rows="/runs/rows.parquet",
            num_rows=5_300,
            folder="/runs/stage",
        )
        sft_file(sft, cluster, sizes_in(folder), **options).write(path)
        return check_file(path, base="sft_trainer_engine", reads_model=reads_model)
    told = verl_stage(config, stage, model=str(folder))
    stage_file(told, cluster, sizes_in(folder), **options).write(path)
    return check_file(path, base=BASES[cluster.train_backend], reads_model=reads_model)


@pytest.mark.parametrize("num_gpus", [8, 32, 64])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_stage_on_fsdp2(recipe, model, num_gpus, folders, tmp_path):
    config, cluster = RECIPES[recipe], ClusterConfig(num_gpus=num_gpus)
    stages = [stage for stage in config.stages if stage.kind != "merge"]
    for stage in stages:
        found = checked(
            config,
            stage,
            cluster,
            folders[model],
            tmp_path,
            lora=config.engine.lora,
            reads_model=num_gpus == 8,  # it is the same on more of them
        )
        trainer = found.trainer
        assert trainer.nnodes * trainer.n_gpus_per_node == num_gpus
        if stage.training is not None:
            row = found.data.max_prompt_length + found.data.max_response_length
            actor = found.actor_rollout_ref.actor
            degree = actor.fsdp_config.ulysses_sequence_parallel_size
            assert actor.ppo_max_token_len_per_gpu * degree >= row
            assert found.longloom.stage == stage.name


@pytest.mark.parametrize("num_gpus", [32, 64])
@pytest.mark.parametrize("recipe", ["qwenlong-l1", "qwenlong-l1-120k", "qwenlong-l15"])
def test_every_stage_of_30b_on_megatron(recipe, num_gpus, folders, tmp_path):
    config = RECIPES[recipe]
    cluster = ClusterConfig(num_gpus=num_gpus, train_backend="megatron")
    for stage in config.stages:
        if stage.kind != "merge":
            checked(config, stage, cluster, folders["Qwen3-30B-A3B"], tmp_path)


def test_30b_on_megatron_says_that_8_gpus_are_too_few(folders, tmp_path):
    config, cluster = RECIPES["qwenlong-l15"], ClusterConfig(train_backend="megatron")
    with pytest.raises(EngineError, match="at least 16 of them"):
        checked(config, config.stages[0], cluster, folders["Qwen3-30B-A3B"], tmp_path)


@pytest.mark.parametrize(
    ("name", "num_processes"),
    [("tiny-cpu", 1), ("tiny-cpu", 2), ("tiny-cpu-l1", 2), ("tiny-cpu-table", 2)],
)
def test_every_stage_of_the_tiny_recipes_on_a_cpu(name, num_processes, folders, tmp_path):
    config, cluster = RECIPES[name], ClusterConfig(num_gpus=num_processes, device="cpu")
    seen = []
    for stage in config.stages:
        settings = None if stage.training is None else stage.training.model_dump_json()
        if stage.kind == "merge" or (settings and settings in seen):
            continue
        seen.append(settings)
        found = checked(config, stage, cluster, folders["tiny-base"], tmp_path)
        assert found.trainer.device == "cpu"
        ranks = found.trainer.n_gpus_per_node if stage.sft else found.ray_kwargs.ray_init.num_gpus
        assert ranks == num_processes


@pytest.mark.parametrize(
    "changes",
    [
        {"rollout_backend": "sglang"},
        {"judge_model": "JUDGE", "num_judge_gpus": 4},
        {"shares_prompts": True},
        {"ray_address": "auto", "keyed_sampling": True},
        {"overrides": {"actor_rollout_ref.rollout.engine_kwargs.vllm.any_option": 1}},
        {"overrides": {"actor_rollout_ref.actor.fsdp_config.forward_prefetch": True}},
    ],
)
def test_every_choice_of_a_cluster(changes, folders, tmp_path):
    config = RECIPES["qwenlong-l15"]
    cluster = ClusterConfig(**changes)
    checked(config, config.stages[0], cluster, folders["Qwen3-4B"], tmp_path)


def test_groups_are_verls_own_classes(folders, tmp_path):
    from verl.utils.config import omega_conf_to_dataclass

    config = RECIPES["qwenlong-l15"]
    arguments = (config, config.stages[0])
    found = checked(*arguments, ClusterConfig(), folders["Qwen3-4B"], tmp_path)
    actor = omega_conf_to_dataclass(found.actor_rollout_ref.actor)
    assert isinstance(actor, FSDPActorConfig)
    assert actor.engine.strategy == "fsdp2"
    model = omega_conf_to_dataclass(found.actor_rollout_ref.model)
    assert isinstance(model, HFModelConfig)
    assert model.hf_config.num_hidden_layers == 36
    cluster = ClusterConfig(num_gpus=32, train_backend="megatron")
    found = checked(*arguments, cluster, folders["Qwen3-30B-A3B"], tmp_path)
    actor = omega_conf_to_dataclass(found.actor_rollout_ref.actor)
    assert isinstance(actor, McoreActorConfig)
    assert actor.engine.expert_model_parallel_size == 8


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("trainer.save_frequency", 3, "no setting 'trainer.save_frequency'; did you mean"),
        ("actor_rollout_ref.actor.ppo_mini_batchsize", 8, "did you mean 'ppo_mini_batch_size'"),
        ("actor_rollout_ref.rollout.agent.workers", 8, "did you mean 'num_workers'"),
        ("actor_rollout_ref.actor.fsdp_config.paramoffload", True, "'param_offload'"),
        ("nonsense.a", 1, "no setting 'nonsense'"),
        ("actor_rollout_ref.actor.ppo_max_token_len_per_gpu", "many", "is 'many'; verl's own is"),
        ("actor_rollout_ref.rollout.max_num_seqs", 2.5, "is 2.5; expected int"),
        ("trainer.nnodes", [1], "trainer.nnodes is .*; verl's own is 1"),
        ("trainer.project_name", True, "project_name is True"),
        ("trainer.logger.console", 1, "contradicts 'trainer.logger'"),
        ("actor_rollout_ref.model.mtp", 3, "expects a group of settings"),
        ("actor_rollout_ref.actor.optim.lr_scheduler_type", "linear", "verl refuses"),
    ],
)
def test_the_check_can_fail(name, value, message, folders, tmp_path):
    config, cluster = RECIPES["qwenlong-l15"], ClusterConfig(overrides={name: value})
    with pytest.raises(ConfigError, match=message):
        checked(config, config.stages[0], cluster, folders["Qwen3-4B"], tmp_path)


def test_adapters_are_verls(folders, tmp_path):
    config = RECIPES["one-gpu-weekend"]
    lora = LoraConfig(rank=32, alpha=64.0)
    arguments = (config, config.stages[0], ClusterConfig(), folders["Qwen3-4B"], tmp_path)
    model = checked(*arguments, lora=lora).actor_rollout_ref.model
    assert (model.lora_rank, model.lora_alpha, model.lora.merge) == (32, 64, True)
    assert list(model.target_modules) == list(lora.target_modules)


def rates_of(optim, num_steps):
    """Return the learning rates of verl's own schedule."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=optim["lr"])
    if optim["lr_scheduler_type"] == "constant":
        schedule = get_constant_schedule_with_warmup(optimizer, max(0, optim["lr_warmup_steps"]))
    else:
        schedule = get_cosine_schedule_with_warmup(
            optimizer,
            num_warmup_steps=optim["lr_warmup_steps"],
            num_training_steps=optim["total_training_steps"],
            min_lr_ratio=optim["min_lr_ratio"],
            num_cycles=optim["num_cycles"],
            zero_indexed_step=optim["zero_indexed_step"],
        )
    rates = []
    for _ in range(num_steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("warmup_steps", [0, 1, 3, 9])
@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_verls_learning_rate_is_the_local_engines(kind, warmup_steps):
    settings = {"warmup_steps": warmup_steps, "num_steps": 12, "kind": kind}
    optim = fsdp_optimizer(OptimizerConfig(), peak=2e-6, max_grad_norm=1.0, **settings)
    expected = [learning_rate_at(step, peak=2e-6, **settings) for step in range(12)]
    assert rates_of(optim, 12) == pytest.approx(expected, rel=1e-12)


def test_verls_kl_term_is_k3_up_to_its_cut():
    logprobs, reference = torch.randn(100) - 3, torch.randn(100) - 3
    expected = k3_kl(logprobs, reference).clamp(max=10)
    assert torch.allclose(kl_penalty(logprobs, reference, "low_var_kl"), expected)


def test_a_longer_window_reaches_verl_through_the_folder(folders, tmp_path):
    short = write_model_folder(
        tmp_path / "short",
        {**KNOWN_MODELS["Qwen/Qwen3-4B"], "max_position_embeddings": 40_960},
    )
    longer = write_longer_folder(short, YarnConfig(), tmp_path / "long")
    model = HFModelConfig(path=str(longer))
    assert model.hf_config.max_position_embeddings == 131_072
    assert model.hf_config.rope_parameters["rope_type"] == "yarn"
    assert read_scaling(model.hf_config.to_dict()).factor == 4.0
    with pytest.raises(AttributeError):  # why it is not an override
        HFModelConfig(path=str(short), override_config={"rope_parameters": {"rope_type": "yarn"}})


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}", "\\${oc.env:HOME}", "\\\\${a}", "\\${a}\\${b}", "a\\b", "${", "$", "}",
        "{{ x }}", "???", "null", "1e5", "yes", "\\",
    ],
)  # fmt: skip
def test_texts_come_back_from_the_file_as_they_were(text, tmp_path):
    from omegaconf import OmegaConf

    settings = Settings()
    settings.set("longloom.template", text)
    settings.set("longloom.more", {text: [text]})
    written = hydra_text(settings, base="ppo_trainer", run_folder="/r", title="t")
    (tmp_path / "file.yaml").write_text(written)
    found = OmegaConf.load(tmp_path / "file.yaml").longloom
    plain = OmegaConf.to_container(found, resolve=True)
    assert plain == {"template": text, "more": {text: [text]}}
