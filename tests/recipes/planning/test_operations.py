"""Operations and bytes against numbers worked by hand for Qwen3-4B.

D = 2560, Hd = 32 x 128 = 4096, Kd = 8 x 128 = 1024, I = 9728, L = 36, V = 151,936, tied:
    one layer   2 (2560 (2 x 4096 + 2 x 1024) + 3 x 2560 x 9728)
              = 2 (26,214,400 + 74,711,040) = 201,850,880
    one key     4 x 4096 = 16,384 in each layer
    the head    2 x 2560 x 151,936 = 777,912,320
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longloom.engines.local_config import LocalEngineConfig, LoraConfig
from longloom.engines.machine import resolve
from longloom.engines.memory_plan import GpuLayout, StageWork, plan_memory_of
from longloom.engines.token_bytes import cache_token_bytes
from longloom.errors import ModelError
from longloom.recipes.planning.known_models import KNOWN_MODELS, model_sizes
from longloom.recipes.planning.operations import (
    Operations,
    answer_operations,
    context_operations,
    layer_operations,
    trained,
)

QWEN3_4B = model_sizes("Qwen/Qwen3-4B")
ENGINE = LocalEngineConfig(device="cuda")
LAYER, KEY, HEAD = 201_850_880, 16_384, 777_912_320


def test_a_layer_costs_twice_its_weights() -> None:
    assert layer_operations(QWEN3_4B) == LAYER


def test_a_context_leaves_most_of_the_last_layer_out() -> None:
    # 35 layers and the last one's keys and values; 1000 x 1001 / 2 pairs.
    found = context_operations(QWEN3_4B, 1_000)
    assert found.linear == (35 * LAYER + 4 * 2_560 * 1_024) * 1_000
    assert found.attention == KEY * 35 * 500_500
    assert found.head == 0


def test_an_answer_sees_its_context_and_itself() -> None:
    # 10 tokens behind 1,000 see 10 x 1000 + 55 keys.
    found = answer_operations(QWEN3_4B, 1_000, 10)
    assert found.linear == 36 * LAYER * 10
    assert found.attention == KEY * 36 * 10_055
    assert found.head == HEAD * 10


def test_other_architectures_compute_all_of_a_context() -> None:
    sizes = model_sizes("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B")
    found = context_operations(sizes, 100)
    assert found.linear == 64 * layer_operations(sizes) * 100


@pytest.mark.parametrize(
    ("has_adapters", "recomputes_layers", "linear", "attention", "head"),
    [(False, False, 3, 3.5, 4), (False, True, 4, 4.5, 4), (True, False, 2, 3.5, 3),
     (True, True, 3, 4.5, 3)],
)  # fmt: skip
def test_training_costs_so_many_forward_passes(
    has_adapters, recomputes_layers, linear, attention, head
) -> None:
    forward = Operations(linear=1, attention=1, head=1)
    found = trained(forward, has_adapters=has_adapters, recomputes_layers=recomputes_layers)
    assert (found.linear, found.attention, found.head) == (linear, attention, head)


def test_caches_of_qwen3_4b_at_20000_tokens() -> None:
    use = resolve(ENGINE, planned="cuda")
    # keys and values, 36 layers, 1024 numbers of 2 bytes: 147,456 bytes a token, 2.95 GB
    assert cache_token_bytes(QWEN3_4B, use.dtype.itemsize) == 147_456
    work = StageWork(max_prompt_tokens=19_000, max_response_tokens=125, group_size=8, num_prompts=1)
    plan = plan_memory_of(QWEN3_4B, ENGINE, work, planned="cuda")
    caches = {part.name: part.num_bytes for part in plan.rollouts}["caches"]
    assert caches == 20_000 * 147_456


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Qwen/Qwen3-0.6B", 0.596), ("Qwen/Qwen3-1.7B", 1.721), ("Qwen/Qwen3-4B", 4.022),
        ("Qwen/Qwen3-8B", 8.191), ("Qwen/Qwen3-14B", 14.768), ("Qwen/Qwen3-32B", 32.762),
        ("Qwen/Qwen3-30B-A3B", 30.532), ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", 32.764),
    ],
)  # fmt: skip
def test_known_models_have_their_published_size(name, billions) -> None:
    # Biases of Qwen2's projections are not counted: less than a thousandth.
    assert model_sizes(name).num_weights / 1e9 == pytest.approx(billions, rel=1e-3)


def test_names_are_known_without_owner_and_in_any_case() -> None:
    assert model_sizes("qwen3-4b") == QWEN3_4B
    assert all(model_sizes(name) for name in KNOWN_MODELS)
    with pytest.raises(ModelError, match="did you mean 'Qwen/Qwen3-4B'"):
        model_sizes("qwen3-4bb")


WORKS = st.builds(
    StageWork,
    max_prompt_tokens=st.integers(1, 100_000),
    max_response_tokens=st.integers(1, 30_000),
    group_size=st.integers(1, 16),
    num_prompts=st.integers(1, 128),
    has_reference=st.booleans(),
)


def peak_of(work: StageWork, num_gpus: int, **settings: object) -> int:
    layouts = (GpuLayout(num_gpus=num_gpus, is_sharded=sharded) for sharded in (True, False))
    engine = ENGINE.replace(**settings)
    return min(
        plan_memory_of(QWEN3_4B, engine, work, planned="cuda", layout=layout).peak_bytes
        for layout in layouts
    )


@settings(max_examples=25)
@given(work=WORKS, doublings=st.integers(0, 5), has_adapters=st.booleans())
def test_more_gpus_never_need_more_memory_each(work, doublings, has_adapters) -> None:
    lora = LoraConfig() if has_adapters else None
    num_gpus = 1 << doublings
    assert peak_of(work, 2 * num_gpus, lora=lora) <= peak_of(work, num_gpus, lora=lora)


@settings(max_examples=25)
@given(work=WORKS, more=st.integers(1, 50_000))
def test_longer_prompts_never_need_less(work, more) -> None:
    longer = StageWork(
        max_prompt_tokens=work.max_prompt_tokens + more,
        max_response_tokens=work.max_response_tokens,
        group_size=work.group_size,
        num_prompts=1,
        has_reference=work.has_reference,
    )
    one = StageWork(
        max_prompt_tokens=work.max_prompt_tokens,
        max_response_tokens=work.max_response_tokens,
        group_size=work.group_size,
        num_prompts=1,
        has_reference=work.has_reference,
    )
    # The proportions of packed groups may fall by one token where they are rounded down.
    assert peak_of(longer, 1) >= 0.999 * peak_of(one, 1)
