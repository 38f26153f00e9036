"""Attention in parts beside one dense softmax; calls of torch's kernels beside their schemas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.models import attention
from longloom.models.attention import (
    attend_rows,
    attend_rows_backward,
    attention_part,
    attention_part_backward,
    flash_cuda,
    flash_cuda_backward,
    merge_parts,
    why_no_cuda_kernel,
)
from longloom.models.chunked_attention import chunked_attention, chunked_attention_backward


def heads(generator, rows, num_heads, tokens, width=8):
    """As the plans pass them: tokens before heads in memory."""
    shape = (rows, tokens, num_heads, width)
    return torch.randn(shape, generator=generator, dtype=torch.float64).transpose(1, 2)


def inputs(seed=0, rows=3, query_heads=4, key_heads=2, queries=5, keys=7, width=8):
    generator = torch.Generator().manual_seed(seed)
    return (
        heads(generator, rows, query_heads, queries, width),
        heads(generator, rows, key_heads, keys, width),
        heads(generator, rows, key_heads, keys, width),
    )


def dense(query, key, value, is_seen):
    """One softmax over all keys, the whole table at once."""
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scores = query @ key.mT / query.shape[-1] ** 0.5
    scores = scores.masked_fill(~is_seen, -torch.inf)
    return scores.softmax(dim=-1) @ value, scores.logsumexp(dim=-1)


def dense_gradients(grad, query, key, value, is_seen):
    leaves = [tensor.clone().requires_grad_() for tensor in (query, key, value)]
    dense(*leaves, is_seen)[0].backward(grad)
    return [leaf.grad for leaf in leaves]


def assert_all_close(found, expected, **tolerances):
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, wanted, **tolerances)


def causal(queries, keys):
    return torch.ones(queries, keys, dtype=torch.bool).tril()


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_causal_part_is_a_causal_softmax(key_heads):
    query, key, value = inputs(key_heads=key_heads, keys=5)
    output, normaliser = attention_part(query, key, value, is_causal=True)
    assert_all_close((output, normaliser), dense(query, key, value, causal(5, 5)))
    grad = torch.randn_like(output)
    found = attention_part_backward(grad, query, key, value, output, normaliser, is_causal=True)
    assert_all_close(found, dense_gradients(grad, query, key, value, causal(5, 5)))


def test_keys_beyond_a_rows_length_do_not_count():
    query, key, value = inputs()
    lengths = (7, 2, 4)
    is_seen = torch.arange(7) < torch.tensor(lengths)[:, None, None, None]
    output, normaliser = attention_part(query, key, value, key_lengths=lengths)
    assert_all_close((output, normaliser), dense(query, key, value, is_seen))
    grad = torch.randn_like(output)
    found = attention_part_backward(
        grad, query, key, value, output, normaliser, key_lengths=lengths
    )
    assert_all_close(found, dense_gradients(grad, query, key, value, is_seen))


@pytest.mark.parametrize("lengths", [(7, 2, 4), (7, 0, 1), (0, 0, 0)])
def test_row_by_row_equals_all_rows_with_a_mask(lengths):
    query, key, value = inputs()
    output, normaliser = attend_rows(chunked_attention, query, key, value, lengths)
    expected, expected_normaliser = attention_part(query, key, value, key_lengths=lengths)
    has_keys = torch.tensor(lengths) > 0
    torch.testing.assert_close(output[has_keys], expected[has_keys])
    torch.testing.assert_close(normaliser[has_keys], expected_normaliser[has_keys])
    assert bool((normaliser[~has_keys] < -1e29).all())
    assert bool((expected_normaliser[~has_keys] < -1e29).all())
    whole = (torch.randn_like(query), query, key, value, *dense(query, key, value, causal(5, 7)))
    assert_all_close(
        attend_rows_backward(chunked_attention_backward, *whole, lengths),
        attention_part_backward(*whole, key_lengths=lengths),
    )


@given(
    is_causal=st.booleans(),
    queries=st.integers(1, 9),
    more_keys=st.integers(-8, 5),
    key_heads=st.sampled_from([1, 2, 4]),
    chunk_scores=st.integers(1, 600),
)
def test_chunks_of_any_size_give_the_dense_softmax(
    is_causal, queries, more_keys, key_heads, chunk_scores
):
    keys = max(1, queries + more_keys)
    query, key, value = inputs(queries=queries, keys=keys, key_heads=key_heads)
    is_seen = causal(queries, keys) if is_causal else torch.ones(queries, keys, dtype=torch.bool)
    settings = {"is_causal": is_causal, "chunk_scores": chunk_scores}
    output, normaliser = chunked_attention(query, key, value, **settings)
    assert_all_close((output, normaliser), dense(query, key, value, is_seen))
    grad = torch.randn_like(output)
    found = chunked_attention_backward(grad, query, key, value, output, normaliser, **settings)
    assert_all_close(found, dense_gradients(grad, query, key, value, is_seen))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_has_fp32_normalisers_and_its_own_gradients(dtype):
    exact = inputs(keys=5)
    half = [tensor.to(dtype) for tensor in exact]
    expected = dense(*(tensor.double() for tensor in half), causal(5, 5))
    grad = torch.randn(half[0].shape).to(dtype)
    expected_gradients = dense_gradients(
        grad.double(), *(tensor.double() for tensor in half), causal(5, 5)
    )
    for forward, backward in (
        (attention_part, attention_part_backward),
        (chunked_attention, chunked_attention_backward),
    ):
        output, normaliser = forward(*half, is_causal=True)
        assert (output.dtype, normaliser.dtype) == (dtype, torch.float32)
        torch.testing.assert_close(output.double(), expected[0], rtol=2e-2, atol=2e-2)
        torch.testing.assert_close(normaliser.double(), expected[1], rtol=1e-4, atol=1e-4)
        gradients = backward(grad, *half, output, normaliser, is_causal=True)
        for found, wanted in zip(gradients, expected_gradients, strict=True):
            assert found.dtype == dtype
            torch.testing.assert_close(found.double(), wanted, rtol=4e-2, atol=4e-2)


@given(cut=st.integers(0, 7), seed=st.integers(0, 100))
def test_parts_merge_to_the_whole_and_so_do_their_gradients(cut, seed):
    query, key, value = inputs(seed=seed)
    everything = torch.ones(5, 7, dtype=torch.bool)
    parts = (slice(0, cut), slice(cut, None))
    found = [attention_part(query, key[:, :, part], value[:, :, part]) for part in parts]
    output, normaliser = merge_parts(*found[0], *found[1])
    assert_all_close((output, normaliser), dense(query, key, value, everything))
    grad = torch.randn_like(output)
    whole = (output, normaliser)
    pieces = [
        attention_part_backward(grad, query, key[:, :, part], value[:, :, part], *whole)
        for part in parts
    ]
    gradients = (
        pieces[0][0] + pieces[1][0],
        torch.cat([pieces[0][1], pieces[1][1]], dim=2),
        torch.cat([pieces[0][2], pieces[1][2]], dim=2),
    )
    assert_all_close(gradients, dense_gradients(grad, query, key, value, everything))


def test_neither_keys_nor_queries_need_exist():
    query, key, value = inputs()
    output, normaliser = attention_part(query, key[:, :, :0], value[:, :, :0])
    assert not output.any()
    assert bool((normaliser < -1e29).all())
    output, normaliser = attention_part(query[:, :, :0], key, value)
    gradients = attention_part_backward(output, query[:, :, :0], key, value, output, normaliser)
    assert [tuple(gradient.shape) for gradient in gradients] == [
        (3, 4, 0, 8), (3, 2, 7, 8), (3, 2, 7, 8)
    ]  # fmt: skip
    assert not any(gradient.any() for gradient in gradients)


def test_calls_of_the_cuda_kernel_fit_the_installed_torch():
    """Shapes alone: the meta device binds arguments to the schemas and computes nothing."""
    query, key, value = (
        tensor.to("meta", torch.bfloat16) for tensor in inputs(queries=9, width=64)
    )
    output, normaliser = flash_cuda(query, key, value, is_causal=False)
    assert output.shape == query.shape
    assert (normaliser.shape, normaliser.dtype) == (query.shape[:3], torch.float32)
    gradients = flash_cuda_backward(output, query, key, value, output, normaliser, is_causal=False)
    assert [gradient.shape for gradient in gradients] == [query.shape, key.shape, value.shape]


FORWARD = "_scaled_dot_product_flash_attention"
EXPECTED_ARGUMENTS = {
    FORWARD: "query key value dropout_p is_causal return_debug_mask scale",
    f"{FORWARD}_backward": (
        "grad_out query key value out logsumexp cum_seq_q cum_seq_k max_q max_k dropout_p "
        "is_causal philox_seed philox_offset scale"
    ),
    f"{FORWARD}_for_cpu": "query key value dropout_p is_causal attn_mask scale",
    f"{FORWARD}_for_cpu_backward": (
        "grad_out query key value out logsumexp dropout_p is_causal attn_mask scale"
    ),
}


@pytest.mark.parametrize("name", EXPECTED_ARGUMENTS)
def test_schemas_of_torchs_kernels_are_those_the_calls_were_written_for(name):
    schema = getattr(torch.ops.aten, name).default._schema
    arguments = " ".join(argument.name for argument in schema.arguments)
    assert arguments == EXPECTED_ARGUMENTS[name]


@pytest.mark.parametrize(
    ("device", "dtype", "width", "reason"),
    [
        ("cuda", torch.bfloat16, 128, ""),
        ("cuda", torch.float16, 256, ""),
        ("cpu", torch.bfloat16, 128, "the device is cpu"),
        ("cuda", torch.float32, 128, "computes in torch.float32; expected bfloat16"),
        ("cuda", torch.bfloat16, 68, "heads are 68 wide; expected a multiple of 8"),
        ("cuda", torch.bfloat16, 264, "heads are 264 wide"),
    ],
)
def test_the_cuda_kernel_is_for_half_precision_on_cuda_alone(device, dtype, width, reason):
    found = why_no_cuda_kernel(device, dtype, width)
    assert reason in found
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    "device", ["meta", pytest.param("cuda", marks=pytest.mark.gpu)], ids=["meta", "cuda"]
)
def test_one_warning_says_why_the_kernel_is_not_used(caplog, device):
    attention._warn_once.cache_clear()
    query, key, value = (tensor.float().to(device) for tensor in inputs())
    for _ in range(3):
        attention_part(query, key, value)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    expected = "device is meta" if device == "meta" else "torch.float32; expected bfloat16"
    assert expected in record.getMessage()


@pytest.mark.gpu
@pytest.mark.parametrize("is_causal", [True, False])
def test_the_cuda_kernel_gives_the_dense_softmax(is_causal):
    query, key, value = inputs(keys=64, queries=64, width=64)
    is_seen = causal(64, 64) if is_causal else torch.ones(64, 64, dtype=torch.bool)
    on_device = [tensor.to("cuda", torch.bfloat16) for tensor in (query, key, value)]
    output, normaliser = attention_part(*on_device, is_causal=is_causal)
    expected = dense(query, key, value, is_seen)
    torch.testing.assert_close(output.double().cpu(), expected[0], rtol=3e-2, atol=3e-2)
    torch.testing.assert_close(normaliser.double().cpu(), expected[1], rtol=1e-2, atol=1e-2)
    grad = torch.randn_like(query)
    found = attention_part_backward(
        grad.to("cuda", torch.bfloat16), *on_device, output, normaliser, is_causal=is_causal
    )
    for mine, wanted in zip(found, dense_gradients(grad, query, key, value, is_seen), strict=True):
        assert float((mine.double().cpu() - wanted).norm() / wanted.norm()) < 3e-2
