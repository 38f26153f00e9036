"""Layouts over a cluster: by hand, as properties, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longloom.engines.local_config import LoraConfig
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import StageLengths
from longloom.engines.verl.layout import plan_layout, usable_bytes
from longloom.engines.verl.layout_bytes import (
    LEAST_SEQUENCES,
    expert_weights,
    gathered_bytes,
    num_experts_used,
    resident_bytes,
    token_bytes,
)
from longloom.engines.verl.layout_degrees import num_key_heads
from longloom.errors import ConfigError, EngineError
from longloom.recipes.planning.known_models import model_sizes

MODELS = ("Qwen3-4B", "Qwen3-8B", "Qwen3-30B-A3B", "DeepSeek-R1-Distill-Qwen-32B")
LENGTHS = {20_000: 12_000, 60_000: 20_000, 120_000: 50_000}


def lengths_of(prompt_tokens, response_tokens=None, **changes):
    response_tokens = LENGTHS[prompt_tokens] if response_tokens is None else response_tokens
    return StageLengths(prompt_tokens=prompt_tokens, response_tokens=response_tokens, **changes)


def planned(model, prompt_tokens, num_gpus, lora=None, **changes):
    cluster = ClusterConfig(num_gpus=num_gpus, **changes)
    return plan_layout(model_sizes(model), cluster, lengths_of(prompt_tokens), lora=lora)


def test_bytes_of_qwen3_4b_by_hand():
    sizes = model_sizes("Qwen3-4B")  # D 2,560, 36 layers, Hd 4,096, Kd 1,024, I 9,728, V 151,936
    assert sizes.num_weights == 4_022_468_096
    assert token_bytes(sizes).kept == 36 * 2_560 * 2 == 184_320
    # a layer: 2 D (8 + 2) + 8 (Hd + Kd) + 2 (Hd + Kd) 2 + 4 I 2 + 4 (2 + H + H + K), and going back
    # 2 x 3 I + 12 D, for 3 I = 29,184 is more than 4 (Hd + Kd) = 20,480
    kept_inside = 51_200 + 40_960 + 20_480 + 77_824 + 4 * (2 + 32 + 32 + 8)
    assert token_bytes(sizes).working == kept_inside + 2 * 29_184 + 12 * 2_560
    assert resident_bytes(sizes, None, 8) == 12 * 4_022_468_096 // 8
    layer = 2_560 * (2 * 4_096 + 2 * 1_024 + 3 * 9_728) + 2 * 2_560 + 2 * 128
    layer += 2_560 // 36  # the last normalisation, as a mean
    assert gathered_bytes(sizes) == 10 * layer + 6 * 151_936 * 2_560


def test_experts_of_30b_by_hand():
    sizes = model_sizes("Qwen3-30B-A3B")
    assert expert_weights(sizes) == 48 * 128 * 3 * 2_048 * 768
    assert num_experts_used(sizes) == 8
    assert expert_weights(model_sizes("Qwen3-4B")) == num_experts_used(model_sizes("Qwen3-4B")) == 0


@pytest.mark.parametrize(
    ("batch", "num_gpus", "degree"),
    [(64, 64, 1), (32, 64, 2), (24, 64, 8), (32, 8, 1), (20, 64, 1)],  # 20: no part of 64 will do
)
def test_a_batch_of_fine_tuning_is_divided_evenly_where_it_can_be(batch, num_gpus, degree):
    lengths = lengths_of(1, 2_047, num_prompts=batch, group_size=1, samples=False)
    found = plan_layout(model_sizes("Qwen3-4B"), ClusterConfig(num_gpus=num_gpus), lengths)
    assert found.sequence_parallel == degree
    told = f"{batch} rows a batch / {num_gpus // degree} groups"
    assert told in found.reasons["sequence_parallel"]


def test_adapters_leave_weights_without_moments():
    sizes, lora = model_sizes("Qwen3-4B"), LoraConfig(rank=32)
    expected = (4 * sizes.num_weights + 12 * sizes.num_adapter_weights(lora)) // 8
    assert resident_bytes(sizes, lora, 8) == expected < resident_bytes(sizes, None, 8) / 2


def test_long_rows_of_4b_are_divided_by_two():
    # 170,000 tokens: kept 31.3 GB and a layer's insides 47.6 GB are more than 0.92 x 80 - 4 = 69.6;
    # halves of both, with 8.0 GB of states and gradients and 3.4 gathered, are not.
    layout = planned("Qwen3-4B", 120_000, 8)
    assert (layout.sequence_parallel, layout.update_tokens_per_gpu) == (2, 85_000)
    assert layout.offload == "none"
    assert layout.update_bytes / 1e9 == pytest.approx(50.8, abs=0.1)
    assert (
        "170,000 tokens x 36 layers x 2,560 x 2 B = 31.3 GB" in layout.reasons["sequence_parallel"]
    )
    # vLLM: (0.92 x 80 - 4 - 6.0) / 80 = 0.79; 0.79 x 80 - 3 - 8.0 = 52.2 GB hold 353,699 tokens of
    # 147,456 B, which is fewer than 4 x 170,000; two GPUs hold more than twice as many.
    assert layout.rollout_memory_fraction == 0.79
    assert layout.rollout_tensor_parallel == 2
    assert layout.cache_tokens == int((2 * (63.2e9 - 3e9) - 2 * 4_022_468_096) // 147_456)
    assert layout.max_sequences == 2 * layout.cache_tokens // 170_000 == 8


def test_30b_on_one_node_trains_from_the_main_memory():
    # 16 B x 30.5e9 / 8 = 61.1 GB of states and gradients, and 8.1 GB gathered
    layout = planned("Qwen3-30B-A3B", 120_000, 8)
    assert layout.offload == "always"
    assert "488.5 GB of each node's main memory" in layout.reasons["offload"]
    assert planned("Qwen3-30B-A3B", 120_000, 32).offload == "none"


def test_states_leave_the_gpus_for_rollouts_where_no_copy_fits_beside_them():
    # States are 12 B x 4.02e9 / 4 = 12.07 GB. Beside them (0.92 x 48 - 4 - 12.07) / 48 = 0.58, and
    # 4 GPUs hold (4 x (27.84 - 3) - 8.04) / 147,456 B = 619K tokens, fewer than 4 x 170,000;
    # without them 0.83, and (4 x (39.84 - 3) - 8.04) / 147,456 B = 945K.
    layout = planned("Qwen3-4B", 120_000, 4, gpu_memory_gb=48.0)
    assert layout.offload == "between_phases"
    assert (layout.rollout_tensor_parallel, layout.rollout_memory_fraction) == (4, 0.83)
    assert layout.cache_tokens == 944_790


@given(
    model=st.sampled_from(MODELS),
    prompt_tokens=st.sampled_from(sorted(LENGTHS)),
    num_gpus=st.sampled_from([1, 2, 4, 8, 16, 24, 32, 64, 128]),
    memory_gb=st.sampled_from([40.0, 80.0, 141.0]),
    backend=st.sampled_from(["fsdp2", "megatron"]),
)
@settings(max_examples=80, deadline=None)
def test_what_is_planned_fits_and_divides(model, prompt_tokens, num_gpus, memory_gb, backend):
    sizes = model_sizes(model)
    cluster = ClusterConfig(num_gpus=num_gpus, gpu_memory_gb=memory_gb, train_backend=backend)
    lengths = lengths_of(prompt_tokens)
    try:
        layout = plan_layout(sizes, cluster, lengths)
    except EngineError:
        return  # which is tested below
    assert layout.num_gpus == num_gpus
    assert layout.update_bytes <= usable_bytes(cluster)
    assert layout.data_parallel * num_gpus // layout.data_parallel == num_gpus
    degree, key_heads = layout.sequence_parallel, num_key_heads(sizes)
    assert layout.gpus_per_node % degree == 0
    if backend == "fsdp2":
        assert sizes.num_heads % degree == 0
        assert key_heads % degree == 0 or degree % key_heads == 0
    assert key_heads % layout.rollout_tensor_parallel == 0
    assert num_gpus % layout.rollout_tensor_parallel == 0
    # verl refuses a row that is longer than a micro-batch, `max_token_len_per_gpu` x degree
    assert layout.update_tokens_per_gpu * degree >= lengths.row_tokens
    assert layout.logprob_tokens_per_gpu >= layout.update_tokens_per_gpu
    assert layout.cache_tokens >= LEAST_SEQUENCES * lengths.row_tokens
    assert 0 < layout.rollout_memory_fraction <= 0.85
    assert layout.max_sequences >= 1
    if layout.megatron is not None:
        assert num_gpus % layout.megatron.num_gpus_of_a_copy == 0
        assert key_heads % layout.megatron.tensor_parallel == 0


@pytest.mark.parametrize("model", ["Qwen3-4B", "Qwen3-8B"])
def test_a_smaller_degree_would_not_fit(model):
    layout = planned(model, 120_000, 8)
    assert layout.sequence_parallel > 1
    assert layout.offload == "none"
    sizes = model_sizes(model)
    costs = token_bytes(sizes)
    tokens = 170_000 // (layout.sequence_parallel // 2)
    needed = tokens * (costs.kept + costs.working) + gathered_bytes(sizes)
    assert needed + 16 * sizes.num_weights // 8 > usable_bytes(ClusterConfig(num_gpus=8))


def test_too_few_gpus_are_refused_with_how_many_would_do():
    with pytest.raises(
        EngineError, match="does not fit 8 GPUs of 80 GB with megatron; it takes at"
    ) as error:
        planned("Qwen3-30B-A3B", 120_000, 8, train_backend="megatron")
    assert "set cluster.num_gpus=16" in str(error.value)
    assert planned("Qwen3-30B-A3B", 120_000, 16, train_backend="megatron").megatron is not None


def test_what_no_number_of_gpus_holds_is_refused():
    with pytest.raises(EngineError, match="no number of them suffices"):
        planned("Qwen3-8B", 120_000, 8, gpu_memory_gb=16.0)


def test_prompts_are_shared_only_by_whole_rows():
    assert planned("Qwen3-4B", 60_000, 8, shares_prompts=True).sequence_parallel == 1
    with pytest.raises(ConfigError, match="a row of 170,000 tokens has to be divided by 2"):
        planned("Qwen3-4B", 120_000, 8, shares_prompts=True)


@pytest.mark.parametrize(
    ("changes", "lora"),
    [({"shares_prompts": True}, None), ({"device": "cpu"}, None), ({}, LoraConfig())],
)
def test_megatron_refuses_what_it_cannot_do_here(changes, lora):
    with pytest.raises(ConfigError, match="train_backend is megatron"):
        planned("Qwen3-4B", 20_000, 8, lora=lora, train_backend="megatron", **changes)


def test_on_a_cpu_nothing_is_divided_but_rows():
    layout = planned("Qwen3-4B", 20_000, 2, device="cpu")
    assert (layout.sequence_parallel, layout.rollout_tensor_parallel) == (1, 1)
    assert (layout.num_nodes, layout.gpus_per_node, layout.data_parallel) == (1, 2, 2)
    assert layout.update_tokens_per_gpu == 16 * 32_000


def test_fine_tuning_needs_no_room_for_rollouts():
    sizes, cluster = model_sizes("Qwen3-8B"), ClusterConfig(num_gpus=8)
    layout = plan_layout(sizes, cluster, lengths_of(1, 19_999, samples=False))
    assert (layout.rollout_tensor_parallel, layout.cache_tokens) == (1, 0)
    assert "rollout_tensor_parallel" not in layout.reasons
