"""Bytes that a network keeps or needs for each token, from its sizes alone.

D is the hidden width, H and K the query and key heads of width d, I the MLP's width, L the layers,
and e (`num_bytes`) the bytes of a number of the network: 4 in fp32, 2 in bf16.
"""

from longloom.engines.model_sizes import ModelSizes

FP32 = 4
"""Bytes of a number in fp32."""


def layer_token_bytes(sizes: ModelSizes, num_bytes: int) -> int:
    """Return what autograd keeps of one token in one layer.

    Two normalisations keep input and normalised input in fp32 and their output: 2 D (8 + e), those
    of queries and keys the first two: 8 (Hd + Kd). Attention keeps queries, keys, values and its
    output: 2 e (Hd + Kd); the gated MLP four times its width: 4 e I. Normalisers are fp32.
    """
    heads = sizes.query_width + sizes.key_width
    normalisers = 2 + sizes.num_heads
    if sizes.has_head_norms:
        normalisers += sizes.num_heads + sizes.num_heads * sizes.key_width // sizes.query_width
    return (
        2 * sizes.hidden_size * (8 + num_bytes)
        + (8 * heads if sizes.has_head_norms else 0)
        + 2 * heads * num_bytes
        + 4 * sizes.mlp_width * num_bytes
        + 4 * normalisers
    )


def last_layer_bytes(sizes: ModelSizes, num_bytes: int, tokens: int, answers: int) -> int:
    """Return what autograd keeps of the last layer and behind it.

    In our own network contexts are only normalised and have keys and values there, and the last
    normalisation is of answers alone; transformers computes all of it for all tokens.
    """
    answers = answers if sizes.is_own else tokens
    context = sizes.hidden_size * (8 + num_bytes) + 2 * sizes.key_width * num_bytes
    context += 8 * sizes.key_width if sizes.has_head_norms else 0
    behind = sizes.hidden_size * (8 + num_bytes)
    answer = layer_token_bytes(sizes, num_bytes) + behind
    return (tokens - answers) * context + answers * answer


def working_token_bytes(sizes: ModelSizes, num_bytes: int) -> int:
    """Return what computing one token of one layer back needs for a moment.

    Three gradients of the MLP's width, or four of queries and keys; and three of D in fp32.
    """
    heads = sizes.query_width + sizes.key_width
    return num_bytes * max(3 * sizes.mlp_width, 4 * heads) + 3 * FP32 * sizes.hidden_size


def cache_token_bytes(sizes: ModelSizes, num_bytes: int) -> int:
    """Return the bytes of one token's keys and values in all layers: 2 K d e L."""
    return 2 * sizes.num_layers * sizes.key_width * num_bytes
