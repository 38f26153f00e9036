import asyncio
import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from longloom.engines.local import LocalEngine
from longloom.engines.local_config import LocalEngineConfig, LoraConfig
from longloom.engines.machine import resolve
from longloom.engines.memory_plan import StageWork, plan_memory, work_of
from longloom.engines.model_sizes import read_sizes
from longloom.errors import EngineError, ModelError
from longloom.models.loading import load_network
from longloom.models.local_policy import score_sequences
from longloom.models.prefill import PASS_TOKENS
from longloom.records import SampleRequest, SamplingParams, TrainingSequence
from longloom.training.loss_config import LossConfig
from random_sequences import sequences_of, update_of
from tiny_architectures import write_architecture

CPU = LocalEngineConfig(device="cpu")
WORK = StageWork(max_prompt_tokens=101, max_response_tokens=20, group_size=3, num_prompts=1)
QWEN3_06B = {
    "model_type": "qwen3",
    "vocab_size": 151_936,
    "hidden_size": 1_024,
    "intermediate_size": 3_072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}


def write_settings(folder, **changes):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**QWEN3_06B, **changes}), "utf-8")
    return folder


def stored_weights(folder):
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        return sum(opened.get_tensor(name).numel() for name in opened.keys())  # noqa: SIM118


def parts(plan):
    phases = (("standing", plan.standing), ("update", plan.update), ("rollouts", plan.rollouts))
    return {(phase, part.name): part.num_bytes for phase, found in phases for part in found}


@pytest.mark.parametrize("name", ["llama", "mistral", "mixtral", "qwen3", "qwen3_moe"])
def test_weights_are_counted_from_the_configuration(tmp_path, name):
    write_architecture(tmp_path / name, name)
    assert read_sizes(tmp_path / name).num_weights == stored_weights(tmp_path / name)


def test_the_published_size_of_qwen3_is_found(tmp_path):
    assert read_sizes(write_settings(tmp_path)).num_weights == 596_049_920


def test_some_layers_may_be_dense(tmp_path):
    settings = {"num_experts": 8, "moe_intermediate_size": 10, "num_experts_per_tok": 2}
    sizes = read_sizes(
        write_settings(tmp_path, num_hidden_layers=4, mlp_only_layers=[0], **settings)
    )
    assert sizes.mlp_width == round(0.25 * 3_072 + 0.75 * 20)
    assert sizes.stored_mlp_width == round(0.25 * 3_072 + 0.75 * 80)


@pytest.mark.parametrize("value", [None, 0, "4"])
def test_a_missing_size_is_a_model_error(tmp_path, value):
    with pytest.raises(ModelError, match="hidden_size is"):
        read_sizes(write_settings(tmp_path, hidden_size=value))


def kept_bytes(network, num_context, num_answer, group_size):
    """Return what autograd saves in a forward pass, weights left out."""
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    saved = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    sequences = [
        TrainingSequence(
            prompt_ids=tuple(range(num_context + 1)),
            response_ids=(answer,) * num_answer,
            rollout_logprobs=(),
            advantages=(),
        )
        for answer in range(group_size)
    ]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logprobs, _ = score_sequences(network, sequences, temperature=1.0)
    assert logprobs.requires_grad
    return sum(size for size, _ in saved.values())


@pytest.mark.parametrize("name", ["qwen3", "llama"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("checkpointing", ["off", "on"])
def test_activations_are_what_autograd_keeps(tmp_path, name, dtype, checkpointing):
    write_architecture(tmp_path, name)
    config = CPU.replace(dtype=dtype, gradient_checkpointing=checkpointing)
    plan = plan_memory(tmp_path, config, WORK)
    planned = parts(plan)["update", "activations"]
    network = load_network(tmp_path, dtype=resolve(config).dtype)
    whole = kept_bytes(network, 100, 20, 3)
    if checkpointing == "off":
        assert planned == pytest.approx(whole, rel=0.2)
        return
    network.recomputes_layers = True
    inputs = kept_bytes(network, 100, 20, 3)
    # Beside the inputs, one of the two layers is kept as a whole while it is computed back.
    assert inputs < planned < inputs + 0.8 * whole
    assert planned < whole


def test_standing_memory_is_counted_by_hand(tmp_path):
    num_weights = 596_049_920
    write_settings(tmp_path)
    work = StageWork(
        max_prompt_tokens=100,
        max_response_tokens=10,
        group_size=2,
        num_prompts=1,
        has_reference=True,
    )
    fp32 = parts(plan_memory(tmp_path, CPU, work))
    assert fp32["standing", "weights"] == 4 * num_weights
    assert fp32["standing", "optimizer moments"] == 8 * num_weights
    assert fp32["standing", "reference"] == 4 * num_weights
    assert fp32["update", "gradients"] == 4 * num_weights
    assert ("standing", "master weights") not in fp32
    half = parts(plan_memory(tmp_path, CPU.replace(dtype="bfloat16"), work))
    assert half["standing", "weights"] == 2 * num_weights
    assert half["standing", "master weights"] == 4 * num_weights
    # 28 layers, rank 2: q and o 1024 + 2048, k and v 1024 + 1024, three of 1024 + 3072.
    num_adapters = 28 * 2 * (2 * 3_072 + 2 * 2_048 + 3 * 4_096)
    lora = parts(plan_memory(tmp_path, CPU.replace(lora=LoraConfig(rank=2)), work))
    assert lora["standing", "optimizer moments"] == 8 * num_adapters
    assert ("standing", "reference") not in lora  # the network without its adapters
    # Keys and values of 8 heads of 128 in 28 layers; 100 + 2 x 10 tokens.
    assert fp32["rollouts", "caches"] == 120 * 2 * 28 * 8 * 128 * 4


def test_supervised_fine_tuning_has_no_rollouts(tiny_folder):
    plan = plan_memory(tiny_folder, CPU, work_of(sequences_of()))
    assert plan.rollouts == ()
    assert plan.binding.startswith("update; the largest part is ")


def test_the_table_shows_every_part_and_what_binds(tmp_path):
    plan = plan_memory(write_settings(tmp_path), CPU, WORK)
    lines = plan.lines()
    assert lines[0] == "memory plan (cpu, float32)"
    assert len(lines) == 2 + len(parts(plan))
    assert all(len(line) < 100 for line in lines)
    assert re.search(r"standing +weights +2\.384 GB", lines[1])
    assert re.search(r"peak +update; the largest part is optimizer moments +", lines[-1])


def test_a_stage_that_fits_passes(tmp_path):
    plan = plan_memory(write_settings(tmp_path), CPU, WORK)
    assert plan.check(plan.peak_bytes) is None
    with pytest.raises(EngineError):
        plan.check(plan.peak_bytes - 1)


LONG = StageWork(max_prompt_tokens=8_000, max_response_tokens=1_000, group_size=8, num_prompts=8)


def advice_of(folder, available_bytes, config=CPU):
    with pytest.raises(EngineError) as caught:
        plan_memory(folder, config, LONG).check(available_bytes)
    return str(caught.value)


def test_what_does_not_fit_is_refused_with_settings_that_fit(tmp_path):
    write_settings(tmp_path)
    peak = plan_memory(tmp_path, CPU, LONG).peak_bytes
    message = advice_of(tmp_path, 20_000_000_000)
    assert f"needs {peak / 1e9:.2f} GB and 20.00 GB are free" in message
    assert "set engine.gradient_checkpointing=on" in message
    # The settings that are named do suffice.
    tokens = {
        name: int(value)
        for name, value in re.findall(r"lower engine\.(\w+) from \d+ to (\d+)", message)
    }
    changed = CPU.replace(gradient_checkpointing="on", **tokens)
    promised = float(re.search(r"\(then ([\d.]+) GB\)", message)[1])
    found = plan_memory(tmp_path, changed, LONG).peak_bytes
    assert found / 1e9 == pytest.approx(promised, abs=0.01)
    assert found <= 20_000_000_000


def test_settings_that_cost_only_time_come_first(tmp_path):
    write_settings(tmp_path)
    config = CPU.replace(gradient_checkpointing="on")
    peak = plan_memory(tmp_path, config, LONG).peak_bytes
    assert "lora" not in advice_of(tmp_path, peak - 1, config)
    assert "lora" in advice_of(tmp_path, 6_000_000_000, config)


def test_a_model_that_can_never_fit_is_said_to_be_too_large(tmp_path):
    message = advice_of(write_settings(tmp_path), 1_000_000_000)
    assert "no setting suffices" in message
    assert "take a smaller model" in message


def test_memory_that_ends_in_an_update_is_an_engine_error_with_advice(tiny_folder, monkeypatch):
    engine = LocalEngine(tiny_folder, config=LocalEngineConfig(max_batch_tokens=4_096))

    def full(*arguments, **settings):
        torch.empty(1 << 60)

    monkeypatch.setattr("longloom.engines.local.score_sequences", full)
    for call in (
        lambda: engine.update(update_of(sequences_of()), loss=LossConfig()),
        lambda: engine.score(sequences_of(), temperature=1.0),
    ):
        with pytest.raises(EngineError, match=r"out of memory .*allocate.*; .*engine\."):
            call()


def test_a_pass_over_prompts_is_as_long_as_rollouts_make_it(tmp_path):
    def computation(num_tokens):
        work = replace(WORK, max_prompt_tokens=num_tokens, max_response_tokens=1, group_size=1)
        wide = write_settings(tmp_path, intermediate_size=300_000, vocab_size=8)
        return parts(plan_memory(wide, CPU, work))["rollouts", "computation"]

    assert computation(PASS_TOKENS) == 2 * computation(PASS_TOKENS // 2)
    assert computation(2 * PASS_TOKENS) == computation(PASS_TOKENS)


def test_memory_that_ends_in_rollouts_is_an_engine_error_with_advice(tiny_folder, monkeypatch):
    engine = LocalEngine(tiny_folder, config=LocalEngineConfig(max_cache_tokens=4_096))
    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=2)

    async def rollouts():
        requests = [SampleRequest(prompt_ids=(1, 2), params=params, key=key) for key in "ab"]
        await asyncio.gather(*(engine.sampler.sample(request) for request in requests))

    monkeypatch.setattr(
        "longloom.models.local_sampler.generate", lambda *_, **__: torch.empty(1 << 60)
    )
    with pytest.raises(EngineError, match=r"out of memory .*lower engine\.max_cache_tokens"):
        asyncio.run(rollouts())
